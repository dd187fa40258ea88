import type * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "./errors.js";
import type { VisualLoss } from "./losses/visual-loss.js";
import type { FeatureSource, LanguageModel, Projector, VisionEncoder } from "./models/interfaces.js";
import { didYouMean } from "./nearest.js";
import type { Random } from "./random.js";

/** Options of a component as the recipe gives them. The component checks them. */
export type ComponentOptions = Readonly<Record<string, unknown>>;

/** Many names that follow a pattern. */
export interface NameFamily<Value> {
  /** For lists and messages: `mlpNx_gelu`. */
  readonly label: string;
  readonly pattern: RegExp;
  /** What a name of the family stands for. */
  make(name: string): Value;
}

/** Names of one kind, and what each stands for. */
export class Registry<Value> {
  readonly kind: string;
  readonly #values = new Map<string, Value>();
  readonly #families = new Map<string, NameFamily<Value>>();

  /** @param kind - Word for messages: `projector`, `loss`, ... */
  constructor(kind: string) {
    this.kind = kind;
  }

  /** @throws {@link BasicError} `E_NAME_DUPLICATE` where the name is taken. */
  define(name: string, value: Value): void {
    if (this.#values.has(name)) {
      throw new BasicError(
        "E_NAME_DUPLICATE",
        `There is already a ${this.kind} "${name}". Give yours another name.`,
      );
    }
    this.#values.set(name, value);
  }

  /** Takes all names of a pattern that are not defined one by one; a family of the same label is replaced. */
  defineFamily(family: NameFamily<Value>): void {
    this.#families.set(family.label, family);
  }

  /** @throws {@link BasicError} `E_NAME_UNKNOWN` with the nearest name. */
  get(name: string): Value {
    const value = this.#values.get(name) ?? this.#familyOf(name)?.make(name);
    if (value === undefined) {
      throw new BasicError(
        "E_NAME_UNKNOWN",
        `There is no ${this.kind} "${name}".${didYouMean(name, this.#values.keys())} ` +
          `Known: ${this.list().join(", ") || "none"}. Your own needs its package in the recipe's \`plugins\`.`,
      );
    }
    return value;
  }

  /** Whether the name is taken. */
  has(name: string): boolean {
    return this.#values.has(name) || this.#familyOf(name) !== undefined;
  }

  /** All names and labels of families, sorted. */
  list(): readonly string[] {
    return [...this.#values.keys(), ...this.#families.keys()].sort();
  }

  #familyOf(name: string): NameFamily<Value> | undefined {
    return [...this.#families.values()].find(({ pattern }) => pattern.test(name));
  }
}

/** What a projector is made from. */
export interface ProjectorContext {
  /** Width of the encoder's features. */
  readonly features: number;
  /** D: width of the language model. */
  readonly width: number;
  /** Rows and columns of patches that the encoder makes of each picture; absent where they differ or nobody knows. */
  readonly patches?: readonly [height: number, width: number];
  /** E `[V, D]`: the language model's embedding table. To be copied: it may train, and its tensor be replaced. */
  readonly vocabulary?: tf.Tensor2D;
  /** For the initial weights. */
  readonly random: Random;
  readonly options: ComponentOptions;
}

/** What an encoder or a language model is made from. */
export interface ModelContext {
  readonly random: Random;
  readonly options: ComponentOptions;
}

/** What a visual loss is made from. */
export interface LossContext {
  /** D: width of the language model. */
  readonly width: number;
  /** l: blocks of the language model. */
  readonly depth: number;
  /** Width of the encoder's features. */
  readonly features: number;
  readonly random: Random;
  readonly options: ComponentOptions;
}

/** Makes a projector for a recipe. */
export type ProjectorFactory = (context: ProjectorContext) => Projector;
/** Makes an encoder for a recipe: trainable, or any source of frozen features. */
export type EncoderFactory = (
  context: ModelContext,
) => VisionEncoder | FeatureSource | Promise<VisionEncoder | FeatureSource>;
/** Makes a language model for a recipe. */
export type LanguageModelFactory = (context: ModelContext) => LanguageModel | Promise<LanguageModel>;
/** Makes a visual loss for a recipe. */
export type LossFactory = (context: LossContext) => VisualLoss;

/** What a recipe's `model.projector` may name. */
export const projectors = new Registry<ProjectorFactory>("projector");
/** What a recipe's `model.vision` may name. */
export const encoders = new Registry<EncoderFactory>("vision encoder");
/** What a recipe's `model.language` may name. */
export const languageModels = new Registry<LanguageModelFactory>("language model");
/** What a stage's `losses` may name besides `language`. */
export const losses = new Registry<LossFactory>("loss");

/** Makes a projector available to recipes under a name. */
export function defineProjector(name: string, factory: ProjectorFactory): void {
  projectors.define(name, factory);
}

/** Makes a vision encoder available to recipes under a name. */
export function defineEncoder(name: string, factory: EncoderFactory): void {
  encoders.define(name, factory);
}

/** Makes a language model available to recipes under a name. */
export function defineLanguageModel(name: string, factory: LanguageModelFactory): void {
  languageModels.define(name, factory);
}

/** Makes a visual loss available to recipes under a name. */
export function defineLoss(name: string, factory: LossFactory): void {
  losses.define(name, factory);
}

/**
 * Imports the packages of a recipe's `plugins`, one after the other; each calls `define…` when it is loaded.
 *
 * @param importer - How to import; default `import()`. A host passes its own to resolve from its folder.
 * @throws {@link BasicError} `E_PLUGIN` where a package cannot be loaded.
 */
export async function loadPlugins(
  names: readonly string[],
  importer: (name: string) => Promise<unknown> = (name) => import(/* @vite-ignore */ name),
): Promise<void> {
  for (const name of names) {
    try {
      await importer(name);
    } catch (error) {
      throw new BasicError(
        "E_PLUGIN",
        `Plugin "${name}" could not be loaded: ${error instanceof Error ? error.message : String(error)}. ` +
          "Install it beside the recipe, or remove it from `plugins`.",
        { cause: error },
      );
    }
  }
}
