import { KernelCase, Attributes, KernelContract, Tolerance, InputSpec, VisionEncoder, LanguageModel, LossContext, VisualLoss, ProjectorContext, Projector } from '@basic-mllm/core';
import * as tf from '@tensorflow/tfjs-core';

/** A case of any contract. */
type AnyCase = KernelCase<string, Attributes>;
/**
 * Runs one case on the current backend: outputs, gradient by our reverse pass (all inputs, and the first one alone),
 * gradient by tfjs's own, leaks.
 *
 * The gradient is that of `Σ output₀ · cotangent`: the first output is the one that carries a gradient.
 *
 * @returns One line per failure; empty when all is well.
 */
declare function checkCase(contract: KernelContract, testCase: AnyCase, factor?: number): Promise<string[]>;

/** Where two arrays differ the most, against what is allowed. */
interface Difference {
    readonly index: number;
    readonly actual: number;
    readonly expected: number;
    /** Infinite where one of the two is not finite. */
    readonly difference: number;
    readonly limit: number;
}
/**
 * The worst difference above `absolute + relative · max|expected|`, or undefined.
 *
 * NaN equals NaN and an infinity equals itself.
 */
declare function worstDifference(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: Tolerance): Difference | undefined;
/** One line for a report, or undefined when the arrays agree. */
declare function describeDifference(label: string, difference: Difference | undefined): string | undefined;

/** A case that a backend is known to fail. Kept honest: a gap that passes again fails the run. */
interface KnownGap {
    /** Name of the contract: `BasicAttention`. */
    readonly contract: string;
    /** Title of the case. */
    readonly title: string;
    readonly reason: string;
    readonly issue: `#${number}`;
}
/** A backend and what it has to pass. */
interface ConformanceOptions {
    /** Its name in tfjs's registry, under which it must run once `start` is done. */
    readonly backend: string;
    /** Starts it. A device that does not start is a failure, never a skip. */
    readonly start: () => Promise<unknown>;
    /** Default: every contract of core. */
    readonly contracts?: readonly KernelContract[];
    readonly knownGaps?: readonly KnownGap[];
    /** Factor on every tolerance, for devices with looser arithmetic; say where it comes from. Default 1. */
    readonly toleranceFactor?: number;
    /** What the device is called in the report. Default: the backend's name. */
    readonly device?: () => string;
}
/** One case that did not go as it should. */
interface ConformanceFailure {
    readonly contract: string;
    readonly title: string;
    /** One line per failed check; for a gap that passes again, one line that says so. */
    readonly messages: readonly string[];
}
/** Counts of a run: `cases` = `passed` + `failed` + `gaps`. */
interface ConformanceResult {
    readonly backend: string;
    readonly device: string;
    /** Contracts that were run. */
    readonly contracts: number;
    readonly cases: number;
    readonly passed: number;
    readonly failed: number;
    readonly gaps: number;
    readonly failures: readonly ConformanceFailure[];
}
/** A case with its contract and, if it is known to fail, its gap. */
interface PlannedCase {
    readonly contract: KernelContract;
    readonly testCase: AnyCase;
    readonly gap: KnownGap | undefined;
}
/**
 * Every case of every contract.
 *
 * @throws BasicError `E_NAME_UNKNOWN` for a gap that names no case.
 */
declare function planCases(options: ConformanceOptions): readonly PlannedCase[];
/** Runs one planned case: its failures, where a known gap must have some. */
declare function runPlannedCase({ contract, testCase, gap }: PlannedCase, toleranceFactor?: number): Promise<readonly string[]>;
/** Runs every case of every contract, forward and gradient, on one backend. Needs no test runner. */
declare function runConformance(options: ConformanceOptions): Promise<ConformanceResult>;

/**
 * Runs `compute` in double precision: the oracle that float32 backends are compared with.
 *
 * The stock cpu kernels compute in JavaScript numbers and round only when they store, in arrays that they make with
 * the global `Float32Array`. During the call that global is `Float64Array`, the current backend is one of its own,
 * and contracts run their references. Everything is put back afterwards, also when `compute` throws.
 *
 * @param compute - Synchronous. Makes its tensors itself (float32 tensors of another backend would be moved for good)
 *   and returns those whose values are wanted; they are disposed, like everything else that was made in between.
 * @returns The values of the tensors, row-major.
 */
declare function inFloat64(compute: () => readonly tf.Tensor[]): Float64Array[];

/** Values of one tensor on the host. */
interface HostTensor {
    readonly shape: readonly number[];
    /** Row-major; exact in float32. */
    readonly values: readonly number[];
    readonly dtype: "float32" | "int32";
}
/** Standard normal values times `scale`, rounded to float32, the same on every machine. */
declare function normalValues(size: number, seed: string, scale?: number): number[];
/** The values of a case's input: as given, or drawn by `seed`. */
declare function hostTensor(spec: InputSpec, seed: string): HostTensor;

/**
 * Which rows of an image's embeddings a patch of the image reaches.
 *
 * - `"own"`: the rows whose cell of the output grid lies over the patch, all of them, and no other
 * - `"all"`: every row of the image; the only answer where rows are no grid
 * - `{ reach }`: rows up to that many cells away as well, and no other. Of those at least one changes.
 * - `{ reach, faint: true }`: every row may change (a mean over the image takes part), but those in reach more than the
 *   others, on the average and at most
 */
type Regions = "own" | "all" | {
    readonly reach: number;
    readonly faint?: boolean;
};

/** Name of {@link startReferenceBackend} in tfjs's registry. */
declare const REFERENCE_BACKEND = "reference";
/**
 * Makes a backend current that implements every contract by its own reference: slow, and right.
 *
 * Unlike `setFallback("reference")`, which differentiates the stock ops of a reference, it runs the contracts'
 * gradients and backward contracts. Tests of models and losses that are about kernels use it.
 *
 * @param contracts - Default: every contract of core.
 * @returns The name of the backend.
 */
declare function startReferenceBackend(contracts?: readonly KernelContract<string, Readonly<Record<string, string | number | boolean | Int32Array<ArrayBufferLike> | Float32Array<ArrayBufferLike> | Float64Array<ArrayBufferLike>>>>[]): Promise<string>;
/** Registers the contract's reference as its body on `backend`. */
declare function implementByReference(contract: KernelContract, backend: string): void;

/**
 * A vitest suite that makes a backend "supported": one test per case of each contract, forward and gradient.
 *
 * The device must start, and a known gap that passes again fails.
 */
declare function testBackend(options: ConformanceOptions & {
    readonly stop?: () => void;
}): void;

/** What {@link testEncoder} needs to know of a vision encoder. */
interface EncoderSuite {
    readonly name: string;
    /** Makes a small one: every parameter is perturbed in double precision. */
    readonly create: () => VisionEncoder;
    /** Starts the backend; default: stock cpu with the references. */
    readonly start?: () => Promise<unknown>;
}
/** A vitest suite for a vision encoder: shapes, gradient (by finite differences), save and load, leaks. */
declare function testEncoder({ name, create, start }: EncoderSuite): void;

/** What {@link testLanguageModel} needs to know of a language model. */
interface LanguageModelSuite {
    readonly name: string;
    /** Makes a small one: every parameter is perturbed in double precision. At least 8 tokens. */
    readonly create: () => LanguageModel;
    /** Starts the backend; default: stock cpu with the references. */
    readonly start?: () => Promise<unknown>;
}
/**
 * A vitest suite for a language model: shapes, samples that do not see each other or what comes later, generation with
 * a cache of one sample and of several, observed rows, gradient (by finite differences), save and load, leaks.
 */
declare function testLanguageModel({ name, create, start }: LanguageModelSuite): void;

/** Fields of a view through which a gradient may flow. */
type LossField = "initial" | "refined" | "hidden" | "block";
/** What {@link testLoss} needs to know of a loss. */
interface LossSuite {
    readonly name: string;
    /** The factory that a registry would call. */
    readonly create: (context: LossContext) => VisualLoss;
    /** Options of the factory. */
    readonly options?: LossContext["options"];
    /** Fields that get a gradient; the others must get none. Default: `initial` alone. */
    readonly gradientsTo?: readonly LossField[];
    /** Whether the loss of two samples is the sum of their losses. Default true. */
    readonly addsUp?: boolean;
    /** Starts the backend; default: stock cpu with the references. */
    readonly start?: () => Promise<unknown>;
}
/** A vitest suite for a visual loss: value, gradient (checked by finite differences), samples, leaks. */
declare function testLoss(suite: LossSuite): void;

/** What {@link testProjector} needs to know of a projector. */
interface ProjectorSuite {
    readonly name: string;
    /** The factory that a registry would call. */
    readonly create: (context: ProjectorContext) => Projector;
    /** Options of the factory. */
    readonly options?: ProjectorContext["options"];
    /** Width of the features. Default 6. */
    readonly features?: number;
    /** Width of the LLM. Default 8. */
    readonly width?: number;
    /** Patches of the two images that are projected. Default 4 x 4 and 2 x 4. */
    readonly grids?: readonly [readonly [number, number], readonly [number, number]];
    /** Which rows a patch reaches. Default: its own where rows are a grid, else all of the image. */
    readonly regions?: Regions;
    /** Starts the backend; default: stock cpu with the references. */
    readonly start?: () => Promise<unknown>;
}
/**
 * A vitest suite for a projector: shapes, which rows belong to which patches, gradient (by finite differences), save and
 * load, leaks.
 */
declare function testProjector(suite: ProjectorSuite): void;

export { type AnyCase, type ConformanceFailure, type ConformanceOptions, type ConformanceResult, type Difference, type EncoderSuite, type HostTensor, type KnownGap, type LanguageModelSuite, type LossField, type LossSuite, type PlannedCase, type ProjectorSuite, REFERENCE_BACKEND, type Regions, checkCase, describeDifference, hostTensor, implementByReference, inFloat64, normalValues, planCases, runConformance, runPlannedCase, startReferenceBackend, testBackend, testEncoder, testLanguageModel, testLoss, testProjector, worstDifference };
