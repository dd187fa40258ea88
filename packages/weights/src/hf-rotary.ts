import type { RotaryConfig, RotaryScaling } from "@basic-mllm/core";

import type { ConfigFields } from "./hf-fields.js";

/** What the rotary embedding depends on besides its own fields. */
interface RotarySizes {
  readonly headWidth: number;
  /** Longest text. */
  readonly positions: number;
  /** longrope: longest text of the first training, where no field says. */
  readonly originalPositions: number;
}

/** Reads the rotary embedding in the spelling of transformers 4 or 5. */
export function readRotary(fields: ConfigFields, sizes: RotarySizes): RotaryConfig {
  const parameters = fields.object("rope_parameters");
  const scaling = fields.object("rope_scaling");
  const source = parameters ?? fields;
  const base = source.number("rope_theta", fields.number("rope_theta", 10_000));
  const part = source.number("partial_rotary_factor", fields.number("partial_rotary_factor", 1));
  const originalPositions = fields.number("original_max_position_embeddings", sizes.originalPositions);
  const rules = parameters ?? scaling;
  const config = {
    base,
    width: Math.floor(sizes.headWidth * part),
    scaling: rules === null ? null : readScaling(rules, { ...sizes, originalPositions }),
  };
  rules?.finish();
  if (parameters !== null) scaling?.finish();
  return config;
}

function readScaling(rules: ConfigFields, sizes: RotarySizes): RotaryScaling | null {
  const kind = rules.text("rope_type", rules.text("type", "default"));
  rules.ignore("type", "rope_type");
  switch (kind) {
    case "default":
      return null;
    case "linear":
      return { kind, factor: rules.number("factor", 1) };
    case "llama3":
      return {
        kind,
        factor: rules.number("factor", 8),
        lowFrequencyFactor: rules.number("low_freq_factor", 1),
        highFrequencyFactor: rules.number("high_freq_factor", 4),
        originalPositions: rules.number("original_max_position_embeddings", 8192),
      };
    // Its first name in Phi 3.
    case "su":
    case "longrope":
      return readLongRope(rules, sizes);
    default:
      throw rules.unsupported(
        rules.has("rope_type") ? "rope_type" : "type",
        '"default", "linear", "llama3" or "longrope"',
      );
  }
}

function readLongRope(rules: ConfigFields, sizes: RotarySizes): RotaryScaling {
  const originalPositions = rules.number("original_max_position_embeddings", sizes.originalPositions);
  const factor = rules.number("factor", sizes.positions / originalPositions);
  const byFactor = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalPositions));
  return {
    kind: "longrope",
    shortFactors: numbers(rules, "short_factor"),
    longFactors: numbers(rules, "long_factor"),
    originalPositions,
    attentionFactor: rules.number("attention_factor", byFactor),
  };
}

function numbers(rules: ConfigFields, name: string): readonly number[] {
  const list = rules.list(name) ?? [];
  if (list.every((value) => typeof value === "number")) return list;
  throw rules.unsupported(name, "a list of numbers");
}

/** Fields of transformers 4, which 5 reads as well. */
export function writeRotary(
  { base, width, scaling }: RotaryConfig,
  headWidth: number,
): Record<string, unknown> {
  return {
    rope_theta: base,
    rope_scaling: scaling === null ? null : writeScaling(scaling),
    ...(width !== headWidth && { partial_rotary_factor: width / headWidth }),
  };
}

function writeScaling(scaling: RotaryScaling): Record<string, unknown> {
  switch (scaling.kind) {
    case "linear":
      return { rope_type: "linear", factor: scaling.factor };
    case "llama3":
      return {
        rope_type: "llama3",
        factor: scaling.factor,
        low_freq_factor: scaling.lowFrequencyFactor,
        high_freq_factor: scaling.highFrequencyFactor,
        original_max_position_embeddings: scaling.originalPositions,
      };
    case "longrope":
      return {
        rope_type: "longrope",
        short_factor: scaling.shortFactors,
        long_factor: scaling.longFactors,
        original_max_position_embeddings: scaling.originalPositions,
        attention_factor: scaling.attentionFactor,
      };
  }
}
