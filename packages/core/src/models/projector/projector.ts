import { z } from "zod";

import { BasicError } from "../../errors.js";
import { explainIssues } from "../../explain-issues.js";
import type { ValueSource } from "../../layers/builder.js";
import { didYouMean } from "../../nearest.js";
import type { ComponentOptions } from "../../registry.js";
import type { BuiltInProjector, ProjectorSetup } from "./built-in-projector.js";
import { type CAbstractorOptions, CAbstractorProjector, cAbstractorOptions } from "./c-abstractor.js";
import { LdpProjector, type Ldpv2Options, Ldpv2Projector, ldpOptions, ldpv2Options } from "./ldp.js";
import { type MlpName, type MlpOptions, MlpProjector, mlpWidths } from "./mlp.js";
import { type ResamplerOptions, ResamplerProjector, resamplerOptions } from "./resampler.js";
import { type VocabularyOptions, VocabularyProjector, vocabularyOptions } from "./vocabulary.js";

/** Options of {@link createProjector} for projectors that are products alone. */
export interface ProjectorOptions extends ProjectorSetup, MlpOptions {}

const mlpOptions = mlpSchema(z.number().positive(), z.int().positive());
/** What comes from files may be of any type; {@link MlpProjector} checks sizes, with messages of its own. */
const mlpTypes = mlpSchema(z.number(), z.number());

function mlpSchema(rms: z.ZodNumber, factor: z.ZodNumber) {
  const outputNorm = z.union([z.literal("none"), z.strictObject({ rms })]);
  return z.strictObject({ outputNorm, bias: z.boolean(), factor }).partial();
}

/** A kind of projector: its options, and how it is made of them. */
interface Kind {
  readonly options: z.ZodObject;
  readonly create: (setup: ProjectorSetup, options: ComponentOptions) => BuiltInProjector;
}

function kind<Schema extends z.ZodObject>(
  options: Schema,
  create: (setup: ProjectorSetup, options: z.output<Schema>) => BuiltInProjector,
): Kind {
  return { options, create: (setup, given) => create(setup, given as z.output<Schema>) };
}

const kinds: Readonly<Record<string, Kind>> = {
  ldp: kind(ldpOptions, (setup) => new LdpProjector(setup)),
  ldpv2: kind(ldpv2Options, (setup, options) => new Ldpv2Projector(setup, options)),
  "c-abstractor": kind(cAbstractorOptions, (setup, options) => new CAbstractorProjector(setup, options)),
  resampler: kind(resamplerOptions, (setup, options) => new ResamplerProjector(setup, options)),
  vocabulary: kind(vocabularyOptions, (setup, options) => new VocabularyProjector(setup, options)),
};

/** Names may come from files: "constructor" is none. */
function kindOf(name: string): Kind | undefined {
  return Object.hasOwn(kinds, name) ? kinds[name] : undefined;
}

/** Names of the built-in projectors; `mlpNx_gelu` stands for any N from 2. */
export const projectorNames: readonly string[] = [
  "identity",
  "linear",
  "mlp2x_gelu",
  "mlpNx_gelu",
  "gelu-mlp",
  "fused-gelu-mlp",
  "pixel-shuffle",
  ...Object.keys(kinds),
];

/**
 * Builds a projector by name.
 *
 * - `identity`, `linear`, `mlp2x_gelu` (any number of products: `mlp3x_gelu`): LLaVA's
 * - `gelu-mlp`, `fused-gelu-mlp`: Prismatic's, of two and of three products (arXiv:2402.07865)
 * - `pixel-shuffle`: nanoVLM's
 * - `ldp`, `ldpv2`: MobileVLM's; `c-abstractor`: Honeybee's; `resampler`: TinyLLaVA's; `vocabulary`: after LangBridge
 *
 * @param options - Where it stands, its first values, and its own options.
 * @throws {@link BasicError} `E_NAME_UNKNOWN`, or `E_CONFIG` where the options do not fit.
 */
export function createProjector(name: MlpName, options: ProjectorOptions): MlpProjector;
export function createProjector(name: "ldp", options: ProjectorSetup): LdpProjector;
export function createProjector(name: "ldpv2", options: ProjectorSetup & Ldpv2Options): Ldpv2Projector;
export function createProjector(
  name: "c-abstractor",
  options: ProjectorSetup & CAbstractorOptions,
): CAbstractorProjector;
export function createProjector(
  name: "resampler",
  options: ProjectorSetup & ResamplerOptions,
): ResamplerProjector;
export function createProjector(
  name: "vocabulary",
  options: ProjectorSetup & VocabularyOptions,
): VocabularyProjector;
export function createProjector(name: string, options: ProjectorSetup & ComponentOptions): BuiltInProjector;
export function createProjector(name: string, options: ProjectorSetup): BuiltInProjector {
  const { setup, own } = split(options);
  const widths = mlpWidths(name, setup);
  if (widths !== null) {
    const parsed = mlpTypes.safeParse(own);
    if (!parsed.success) throw invalid(name, own, parsed);
    return new MlpProjector(name, { ...setup, ...(own as MlpOptions) }, widths);
  }
  const found = kindOf(name);
  if (found === undefined) {
    throw new BasicError(
      "E_NAME_UNKNOWN",
      `createProjector: there is no projector "${name}".${didYouMean(name, projectorNames)} Known: ${projectorNames.join(", ")}.`,
    );
  }
  const parsed = found.options.safeParse(own);
  if (!parsed.success) throw invalid(name, own, parsed);
  return found.create(setup, parsed.data);
}

/** What is the same for all kinds, and the rest. */
function split(options: ProjectorSetup): { setup: ProjectorSetup; own: ComponentOptions } {
  const { features, width, patches, vocabularySize, seed, values, vocabulary, ...rest } = options;
  const setup = {
    features,
    width,
    ...(patches && { patches }),
    ...(vocabularySize !== undefined && { vocabularySize }),
    ...(seed !== undefined && { seed }),
    ...(values && { values }),
    ...(vocabulary && { vocabulary }),
  };
  return { setup, own: Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) };
}

function invalid(name: string, given: unknown, result: z.ZodSafeParseResult<unknown>): BasicError {
  return new BasicError("E_CONFIG", `createProjector: ${explain(name, given, result)}`);
}

/**
 * Checks the options of a projector of ours as a recipe gives them.
 *
 * @throws {@link BasicError} `E_RECIPE_INVALID`.
 */
export function checkProjectorOptions(name: string, options: ComponentOptions): void {
  const result = optionsOf(name).safeParse(options);
  if (result.success) return;
  throw new BasicError("E_RECIPE_INVALID", explain(name, options, result));
}

function optionsOf(name: string): z.ZodObject {
  return kindOf(name)?.options ?? mlpOptions;
}

function explain(name: string, given: unknown, result: z.ZodSafeParseResult<unknown>): string {
  const known = Object.keys(optionsOf(name).shape).join(", ") || "none";
  const issues = result.success ? "" : explainIssues(result.error, given);
  return `Options of the projector "${name}" are not valid.\n${issues}\nKnown: ${known}.`;
}

/**
 * The same projector with other values: all of them come from `values`.
 *
 * @param options - Changed ones.
 */
export function copyProjector(
  projector: BuiltInProjector,
  values: ValueSource,
  options: ComponentOptions = {},
): BuiltInProjector {
  return createProjector(projector.name, { ...projector.place, ...projector.options, ...options, values });
}
