/** Functions of the native addon that the fused contract kernels call. */
export type KernelBindings = Readonly<Record<never, never>>;
