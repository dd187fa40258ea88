// Sources of kernels are imported as texts.
declare module "*.cu" {
  const source: string;
  // biome-ignore lint/style/noDefaultExport: what a loader of texts gives
  export default source;
}
declare module "*.cuh" {
  const source: string;
  // biome-ignore lint/style/noDefaultExport: what a loader of texts gives
  export default source;
}
