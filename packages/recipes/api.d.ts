import { LossWeight, Recipe } from '@basic-mllm/core';

/** λ by stage and loss name, as a recipe writes them. */
type StageLosses = Readonly<Record<string, Readonly<Record<string, LossInput>>>>;
/** λ alone, or with start, ramp and options. */
type LossInput = number | Partial<LossWeight>;
/** One variant of an ablation: λ per stage, or other recipe fields as `path=value`. */
interface Variant {
    readonly name: string;
    readonly description: string;
    readonly losses?: StageLosses;
    /** Overrides as `--set` takes them. */
    readonly set?: readonly string[];
}
/** What `ablate --losses` may name. λ are the paper's where the paper has them. */
declare const lossVariants: readonly Variant[];
/** The tables of the paper, as presets of `ablate`. */
declare const presets: Readonly<Record<string, readonly Variant[]>>;

/**
 * The main job: a frozen 64 px encoder, a projector and a small Llama learn to describe pictures drawn by five teams of
 * artists, and are tested on a sixth that they have never seen.
 */
declare const quickstart: {
    model: {
        vision: {
            name: string;
            options: Record<string, unknown>;
        };
        visionLayer: number;
        projector: {
            name: string;
            options: Record<string, unknown>;
            from?: string | undefined;
        };
        projectorInit: "default" | "match-vocabulary";
        language: {
            name: string;
            options: Record<string, unknown>;
        };
        imageAspectRatio?: "square" | "pad" | "anyres" | undefined;
        imageGridPinpoints?: [number, number][] | undefined;
        lora?: {
            rank: number;
            alpha: number;
            dropout: number;
            targets: string[] | "all-linear";
            rankStabilised: boolean;
            from?: string | undefined;
        } | undefined;
        recompute?: boolean | undefined;
        tokenizer?: {
            name: string;
            options: Record<string, unknown>;
        } | undefined;
    };
    stages: Record<string, {
        train: string[];
        template: string;
        steps: number | {
            epochs: number;
        };
        batchSize: number;
        accumulate: number;
        rowBudget: number;
        learningRate: number | Record<string, number>;
        schedule: {
            kind: "cosine" | "linear" | "constant";
            floor: number;
        };
        warmup: number | {
            ratio: number;
        };
        betas: [number, number];
        epsilon: number;
        weightDecay: number | Record<string, number>;
        shuffle: boolean;
        maxNorm: number;
        losses: {
            [x: string]: {
                weight: number;
                start: number;
                ramp: number;
                options: Record<string, unknown>;
            } | {
                weight: number;
                start: number;
                ramp: number;
                options: {};
            };
        };
        lossReduction: "global" | "mean-of-means";
        evaluateEvery: number;
        checkpointEvery: number;
        logEvery: number;
        data?: string | undefined;
        moments?: "float32" | "bfloat16" | "int8" | undefined;
        grouping?: "none" | "modality-length" | undefined;
        packing?: "none" | "rows" | undefined;
        prefetch?: number | undefined;
    }>;
    features: {
        cache: boolean;
        standardise: boolean;
    };
    supervision: {
        depth: number | null;
        layerWeights: "constant" | "increasing" | "decreasing";
        normalise: "none" | "sum" | "mean" | "uniform";
        stopGradient: boolean;
        vocabulary: "input" | "head";
    };
    name: string;
    description: string;
    seed: number;
    backend: string;
    fallback: "error" | "reference";
    plugins: string[];
    data: {
        train: Record<string, {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>;
        evaluation: Record<string, {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>;
        onImageError: "error" | "skip-and-count";
        folder?: string | undefined;
        builder?: {
            name: string;
            options: Record<string, unknown>;
        } | undefined;
        decode?: {
            background?: "white" | undefined;
            pixelLimit?: number | undefined;
            svg?: boolean | undefined;
        } | undefined;
        workers?: number | undefined;
    };
    evaluation: {
        batchSize: number;
        blind: boolean;
        analysis: boolean;
        sets?: string[] | undefined;
        limit?: number | undefined;
        duringTraining?: number | undefined;
    };
    task: "vlm";
    precision?: "f32" | "tf32" | "bf16" | undefined;
};

/** The quickstart at a sixth of its length: shows that everything works, in about a minute. */
declare const smoke: {
    model: {
        vision: {
            name: string;
            options: Record<string, unknown>;
        };
        visionLayer: number;
        projector: {
            name: string;
            options: Record<string, unknown>;
            from?: string | undefined;
        };
        projectorInit: "default" | "match-vocabulary";
        language: {
            name: string;
            options: Record<string, unknown>;
        };
        imageAspectRatio?: "square" | "pad" | "anyres" | undefined;
        imageGridPinpoints?: [number, number][] | undefined;
        lora?: {
            rank: number;
            alpha: number;
            dropout: number;
            targets: string[] | "all-linear";
            rankStabilised: boolean;
            from?: string | undefined;
        } | undefined;
        recompute?: boolean | undefined;
        tokenizer?: {
            name: string;
            options: Record<string, unknown>;
        } | undefined;
    };
    stages: Record<string, {
        train: string[];
        template: string;
        steps: number | {
            epochs: number;
        };
        batchSize: number;
        accumulate: number;
        rowBudget: number;
        learningRate: number | Record<string, number>;
        schedule: {
            kind: "cosine" | "linear" | "constant";
            floor: number;
        };
        warmup: number | {
            ratio: number;
        };
        betas: [number, number];
        epsilon: number;
        weightDecay: number | Record<string, number>;
        shuffle: boolean;
        maxNorm: number;
        losses: {
            [x: string]: {
                weight: number;
                start: number;
                ramp: number;
                options: Record<string, unknown>;
            } | {
                weight: number;
                start: number;
                ramp: number;
                options: {};
            };
        };
        lossReduction: "global" | "mean-of-means";
        evaluateEvery: number;
        checkpointEvery: number;
        logEvery: number;
        data?: string | undefined;
        moments?: "float32" | "bfloat16" | "int8" | undefined;
        grouping?: "none" | "modality-length" | undefined;
        packing?: "none" | "rows" | undefined;
        prefetch?: number | undefined;
    }>;
    features: {
        cache: boolean;
        standardise: boolean;
    };
    supervision: {
        depth: number | null;
        layerWeights: "constant" | "increasing" | "decreasing";
        normalise: "none" | "sum" | "mean" | "uniform";
        stopGradient: boolean;
        vocabulary: "input" | "head";
    };
    name: string;
    description: string;
    seed: number;
    backend: string;
    fallback: "error" | "reference";
    plugins: string[];
    data: {
        train: Record<string, {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>;
        evaluation: Record<string, {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>;
        onImageError: "error" | "skip-and-count";
        folder?: string | undefined;
        builder?: {
            name: string;
            options: Record<string, unknown>;
        } | undefined;
        decode?: {
            background?: "white" | undefined;
            pixelLimit?: number | undefined;
            svg?: boolean | undefined;
        } | undefined;
        workers?: number | undefined;
    };
    evaluation: {
        batchSize: number;
        blind: boolean;
        analysis: boolean;
        sets?: string[] | undefined;
        limit?: number | undefined;
        duringTraining?: number | undefined;
    };
    task: "vlm";
    precision?: "f32" | "tf32" | "bf16" | undefined;
};

/** The file that the recipe `smollm2` reads; `node scripts/fetch-gguf.mjs` puts it into `.cache/gguf` of a clone. */
declare const SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf";
/**
 * A pretrained language model of 135 M parameters learns to see: its projector first, then adapters of rank 16 beside
 * it. Pictures and encoder are those of quickstart.
 */
declare const smollm2: {
    model: {
        vision: {
            name: string;
            options: Record<string, unknown>;
        };
        visionLayer: number;
        projector: {
            name: string;
            options: Record<string, unknown>;
            from?: string | undefined;
        };
        projectorInit: "default" | "match-vocabulary";
        language: {
            name: string;
            options: Record<string, unknown>;
        };
        imageAspectRatio?: "square" | "pad" | "anyres" | undefined;
        imageGridPinpoints?: [number, number][] | undefined;
        lora?: {
            rank: number;
            alpha: number;
            dropout: number;
            targets: string[] | "all-linear";
            rankStabilised: boolean;
            from?: string | undefined;
        } | undefined;
        recompute?: boolean | undefined;
        tokenizer?: {
            name: string;
            options: Record<string, unknown>;
        } | undefined;
    };
    stages: Record<string, {
        train: string[];
        template: string;
        steps: number | {
            epochs: number;
        };
        batchSize: number;
        accumulate: number;
        rowBudget: number;
        learningRate: number | Record<string, number>;
        schedule: {
            kind: "cosine" | "linear" | "constant";
            floor: number;
        };
        warmup: number | {
            ratio: number;
        };
        betas: [number, number];
        epsilon: number;
        weightDecay: number | Record<string, number>;
        shuffle: boolean;
        maxNorm: number;
        losses: {
            [x: string]: {
                weight: number;
                start: number;
                ramp: number;
                options: Record<string, unknown>;
            } | {
                weight: number;
                start: number;
                ramp: number;
                options: {};
            };
        };
        lossReduction: "global" | "mean-of-means";
        evaluateEvery: number;
        checkpointEvery: number;
        logEvery: number;
        data?: string | undefined;
        moments?: "float32" | "bfloat16" | "int8" | undefined;
        grouping?: "none" | "modality-length" | undefined;
        packing?: "none" | "rows" | undefined;
        prefetch?: number | undefined;
    }>;
    features: {
        cache: boolean;
        standardise: boolean;
    };
    supervision: {
        depth: number | null;
        layerWeights: "constant" | "increasing" | "decreasing";
        normalise: "none" | "sum" | "mean" | "uniform";
        stopGradient: boolean;
        vocabulary: "input" | "head";
    };
    name: string;
    description: string;
    seed: number;
    backend: string;
    fallback: "error" | "reference";
    plugins: string[];
    data: {
        train: Record<string, {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>;
        evaluation: Record<string, {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>;
        onImageError: "error" | "skip-and-count";
        folder?: string | undefined;
        builder?: {
            name: string;
            options: Record<string, unknown>;
        } | undefined;
        decode?: {
            background?: "white" | undefined;
            pixelLimit?: number | undefined;
            svg?: boolean | undefined;
        } | undefined;
        workers?: number | undefined;
    };
    evaluation: {
        batchSize: number;
        blind: boolean;
        analysis: boolean;
        sets?: string[] | undefined;
        limit?: number | undefined;
        duringTraining?: number | undefined;
    };
    task: "vlm";
    precision?: "f32" | "tf32" | "bf16" | undefined;
};

/** Shapes of the quickstart's models: a SigLIP encoder of 0.9 M parameters and a Llama of about 1.1 M. */
declare const TINY_ENCODER: {
    readonly model_type: "siglip_vision_model";
    readonly hidden_size: 128;
    readonly intermediate_size: 512;
    readonly num_hidden_layers: 4;
    readonly num_attention_heads: 4;
    readonly num_channels: 3;
    readonly image_size: 64;
    readonly patch_size: 16;
    readonly hidden_act: "gelu_pytorch_tanh";
    readonly layer_norm_eps: 0.000001;
};
/** The vocabulary size comes with the tokenizer. */
declare const TINY_LANGUAGE: {
    readonly model_type: "llama";
    readonly hidden_size: 128;
    readonly intermediate_size: 384;
    readonly num_hidden_layers: 4;
    readonly num_attention_heads: 4;
    readonly num_key_value_heads: 4;
    readonly max_position_embeddings: 256;
    readonly rms_norm_eps: 0.00001;
    readonly rope_theta: 10000;
    readonly hidden_act: "silu";
    readonly tie_word_embeddings: true;
};

/** Trains the quickstart's encoder: the mean of a quadrant's patches against the words of 594 concepts. */
declare const tinyEncoder: {
    model: {
        vision: {
            name: string;
            options: Record<string, unknown>;
        };
    };
    stages: Record<string, {
        train: string[];
        template: string;
        steps: number | {
            epochs: number;
        };
        batchSize: number;
        accumulate: number;
        rowBudget: number;
        learningRate: number | Record<string, number>;
        schedule: {
            kind: "cosine" | "linear" | "constant";
            floor: number;
        };
        warmup: number | {
            ratio: number;
        };
        betas: [number, number];
        epsilon: number;
        weightDecay: number | Record<string, number>;
        shuffle: boolean;
        maxNorm: number;
        losses: {
            [x: string]: {
                weight: number;
                start: number;
                ramp: number;
                options: Record<string, unknown>;
            } | {
                weight: number;
                start: number;
                ramp: number;
                options: {};
            };
        };
        lossReduction: "global" | "mean-of-means";
        evaluateEvery: number;
        checkpointEvery: number;
        logEvery: number;
        data?: string | undefined;
        moments?: "float32" | "bfloat16" | "int8" | undefined;
        grouping?: "none" | "modality-length" | undefined;
        packing?: "none" | "rows" | undefined;
        prefetch?: number | undefined;
    }>;
    contrastive: {
        regions: number;
        labelSmoothing: number;
        scale: number;
        tagDrop: number;
        jitter: number;
    };
    name: string;
    description: string;
    seed: number;
    backend: string;
    fallback: "error" | "reference";
    plugins: string[];
    data: {
        train: Record<string, {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>;
        evaluation: Record<string, {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>;
        onImageError: "error" | "skip-and-count";
        folder?: string | undefined;
        builder?: {
            name: string;
            options: Record<string, unknown>;
        } | undefined;
        decode?: {
            background?: "white" | undefined;
            pixelLimit?: number | undefined;
            svg?: boolean | undefined;
        } | undefined;
        workers?: number | undefined;
    };
    evaluation: {
        batchSize: number;
        blind: boolean;
        analysis: boolean;
        sets?: string[] | undefined;
        limit?: number | undefined;
        duringTraining?: number | undefined;
    };
    task: "region-text";
    precision?: "f32" | "tf32" | "bf16" | undefined;
};

/** Trains the quickstart's language model: scenes in words with questions, and definitions from the CLDR tags. */
declare const tinyLm: {
    model: {
        language: {
            name: string;
            options: Record<string, unknown>;
        };
        tokenizer: {
            name: string;
            options: Record<string, unknown>;
        };
        recompute?: boolean | undefined;
    };
    stages: Record<string, {
        train: string[];
        template: string;
        steps: number | {
            epochs: number;
        };
        batchSize: number;
        accumulate: number;
        rowBudget: number;
        learningRate: number | Record<string, number>;
        schedule: {
            kind: "cosine" | "linear" | "constant";
            floor: number;
        };
        warmup: number | {
            ratio: number;
        };
        betas: [number, number];
        epsilon: number;
        weightDecay: number | Record<string, number>;
        shuffle: boolean;
        maxNorm: number;
        losses: {
            [x: string]: {
                weight: number;
                start: number;
                ramp: number;
                options: Record<string, unknown>;
            } | {
                weight: number;
                start: number;
                ramp: number;
                options: {};
            };
        };
        lossReduction: "global" | "mean-of-means";
        evaluateEvery: number;
        checkpointEvery: number;
        logEvery: number;
        data?: string | undefined;
        moments?: "float32" | "bfloat16" | "int8" | undefined;
        grouping?: "none" | "modality-length" | undefined;
        packing?: "none" | "rows" | undefined;
        prefetch?: number | undefined;
    }>;
    name: string;
    description: string;
    seed: number;
    backend: string;
    fallback: "error" | "reference";
    plugins: string[];
    data: {
        train: Record<string, {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>;
        evaluation: Record<string, {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>;
        onImageError: "error" | "skip-and-count";
        folder?: string | undefined;
        builder?: {
            name: string;
            options: Record<string, unknown>;
        } | undefined;
        decode?: {
            background?: "white" | undefined;
            pixelLimit?: number | undefined;
            svg?: boolean | undefined;
        } | undefined;
        workers?: number | undefined;
    };
    evaluation: {
        batchSize: number;
        blind: boolean;
        analysis: boolean;
        sets?: string[] | undefined;
        limit?: number | undefined;
        duringTraining?: number | undefined;
    };
    task: "language";
    precision?: "f32" | "tf32" | "bf16" | undefined;
};

/** Every recipe that ships with the command line, by name. */
declare const recipes: Readonly<Record<string, Recipe>>;

export { type LossInput, SMOLLM2_FILE, type StageLosses, TINY_ENCODER, TINY_LANGUAGE, type Variant, lossVariants, presets, quickstart, recipes, smoke, smollm2, tinyEncoder, tinyLm };
