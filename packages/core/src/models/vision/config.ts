import { BasicError } from "../../errors.js";
import type { FusedActivation } from "../../kernels/activation.js";

/** One vision transformer for CLIP and SigLIP: what tells them apart are fields. */
export interface VitConfig {
  /** Side of the square images it was made for, pixels. */
  readonly imageSize: number;
  /** Side of a patch, pixels. */
  readonly patchSize: number;
  readonly width: number;
  /** Number of blocks. */
  readonly depth: number;
  readonly heads: number;
  /** Inner width of the feed-forward layer. */
  readonly inner: number;
  readonly activation: FusedActivation;
  readonly normEpsilon: number;
  /** CLIP: a learned row in front of the patches. */
  readonly classToken: boolean;
  /** CLIP: a layer norm before the first block. */
  readonly preNorm: boolean;
  /** SigLIP: the patch product has a bias. */
  readonly patchBias: boolean;
}

/** What {@link clipConfig} and {@link siglipConfig} cannot guess. */
export type VitSizes = Pick<VitConfig, "imageSize" | "patchSize" | "width" | "depth" | "heads" | "inner">;

/** A CLIP-shaped config: class token, norm before the blocks, quick GELU. */
export function clipConfig(fields: VitSizes & Partial<VitConfig>): VitConfig {
  return checked({
    activation: "quick-gelu",
    normEpsilon: 1e-5,
    classToken: true,
    preNorm: true,
    patchBias: false,
    ...fields,
  });
}

/** A SigLIP-shaped config: patches only, GELU (tanh). */
export function siglipConfig(fields: VitSizes & Partial<VitConfig>): VitConfig {
  return checked({
    activation: "gelu-tanh",
    normEpsilon: 1e-6,
    classToken: false,
    preNorm: false,
    patchBias: true,
    ...fields,
  });
}

function checked(config: VitConfig): VitConfig {
  for (const field of ["imageSize", "patchSize", "width", "depth", "heads", "inner"] as const) {
    if (!Number.isInteger(config[field]) || config[field] <= 0) {
      throw new BasicError(
        "E_CONFIG",
        `VitConfig: \`${field}\` must be a positive whole number, got ${config[field]}. Set it to that of the model's weights.`,
      );
    }
  }
  if (config.width % config.heads !== 0) {
    throw new BasicError(
      "E_CONFIG",
      `VitConfig: width ${config.width} cannot be split into ${config.heads} heads. Make it a multiple.`,
    );
  }
  if (config.imageSize < config.patchSize) {
    throw new BasicError(
      "E_CONFIG",
      `VitConfig: an image of ${config.imageSize} pixels holds no patch of ${config.patchSize}.`,
    );
  }
  return config;
}
