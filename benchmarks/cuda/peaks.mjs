// What GPUs can do at most, by NVIDIA's own figures, without sparsity. FLOPs and bytes a second.
const TERA = 1e12;
const GIGA = 1e9;

export const GPUS = [
  {
    name: "A100",
    f32: 19.5 * TERA,
    tf32: 156 * TERA,
    bandwidth: 2039 * GIGA,
    source: "[A100 80GB SXM data sheet](https://www.nvidia.com/en-us/data-center/a100/)",
  },
  {
    name: "H100",
    f32: 67 * TERA,
    tf32: 494.5 * TERA,
    bandwidth: 3350 * GIGA,
    source:
      "[H100 SXM data sheet](https://www.nvidia.com/en-us/data-center/h100/), TF32 is half of the figure with sparsity",
  },
  {
    name: "RTX 4090",
    f32: 82.6 * TERA,
    tf32: 82.6 * TERA,
    bandwidth: 1008 * GIGA,
    source:
      "[Ada architecture white paper](https://images.nvidia.com/aem-dam/Solutions/geforce/ada/nvidia-ada-gpu-architecture.pdf), appendix A",
  },
];

/**
 * Least milliseconds of some work: what its FLOPs take, or its bytes.
 *
 * @param precision `f32` or `tf32`: of products; all else is in float32.
 */
export function leastMs({ kind, bytes, flops }, gpu, precision) {
  const rate = kind === "product" ? gpu[precision] : gpu.f32;
  return 1e3 * Math.max(flops / rate, bytes / gpu.bandwidth);
}

/** Whether memory decides. */
export function isMemoryBound({ kind, bytes, flops }, gpu, precision) {
  const rate = kind === "product" ? gpu[precision] : gpu.f32;
  return bytes / gpu.bandwidth >= flops / rate;
}
