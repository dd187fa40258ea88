import { BasicError, formatShape, type RotaryConfig } from "@basic-mllm/core";

import type { GgufFields } from "./fields.js";
import type { GgufFile } from "./file.js";

/** Llama 3's tensor of one factor per rotary frequency. */
export const ROTARY_FACTORS = "rope_freqs.weight";
/** Phi 3's: for texts longer than those of the first training, and for others. */
export const LONG_FACTORS = "rope_factors_long.weight";
export const SHORT_FACTORS = "rope_factors_short.weight";

/** Tensors that are no parameters. */
export const FACTOR_TENSORS: readonly string[] = [ROTARY_FACTORS, LONG_FACTORS, SHORT_FACTORS];

/** What the rotary embedding depends on besides its own fields. */
interface RotaryPlace {
  readonly file: GgufFile;
  readonly architecture: string;
  readonly headWidth: number;
}

/** The tensors with factors that {@link readRotary} reads where they are there; a file may hold others, which nothing follows. */
export function factorsOf({ file, architecture }: Omit<RotaryPlace, "headWidth">): readonly string[] {
  const lists = [LONG_FACTORS, SHORT_FACTORS];
  return architecture === "phi3" && lists.some((name) => file.has(name)) ? lists : [ROTARY_FACTORS];
}

/** Reads the rotary embedding of a model: its fields, and the tensors with factors. */
export function readRotary(fields: GgufFields, place: RotaryPlace): RotaryConfig {
  const { file, architecture, headWidth } = place;
  const at = (name: string): string => `${architecture}.rope.${name}`;
  const base = fields.number(at("freq_base"), 10_000);
  const width = fields.number(at("dimension_count"), headWidth);
  if (width !== headWidth && architecture !== "phi3")
    throw fields.unsupported(at("dimension_count"), `${headWidth}, the width of a head`);
  if (!(width > 0 && width <= headWidth && width % 2 === 0))
    throw fields.unsupported(at("dimension_count"), `an even number up to ${headWidth}, the width of a head`);
  const kind = fields.text(at("scaling.type"), "none");
  const factor = fields.number(at("scaling.factor"), fields.number(at("scale_linear"), 1));
  fields.ignore(at("scaling.original_context_length"), at("scaling.finetuned"));
  const isLong = factorsOf(place).includes(LONG_FACTORS);
  const known = isLong ? ["none", "longrope"] : ["none", "linear"];
  if (!known.includes(kind))
    throw fields.unsupported(at("scaling.type"), known.map((name) => `"${name}"`).join(" or "));
  if (isLong) return { base, width, scaling: readLongRope(fields, place, width) };
  if (!file.has(ROTARY_FACTORS))
    return { base, width, scaling: factor === 1 ? null : { kind: "linear", factor } };
  if (kind === "linear" && factor !== 1)
    throw fields.unsupported(at("scaling.type"), `"none" beside ${ROTARY_FACTORS}`);
  return { base, width, scaling: readOneList(fields, place, width) };
}

type LongRope = Extract<RotaryConfig["scaling"], { readonly kind: "longrope" }>;

/** One factor per frequency for texts of any length: longrope's formula without its switch. */
function readOneList(fields: GgufFields, { file, architecture }: RotaryPlace, width: number): LongRope {
  const factors = readFactors(file, ROTARY_FACTORS, width);
  const originalPositions = fields.number(`${architecture}.context_length`);
  return {
    kind: "longrope",
    shortFactors: factors,
    longFactors: factors,
    originalPositions,
    attentionFactor: 1,
  };
}

function readLongRope(fields: GgufFields, { file, architecture }: RotaryPlace, width: number): LongRope {
  const at = (name: string): string => `${architecture}.rope.scaling.${name}`;
  return {
    kind: "longrope",
    shortFactors: readFactors(file, SHORT_FACTORS, width),
    longFactors: readFactors(file, LONG_FACTORS, width),
    originalPositions: fields.number(at("original_context_length")),
    attentionFactor: fields.number(at("attn_factor"), 1),
  };
}

function readFactors(file: GgufFile, name: string, width: number): readonly number[] {
  const { shape } = file.entry(name);
  if (shape.length === 1 && shape[0] === width / 2) return [...file.floats(name)];
  throw new BasicError(
    "E_WEIGHTS_FORMAT",
    `${file.location}: tensor "${name}" has shape ${formatShape(shape)}, expected [${width / 2}], one factor per rotary frequency. Make the file again.`,
  );
}
