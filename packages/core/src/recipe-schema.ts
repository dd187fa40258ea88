import { z } from "zod";

import { stageOf } from "./recipe-stage-schema.js";

/** A part that a registry knows: its name alone, or with options. */
const component = z
  .union([
    z.string().min(1),
    z.strictObject({
      name: z.string().min(1).describe("Name in the registry, or a folder with weights."),
      options: z.record(z.string(), z.unknown()).default({}).describe("Options that the part itself checks."),
    }),
  ])
  .transform((value) => (typeof value === "string" ? { name: value, options: {} } : value));

const source = z
  .union([
    z.string().min(1),
    z.strictObject({
      file: z.string().min(1).describe("LLaVA JSON, or the name of a set that the builder makes."),
      images: z.string().optional().describe("Folder of the pictures. Default: the folder of the file."),
      limit: z.int().positive().optional().describe("Use the first n samples only."),
    }),
  ])
  .transform((value) => (typeof value === "string" ? { file: value } : value));

// Absent by default, as are its fields: recipes and runs from before it stay as they are.
const decode = z
  .strictObject({
    background: z
      .literal("white")
      .optional()
      .describe("What stands behind transparent pixels. Default: transparency is dropped."),
    pixelLimit: z
      .int()
      .positive()
      .optional()
      .describe("Largest number of pixels of a picture. Default: 178956970, as Pillow's."),
    svg: z.boolean().optional().describe("Whether SVG drawings are read. Default: they are refused."),
  })
  .optional()
  .describe("How picture files become pixels.");

// Absent by default: recipes and runs from before it stay as they are.
const workers = z
  .int()
  .nonnegative()
  .max(64)
  .optional()
  .describe(
    "Threads that decode and resize pictures; those of the kernels are so many fewer meanwhile. Results do not depend on it. Default: 0, the main thread does.",
  );

const data = z.strictObject({
  folder: z
    .string()
    .optional()
    .describe(
      "Where sets are looked for or built. Default: the cache for built sets, else the current folder.",
    ),
  builder: component.optional().describe("Makes the data on first use, for example scenes."),
  train: z
    .record(z.string(), source)
    .describe("Training sets by name; a stage uses the one of its own name."),
  evaluation: z.record(z.string(), source).default({}).describe("Evaluation sets by name."),
  onImageError: z
    .enum(["error", "skip-and-count"])
    .default("error")
    .describe("What a missing or broken picture does."),
  decode,
  workers,
});

const features = z.strictObject({
  cache: z
    .boolean()
    .default(true)
    .describe("Keep the features of a frozen encoder on disk; false encodes pictures again in every step."),
  standardise: z.boolean().default(false).describe("Scale each feature channel to mean 0 and deviation 1."),
});

const supervision = z.strictObject({
  depth: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe("k: supervised shallow blocks. null: half of the language model's blocks."),
  layerWeights: z
    .enum(["increasing", "constant", "decreasing"])
    .default("increasing")
    .describe("w_i: weights of the blocks in the refined embeddings."),
  normalise: z
    .enum(["none", "sum", "mean", "uniform"])
    .default("none")
    .describe("How patch weights a_j are scaled."),
  stopGradient: z.boolean().default(true).describe("Whether the refined embeddings are constants."),
  vocabulary: z.enum(["input", "head"]).default("input").describe("E: input embedding table or LM head."),
});

const evaluation = z.strictObject({
  sets: z.array(z.string()).optional().describe("Evaluation sets to use. Default: all of `data.evaluation`."),
  batchSize: z.int().positive().default(32).describe("Samples at a time."),
  limit: z
    .int()
    .positive()
    .optional()
    .describe(
      "Use the first n pictures of each set only, with all their questions. A sample without one counts as one.",
    ),
  duringTraining: z
    .int()
    .positive()
    .optional()
    .describe("The same for the first evaluation set while training goes on. Default: all pictures."),
  blind: z
    .boolean()
    .default(false)
    .describe("Also train and measure on the words alone, without pictures, as a baseline."),
  analysis: z.boolean().default(true).describe("Also match tokens, and replace embeddings by their match."),
});

/** JavaScript puts keys that look like whole numbers first, whatever their order in the file. */
const stageName = z.string().regex(/^[a-zA-Z]/, "a stage's name begins with a letter");

const stagesOf = (mainLoss: string) =>
  z.record(stageName, stageOf(mainLoss)).describe("What trains, one stage after the other.");

const common = {
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]*$/, "use lower-case letters, digits, '.' and '-'")
    .describe("Name of the recipe and of its run folders."),
  description: z.string().default("").describe("One sentence for lists."),
  seed: z.int().nonnegative().default(0).describe("All randomness comes from it."),
  backend: z
    .string()
    .regex(/^(tfjs:)?[a-z][a-z0-9-]*$/, "use one backend name such as cpu or tfjs:wasm")
    .default("cpu")
    .describe("Device to run on. Fails when it cannot start; never falls back."),
  fallback: z
    .enum(["error", "reference"])
    .default("error")
    .describe("What to do where the backend has no body for a kernel: stop, or run the slow composition."),
  // Absent and not f32 by default: recipes and runs from before it stay as they are.
  precision: z
    .enum(["f32", "tf32", "bf16"])
    .optional()
    .describe(
      "Matrix products: of operands as they are, or rounded to TF32 (cuda alone) or bfloat16, and summed in float32; in bf16 cuda keeps activations in bfloat16, too. Default: the backend's.",
    ),
  plugins: z
    .array(z.string().min(1))
    .default([])
    .describe(
      "Packages or files to import first: they define parts. Looked for from the recipe's folder on.",
    ),
  data: data.describe("Where samples come from."),
  evaluation: evaluation.prefault({}).describe("How the result is measured."),
};

// Absent and not false by default: recipes and runs from before it stay as they are.
const recompute = z
  .boolean()
  .optional()
  .describe(
    "Run each block of the language model again in its gradient: less memory, more time, the same bits.",
  );

// Absent by default: recipes and runs from before them stay as they are.
const imageAspectRatio = z
  .enum(["square", "pad", "anyres"])
  .optional()
  .describe(
    "How pictures that are not square reach the encoder: resized (square), on a square of the mean colour (pad), or whole and cut into tiles (anyres, LLaVA-1.6). Default: as the encoder's own file says.",
  );
const imageGridPinpoints = z
  .array(z.tuple([z.int().positive(), z.int().positive()]))
  .min(1)
  .optional()
  .describe(
    "anyres: sizes [height, width] in pixels that pictures are brought to, multiples of the encoder's. Default: 1 x 2, 2 x 1, 2 x 2, 3 x 1 and 1 x 3 of them, as LLaVA-1.6.",
  );

/** A projector, and where its first values come from. */
const projector = z
  .union([
    z.string().min(1),
    z.strictObject({
      name: z.string().min(1).describe("Name in the registry."),
      options: z.record(z.string(), z.unknown()).default({}).describe("Options that the part itself checks."),
      from: z
        .string()
        .min(1)
        .optional()
        .describe("Start from a trained projector: its mm_projector.safetensors, or the run that wrote one."),
    }),
  ])
  .transform((value) => (typeof value === "string" ? { name: value, options: {} } : value));

// Absent by default: recipes and runs from before it stay as they are.
const lora = z
  .strictObject({
    rank: z.int().positive().describe("r: width of the two thin products."),
    alpha: z.number().positive().describe("The update is scaled by alpha / rank."),
    dropout: z
      .number()
      .min(0)
      .lt(1)
      .default(0)
      .describe("Share of their input that the thin products do not see while training."),
    targets: z
      .union([z.literal("all-linear"), z.array(z.string().min(1)).min(1)])
      .default("all-linear")
      .describe("Products with an adapter: ends of names (q_proj), patterns (*.mlp.*), or all-linear."),
    rankStabilised: z.boolean().default(false).describe("Scale by alpha / √rank instead (rsLoRA)."),
    from: z
      .string()
      .min(1)
      .optional()
      .describe("Start from a trained adapter: a folder of PEFT's, of the same rank and targets."),
  })
  .optional()
  .describe("Low-rank adapters of the language model: the parameter group lora. Absent: none.");

/** A multimodal LLM: encoder, projector, language model, visual losses. */
export const vlmSchema = z.strictObject({
  task: z.literal("vlm").default("vlm").describe("A multimodal LLM."),
  ...common,
  model: z
    .strictObject({
      vision: component.describe("Vision encoder."),
      imageAspectRatio,
      imageGridPinpoints,
      visionLayer: z.int().default(-2).describe("Block whose output is used; negative counts from the end."),
      projector: projector.prefault("mlp2x_gelu").describe("From features to visual embeddings."),
      projectorInit: z
        .enum(["default", "match-vocabulary"])
        .default("default")
        .describe("First values: as made, or scaled so that mean |v| = mean |E| on the first batch."),
      language: component.describe("Language model."),
      lora,
      recompute,
      tokenizer: component.optional().describe("Default: the language model's own."),
    })
    .describe("What is trained."),
  stages: stagesOf("language"),
  features: features.prefault({}).describe("Features of the frozen encoder."),
  supervision: supervision.prefault({}).describe("BASIC's supervision of visual embeddings."),
});

/** Pretraining of a language model. */
export const languageSchema = z.strictObject({
  task: z.literal("language").describe("A language model from text."),
  ...common,
  model: z
    .strictObject({
      language: component.describe("Language model."),
      recompute,
      tokenizer: component.describe("Words or pieces of the language model."),
    })
    .describe("What is trained."),
  stages: stagesOf("language"),
});

/** Contrastive pretraining of a vision encoder on regions and texts. */
export const regionTextSchema = z.strictObject({
  task: z.literal("region-text").describe("A vision encoder from picture regions and their texts."),
  ...common,
  model: z
    .strictObject({
      vision: component.describe("Vision encoder."),
    })
    .describe("What is trained."),
  stages: stagesOf("contrastive"),
  contrastive: z
    .strictObject({
      regions: z.int().positive().default(2).describe("Regions along each side of a picture."),
      labelSmoothing: z
        .number()
        .min(0)
        .lt(1)
        .default(0.05)
        .describe("Share of the target spread over all texts."),
      scale: z.number().positive().default(10).describe("Similarity scale at the start; it is learned."),
      tagDrop: z.number().min(0).lt(1).default(0.3).describe("Share of a text's tags left out at random."),
      jitter: z
        .number()
        .min(0)
        .max(0.5)
        .default(0.2)
        .describe("Random change of contrast, brightness and tint. 0.2: contrast 0.75 to 1.2; 0: none."),
    })
    .prefault({})
    .describe("The contrastive loss."),
});
