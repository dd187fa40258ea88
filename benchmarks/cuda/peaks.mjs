// What GPUs can do at most, by NVIDIA's own figures, without sparsity. FLOPs and bytes a second.
const TERA = 1e12;
const GIGA = 1e9;

export const GPUS = [
  {
    name: "A100",
    f32: 19.5 * TERA,
    tf32: 156 * TERA,
    bf16: 312 * TERA,
    bandwidth: 2039 * GIGA,
    source: "[A100 80GB SXM data sheet](https://www.nvidia.com/en-us/data-center/a100/)",
  },
  {
    name: "H100",
    f32: 67 * TERA,
    tf32: 494.5 * TERA,
    bf16: 989 * TERA,
    bandwidth: 3350 * GIGA,
    source:
      "[H100 SXM data sheet](https://www.nvidia.com/en-us/data-center/h100/), TF32 and bfloat16 are half of the figures with sparsity",
  },
  {
    name: "RTX 4090",
    f32: 82.6 * TERA,
    tf32: 82.6 * TERA,
    bf16: 165.2 * TERA,
    bandwidth: 1008 * GIGA,
    source:
      "[Ada architecture white paper](https://images.nvidia.com/aem-dam/Solutions/geforce/ada/nvidia-ada-gpu-architecture.pdf), appendix A",
  },
];

/** FLOPs a second of some work: products of factors in bfloat16 and kernels on tensor cores have rates of their own. */
function rateOf({ kind, factors, units }, gpu, precision) {
  if (kind !== "product") return gpu[units ?? "f32"];
  if (factors === "bf16") return gpu.bf16;
  return precision === "tf32" ? gpu.tf32 : gpu.f32;
}

/**
 * Least milliseconds of some work: what its FLOPs take, or its bytes.
 *
 * @param precision `tf32` where products of float32 are rounded to it; in all others they are not. Kernels say themselves which tensor cores
 *   they use; others are in float32.
 */
export function leastMs(work, gpu, precision) {
  return 1e3 * Math.max(work.flops / rateOf(work, gpu, precision), work.bytes / gpu.bandwidth);
}

/** Whether memory decides. */
export function isMemoryBound(work, gpu, precision) {
  return work.bytes / gpu.bandwidth >= work.flops / rateOf(work, gpu, precision);
}
