import { BasicError } from "../../errors.js";
import type { FusedActivation } from "../../kernels/activation.js";

/** One vision transformer for CLIP, SigLIP and DINOv2: what tells them apart are fields. */
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
  /** Learned rows between class token and patches, without a position (DINOv2 with registers). */
  readonly registers: number;
  /** DINOv2: learned factors, 1 at first, on what a block adds. */
  readonly layerScale: boolean;
  /** DINOv2's giant: a gated feed-forward layer, gate and up in one product of width 2 · `inner`. */
  readonly swiglu: boolean;
  /** Bias of the query, key and value products. */
  readonly inputBias: boolean;
  /** Whether position embeddings are smoothed when they are made smaller (DINOv2 with registers). */
  readonly antialias: boolean;
  /** Whose names the parameters have: CLIP's and SigLIP's, or DINOv2's. */
  readonly names: "clip" | "dinov2";
}

/** What {@link clipConfig}, {@link siglipConfig} and {@link dinov2Config} cannot guess. */
export type VitSizes = Pick<VitConfig, "imageSize" | "patchSize" | "width" | "depth" | "heads" | "inner">;

const plain = {
  registers: 0,
  layerScale: false,
  swiglu: false,
  inputBias: true,
  antialias: false,
  names: "clip",
} as const;

/** A CLIP-shaped config: class token, norm before the blocks, quick GELU. */
export function clipConfig(fields: VitSizes & Partial<VitConfig>): VitConfig {
  return checked({
    ...plain,
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
    ...plain,
    activation: "gelu-tanh",
    normEpsilon: 1e-6,
    classToken: false,
    preNorm: false,
    patchBias: true,
    ...fields,
  });
}

/** A DINOv2-shaped config: class token, layer scale, GELU; `registers` and `antialias` for the one with registers. */
export function dinov2Config(fields: VitSizes & Partial<VitConfig>): VitConfig {
  return checked({
    ...plain,
    activation: "gelu-erf",
    normEpsilon: 1e-6,
    classToken: true,
    preNorm: false,
    patchBias: true,
    layerScale: true,
    names: "dinov2",
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
  if (!Number.isInteger(config.registers) || config.registers < 0) {
    throw new BasicError(
      "E_CONFIG",
      `VitConfig: \`registers\` must be a whole number from 0, got ${config.registers}. Set it to that of the model's weights.`,
    );
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
