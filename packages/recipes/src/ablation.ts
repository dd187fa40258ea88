import type { LossWeight } from "@basic-mllm/core";

/** λ by stage and loss name, as a recipe writes them. */
export type StageLosses = Readonly<Record<string, Readonly<Record<string, LossInput>>>>;
/** λ alone, or with start, ramp and options. */
export type LossInput = number | Partial<LossWeight>;

/** One variant of an ablation: λ per stage, or other recipe fields as `path=value`. */
export interface Variant {
  readonly name: string;
  readonly description: string;
  readonly losses?: StageLosses;
  /** Overrides as `--set` takes them. */
  readonly set?: readonly string[];
}

const both = { direction: 1, distribution: 0.01 };

function everywhere(losses: Readonly<Record<string, LossInput>>): StageLosses {
  return { align: losses, finetune: losses };
}

/** What `ablate --losses` may name. λ are the paper's where the paper has them. */
export const lossVariants: readonly Variant[] = [
  { name: "none", description: "language loss alone: LLaVA", losses: everywhere({}) },
  { name: "das", description: "direction, λ 1", losses: everywhere({ direction: 1 }) },
  { name: "das-weak", description: "direction, λ 0.05", losses: everywhere({ direction: 0.05 }) },
  { name: "sds", description: "distribution, λ 0.01", losses: everywhere({ distribution: 0.01 }) },
  { name: "both", description: "BASIC as in the paper", losses: everywhere(both) },
  {
    name: "both-finetune-only",
    description: "BASIC in the second stage only",
    losses: { align: {}, finetune: both },
  },
  {
    name: "das-nce",
    description: "contrastive direction, weight 0.1",
    losses: everywhere({ "das-nce": 0.1 }),
  },
  { name: "emu-l2", description: "next visual embedding, L2 (Emu)", losses: everywhere({ "emu-l2": 1 }) },
  { name: "vw-kl", description: "next visual word, KL (VW-LMM)", losses: everywhere({ "vw-kl": 1 }) },
  {
    name: "viral-cos",
    description: "features at the middle block (VIRAL)",
    losses: everywhere({ "viral-cos": 0.5 }),
  },
  {
    name: "viral-gram",
    description: "feature similarities at the middle block",
    losses: everywhere({ "viral-gram": 0.5 }),
  },
  {
    name: "smooth-l1",
    description: "Huber distance to the refined embedding",
    losses: everywhere({ "smooth-l1": 1 }),
  },
];

const scheme = (name: string): Variant => ({
  name,
  description: `w_i ${name}`,
  losses: everywhere(both),
  set: [`supervision.layerWeights=${name}`],
});

const weights = (name: string): Variant => ({
  name,
  description: `a_j ${name}`,
  losses: everywhere(both),
  set: [`supervision.normalise=${name}`],
});

/** The tables of the paper, as presets of `ablate`. */
export const presets: Readonly<Record<string, readonly Variant[]>> = {
  "paper:losses": lossVariants.filter(({ name }) => ["none", "das", "sds", "both"].includes(name)),
  "paper:layer-weights": ["decreasing", "constant", "increasing"].map(scheme),
  "paper:patch-weights": ["uniform", "none"].map(weights),
};
