/** What tfjs asks its pipelines for, beside what they were made of. */
export interface ImaginaryPipeline {
  readonly label: string;
  readonly compute: { readonly module: { readonly code: string }; readonly entryPoint: string };
}

/**
 * Stands in for a device while nothing is computed: buffers have sizes and no memory, commands go nowhere, and pipelines
 * are the descriptions that they were asked for with. What is read is 0.
 */
export function imaginaryDevice({ limits, features, lost }: GPUDevice): GPUDevice {
  const nothing = () => undefined;
  const something = () => ({});
  const pass = { setPipeline: nothing, setBindGroup: nothing, dispatchWorkgroups: nothing, end: nothing };
  const encoder = { beginComputePass: () => pass, copyBufferToBuffer: nothing, finish: something };
  const device = {
    limits,
    features,
    lost,
    queue: { submit: nothing, writeBuffer: nothing },
    createBuffer: imaginaryBuffer,
    createBindGroup: something,
    createCommandEncoder: () => encoder,
    createShaderModule: (descriptor: GPUShaderModuleDescriptor) => descriptor,
    createComputePipeline: (descriptor: GPUComputePipelineDescriptor) => ({
      ...descriptor,
      getBindGroupLayout: something,
    }),
    pushErrorScope: nothing,
    popErrorScope: async () => null,
  };
  return device as unknown as GPUDevice;
}

/** tfjs looks at the prototype of a buffer before it gives it back. */
function imaginaryBuffer({ size, usage }: GPUBufferDescriptor): GPUBuffer {
  const fields = {
    size,
    usage,
    mapState: "unmapped",
    destroy: () => undefined,
    mapAsync: async () => undefined,
    getMappedRange: (_offset: number, bytes: number) => new ArrayBuffer(bytes),
  };
  const own = Object.entries(fields).map(([name, value]) => [name, { value }] as const);
  return Object.create(GPUBuffer.prototype, Object.fromEntries(own)) as GPUBuffer;
}
