/** `cubin`: machine code for one architecture. `ptx`: assembly that the driver compiles for the device. */
export type ImageKind = "cubin" | "ptx";

/** What kernels are compiled to. */
export interface Target {
  readonly kind: ImageKind;
  /** For NVRTC: `sm_90`, `compute_90`. */
  readonly architecture: string;
}

/**
 * Machine code for exactly this device where the compiler knows it; else PTX for the newest older architecture, which
 * the driver compiles.
 *
 * @param known - Architectures of the compiler: 90 for sm_90.
 * @returns undefined where the device is older than all that the compiler knows.
 */
export function targetFor(device: number, known: readonly number[], image: ImageKind): Target | undefined {
  if (image === "cubin" && known.includes(device)) return { kind: "cubin", architecture: `sm_${device}` };
  const older = known.filter((architecture) => architecture <= device);
  return older.length === 0 ? undefined : { kind: "ptx", architecture: `compute_${Math.max(...older)}` };
}
