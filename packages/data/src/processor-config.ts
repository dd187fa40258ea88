import { BasicError } from "@basic-mllm/core";

import type { Channels, ImageProcessor, TileSettings } from "./image-processor.js";
import {
  defaultPinpoints,
  describeDefaults,
  type Fields,
  HARMLESS_FIELDS,
  type ProcessorDefaults,
} from "./processor-types.js";
import type { Filter } from "./resample.js";

/** What the config.json of a LLaVA checkpoint says about its pictures, beside preprocessor_config.json. */
export interface ProcessorOptions {
  /** `image_aspect_ratio`: `square` (or null), `pad` or `anyres`. Default: what the processor's own file says. */
  readonly imageAspectRatio?: string | null;
  /** `image_grid_pinpoints`, each `[height, width]`. Default: those of the file, else LLaVA-1.6's for the encoder's size. */
  readonly gridPinpoints?: readonly (readonly [height: number, width: number])[];
}

/** Filters by Pillow's numbers. */
export const FILTERS: readonly Filter[] = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];
const FILTER_NUMBERS = FILTERS.map((name, number) => `${number} (${name})`).join(", ");

/** Fields that {@link parseImageProcessor} reads. */
const KNOWN_FIELDS = [
  "do_resize",
  "size",
  "resample",
  "do_center_crop",
  "crop_size",
  "do_rescale",
  "rescale_factor",
  "do_normalize",
  "image_mean",
  "image_std",
  "do_pad",
  "pad_size",
  "image_aspect_ratio",
  "aspect_ratio_setting",
  "image_grid_pinpoints",
];

/**
 * Reads `preprocessor_config.json` of CLIP, SigLIP, SigLIP2 (fixed resolution), DINOv2 (`BitImageProcessor`), ViT or
 * LLaVA, in the spellings of transformers 4 and 5; also `processor_config.json`, where it is a part.
 *
 * A field that is absent or null has the default of the processor's type; a file without a type must say all.
 * Values are those of transformers' Pillow processors (5.23), not of its torchvision ones, which resize in another way.
 *
 * @throws `BasicError` `E_CONFIG` naming the field that cannot be used, or that is not known and might change pixels.
 */
export function parseImageProcessor(config: unknown, options: ProcessorOptions = {}): ImageProcessor {
  const fields = fieldsOf(config);
  const defaults = describeDefaults(fields);
  refuseUnknown(fields);
  const get = (name: string): unknown => fields[name] ?? defaults.fields[name];
  const flag = (name: string): boolean => readFlag(name, get(name));
  const normalise = flag("do_normalize");
  const resize = flag("do_resize") ? readSize(get("size"), defaults) : null;
  const crop = flag("do_center_crop") ? readBox("crop_size", get("crop_size")) : null;
  const processor = {
    resize,
    filter: resize === null ? "bicubic" : readFilter(get("resample")),
    crop,
    rescale: flag("do_rescale") ? readRescale(get("rescale_factor")) : 1,
    mean: normalise ? readChannels("image_mean", get("image_mean")) : ([0, 0, 0] as const),
    std: normalise ? readStd(get("image_std")) : ([1, 1, 1] as const),
  };
  const ratio = aspectRatio(fields, defaults, options);
  const pinpoints = options.gridPinpoints ?? get("image_grid_pinpoints");
  return {
    pad: ratio === "pad",
    ...processor,
    ...(ratio === "anyres" && { tiles: readTiles(pinpoints, processor) }),
  };
}

function fieldsOf(config: unknown): Fields {
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw processorError("(the file)", "an object", config);
  }
  const fields = config as Fields;
  const inner = fields["image_processor"];
  return inner === undefined || inner === null ? fields : fieldsOf(inner);
}

function refuseUnknown(fields: Fields): void {
  for (const [name, value] of Object.entries(fields)) {
    if (KNOWN_FIELDS.includes(name) || HARMLESS_FIELDS.includes(name)) continue;
    if (value === null || value === false) continue;
    throw new BasicError(
      "E_CONFIG",
      `preprocessor_config.json: \`${name}\` is not known here and may change what the encoder gets, got ` +
        `${JSON.stringify(value)}. Expected the fields ${KNOWN_FIELDS.join(", ")}. ` +
        "Remove it if it changes no pixels, or prepare the images yourself and hand them over as an ImageBatch.",
    );
  }
  if (fields["pad_size"] !== undefined && fields["pad_size"] !== null) {
    throw processorError("pad_size", "absent: pictures are not padded to a size", fields["pad_size"]);
  }
}

/** `square`, `pad` or `anyres`. */
function aspectRatio(
  fields: Fields,
  { type, tiles, padsToSquare }: ProcessorDefaults,
  given: ProcessorOptions,
) {
  const pads = readFlag("do_pad", fields["do_pad"] ?? false);
  if (pads && !padsToSquare && !tiles) throw processorError("do_pad", `false for ${type}`, true);
  const setting = fields["aspect_ratio_setting"] ?? fields["image_aspect_ratio"];
  const own = setting ?? (tiles ? "anyres" : pads ? "pad" : "square");
  const ratio = given.imageAspectRatio === undefined ? own : (given.imageAspectRatio ?? "square");
  if (ratio === "square" || ratio === "pad" || ratio === "anyres") return ratio;
  throw processorError("image_aspect_ratio", '"square", "pad" or "anyres"', ratio);
}

function readTiles(pinpoints: unknown, processor: Pick<ImageProcessor, "crop" | "resize">): TileSettings {
  const { crop, resize } = processor;
  if (resize === null) throw processorError("do_resize", "true where pictures are cut into tiles", false);
  const size = crop?.height ?? ("height" in resize ? resize.height : resize.shortestEdge);
  if (pinpoints === undefined || pinpoints === null) return { pinpoints: defaultPinpoints(size), size };
  const pairs = Array.isArray(pinpoints) ? (pinpoints as readonly unknown[]) : [];
  const sizes = pairs.filter(
    (pair): pair is readonly [number, number] =>
      Array.isArray(pair) && pair.length === 2 && pair.every((side) => isSize(side) && side % size === 0),
  );
  if (sizes.length === 0 || sizes.length < pairs.length) {
    const expected = `pairs [height, width] of multiples of the tile's ${size} pixels`;
    throw processorError("image_grid_pinpoints", expected, pinpoints);
  }
  return { pinpoints: sizes, size };
}

function readSize(value: unknown, { squareNumber, type }: ProcessorDefaults): ImageProcessor["resize"] {
  if (isSize(value)) {
    if (squareNumber === undefined) {
      throw processorError(
        "size",
        `{"shortest_edge"} or {"height", "width"} where the file names no ${type}`,
        value,
      );
    }
    return squareNumber ? { height: value, width: value } : { shortestEdge: value };
  }
  const { shortest_edge: edge, ...others } = withoutNulls(value);
  if (isSize(edge) && Object.keys(others).length === 0) return { shortestEdge: edge };
  return readBox("size", value, 'one number, {"shortest_edge"} or {"height", "width"}');
}

function readBox(name: string, value: unknown, expected = 'one number or {"height", "width"}') {
  if (isSize(value)) return { height: value, width: value };
  const pair = Array.isArray(value) ? { height: value[0], width: value[1] } : withoutNulls(value);
  const { height, width, ...others } = pair as Fields & { height?: unknown; width?: unknown };
  if (isSize(height) && isSize(width) && Object.keys(others).length === 0) return { height, width };
  throw processorError(name, `${expected}, in whole pixels`, value);
}

function withoutNulls(value: unknown): Fields {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null));
}

function isSize(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0;
}

function readFlag(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw processorError(name, "true or false", value);
}

function readFilter(value: unknown): Filter {
  const filter = typeof value === "number" ? FILTERS[value] : undefined;
  if (filter !== undefined) return filter;
  throw processorError("resample", FILTER_NUMBERS, value);
}

function readRescale(value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw processorError("rescale_factor", "a number above 0", value);
}

function readStd(value: unknown): Channels {
  const std = readChannels("image_std", value);
  if (std.every((deviation) => deviation > 0)) return std;
  throw processorError("image_std", "numbers above 0", value);
}

function readChannels(name: string, value: unknown): Channels {
  if (typeof value === "number") return [value, value, value];
  if (Array.isArray(value) && value.length === 3 && value.every((item) => Number.isFinite(item))) {
    const [red = 0, green = 0, blue = 0] = value as readonly number[];
    return [red, green, blue];
  }
  throw processorError(name, "three numbers", value);
}

function processorError(field: string, expected: string, value: unknown): BasicError {
  return new BasicError(
    "E_CONFIG",
    `preprocessor_config.json: \`${field}\` must be ${expected}, got ${JSON.stringify(value) ?? "nothing"}. ` +
      "Use the file that belongs to the encoder.",
  );
}
