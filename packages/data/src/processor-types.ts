import { BasicError } from "@basic-mllm/core";

/** Fields of a JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** What a type of processor does where its file is silent. */
export interface ProcessorDefaults {
  /** For messages. */
  readonly type: string;
  readonly fields: Fields;
  /** Whether a `size` of one number is a square, else the shorter edge; undefined: cannot be known. */
  readonly squareNumber?: boolean;
  /** Whether `do_pad` means a square of the mean colour. */
  readonly padsToSquare: boolean;
  /** Whether pictures are cut into tiles. */
  readonly tiles: boolean;
}

/** Fields that change no pixel of ours: names, layouts and devices. Images are always made red, green, blue. */
export const HARMLESS_FIELDS: readonly string[] = [
  "image_processor_type",
  "feature_extractor_type",
  "processor_class",
  "do_convert_rgb",
  "data_format",
  "input_data_format",
  "return_tensors",
  "device",
  "disable_grouping",
  "default_to_square",
  "image_seq_length",
  "model_input_names",
  "transformers_version",
  "_valid_processor_keys",
];

const FLAGS = { do_resize: true, do_rescale: true, do_normalize: true, rescale_factor: 1 / 255 };
const HALF = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };

const CLIP: Fields = {
  ...FLAGS,
  size: { shortest_edge: 224 },
  resample: 3,
  do_center_crop: true,
  crop_size: { height: 224, width: 224 },
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
};
const SQUARE: Fields = { ...FLAGS, ...HALF, size: { height: 224, width: 224 }, do_center_crop: false };
/** LLaVA-1.6's sizes for tiles of a side, each `[height, width]`. */
export function defaultPinpoints(side: number): readonly (readonly [height: number, width: number])[] {
  return [
    [side, 2 * side],
    [2 * side, side],
    [2 * side, 2 * side],
    [3 * side, side],
    [side, 3 * side],
  ];
}

/** Defaults of the classes in transformers 5.23. */
const TYPES: Readonly<Record<string, Omit<ProcessorDefaults, "type">>> = {
  CLIPImageProcessor: { fields: CLIP, squareNumber: false, padsToSquare: false, tiles: false },
  BitImageProcessor: { fields: CLIP, squareNumber: false, padsToSquare: false, tiles: false },
  SiglipImageProcessor: {
    fields: { ...SQUARE, resample: 3 },
    squareNumber: false,
    padsToSquare: false,
    tiles: false,
  },
  ViTImageProcessor: {
    fields: { ...SQUARE, resample: 2 },
    squareNumber: true,
    padsToSquare: false,
    tiles: false,
  },
  LlavaImageProcessor: { fields: CLIP, squareNumber: false, padsToSquare: true, tiles: false },
  LlavaNextImageProcessor: {
    fields: { ...CLIP, image_grid_pinpoints: defaultPinpoints(336) },
    squareNumber: false,
    padsToSquare: false,
    tiles: true,
  },
};

/**
 * Defaults of the type that a file names; the classes of older and faster variants count as the same.
 *
 * @throws `BasicError` `E_CONFIG` for a type that is not known.
 */
export function describeDefaults(fields: Fields): ProcessorDefaults {
  const named = fields["image_processor_type"] ?? fields["feature_extractor_type"];
  if (named === undefined || named === null) {
    const own = { ...FLAGS, do_center_crop: false };
    return { type: "image_processor_type", fields: own, padsToSquare: true, tiles: false };
  }
  const type = String(named)
    .replace(/FeatureExtractor$/, "ImageProcessor")
    .replace(/(Fast|Pil)$/, "");
  const defaults = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  if (defaults === undefined) throw unknownType(String(named), type);
  const square = fields["default_to_square"];
  return { type, ...defaults, ...(typeof square === "boolean" && { squareNumber: square }) };
}

function unknownType(named: string, type: string): BasicError {
  const naflex = type === "Siglip2ImageProcessor";
  return new BasicError(
    "E_CONFIG",
    `preprocessor_config.json: \`image_processor_type\` must be ${Object.keys(TYPES).join(", ")}, got "${named}". ` +
      (naflex
        ? "That is SigLIP2's NaFlex variant, whose sizes differ from picture to picture; use a checkpoint of fixed resolution, such as siglip2-base-patch16-224."
        : "If it works as one of them, write that name into the file; else prepare the images yourself and hand them over as an ImageBatch."),
  );
}
