export declare const cudaSource: {
  readonly name: string;
  readonly enforce: "pre";
  readonly load: (id: string) => string | undefined;
};
