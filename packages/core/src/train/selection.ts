import { BasicError } from "../errors.js";
import { matchesGlob } from "../glob.js";
import { didYouMean } from "../nearest.js";
import { type Parameter, ParameterSet } from "../parameters.js";
import type { RecipeStage } from "../recipe.js";
import type { Groups } from "./checkpoint.js";

/** Weights of the losses themselves: they train whenever the projector does. */
const LOSS_GROUP = "losses";

/** `GROUP`, `GROUP.blocks[FROM:TO]`, `GROUP/GLOB`, or both after each other. */
const entryPattern = /^([^./[\]]+)(?:\.blocks\[(-?\d*):(-?\d*)\])?(?:\/(.+))?$/;
/** A block's number in the name of a parameter, whatever its model calls blocks. */
const blockPattern = /(?:^|\.)(?:layers?|blocks?|h)\.(\d+)\./;

interface Entry {
  readonly text: string;
  readonly group: string;
  /** As written: empty = to the end, negative = from the end. */
  readonly blocks: readonly [from: string, to: string] | null;
  readonly glob: string | null;
}

/** Parameters of one group that train with one learning rate. */
export interface Selected {
  /** The entry of `train` that chose them: key of learning rates and weight decays. */
  readonly entry: string;
  readonly group: string;
  readonly parameters: readonly Parameter[];
}

/** How much of a group a stage's `train` names. */
export type TrainedShare = "whole" | "part" | "none";

/** Whether a stage trains a group, by the words of its recipe alone. */
export function trainedShare({ train }: Pick<RecipeStage, "train">, group: string): TrainedShare {
  const entries = train.flatMap((text) => parseEntry(text) ?? []).filter((entry) => entry.group === group);
  if (entries.length === 0) return "none";
  return entries.some(({ blocks, glob }) => blocks === null && glob === null) ? "whole" : "part";
}

/** Why an entry of `train` cannot be read; null where it can. */
export function entryProblem(text: string): string | null {
  if (parseEntry(text) !== null) return null;
  return `"${text}" is no choice of parameters: write a group such as language, some of its blocks (language.blocks[12:]), or a pattern of names after a slash (language/*.mlp.*).`;
}

function parseEntry(text: string): Entry | null {
  const [, group, from, to, glob] = entryPattern.exec(text) ?? [];
  if (group === undefined) return null;
  const blocks = from === undefined || to === undefined ? null : ([from, to] as const);
  return { text, group, blocks, glob: glob ?? null };
}

/**
 * The parameters that a stage trains, by entry of its `train`. A parameter that two entries choose belongs to the later
 * one. Entries of groups that are not there choose nothing.
 */
export function selectParameters(stage: RecipeStage, groups: Groups): readonly Selected[] {
  const owner = new Map<Parameter, Entry>();
  const entries = stage.train.flatMap((text) => parseEntry(text) ?? []);
  for (const entry of entries) {
    for (const parameter of chosenBy(entry, groups[entry.group])) owner.set(parameter, entry);
  }
  const losses = trainedShare(stage, "projector") === "none" ? [] : [...(groups[LOSS_GROUP] ?? [])];
  const lossEntry = { text: LOSS_GROUP, group: LOSS_GROUP, blocks: null, glob: null };
  for (const parameter of losses) if (!owner.has(parameter)) owner.set(parameter, lossEntry);
  return Object.entries(groups).flatMap(([group, set]) =>
    [...new Set([...entries, lossEntry])].flatMap((entry) => {
      const parameters = [...set].filter((parameter) => owner.get(parameter) === entry);
      return entry.group !== group || parameters.length === 0
        ? []
        : [{ entry: entry.text, group, parameters }];
    }),
  );
}

/** What the stages train together, as sets that share their parameters with `groups`. Unknown groups are left out. */
export function trainedParts(stages: readonly RecipeStage[], groups: Groups): Groups {
  const trained = new Set(
    stages.flatMap((stage) => selectParameters(stage, groups).flatMap(({ parameters }) => parameters)),
  );
  const named = stages.flatMap(({ train }) => train.flatMap((text) => parseEntry(text)?.group ?? []));
  const losses = stages.some((stage) => trainedShare(stage, "projector") !== "none") ? [LOSS_GROUP] : [];
  const kept = new Set([...named, ...losses]);
  return Object.fromEntries(
    Object.entries(groups).flatMap(([name, set]) =>
      kept.has(name) ? [[name, subset(set, (one) => trained.has(one))]] : [],
    ),
  );
}

/** What none of the stages trains, as sets that share their parameters with `groups`; empty ones are left out. */
export function frozenParts(stages: readonly RecipeStage[], groups: Groups): Groups {
  const trained = trainedParts(stages, groups);
  return Object.fromEntries(
    Object.entries(groups).flatMap(([name, set]) => {
      const frozen = subset(set, (one) => trained[name]?.has(one.name) !== true);
      return frozen.count === 0 ? [] : [[name, frozen]];
    }),
  );
}

function subset(set: ParameterSet, keeps: (parameter: Parameter) => boolean): ParameterSet {
  const chosen = new ParameterSet();
  for (const parameter of set) if (keeps(parameter)) chosen.add(parameter);
  return chosen;
}

/**
 * Looks whether every entry of a stage's `train` chooses something.
 *
 * @throws {@link BasicError} `E_NAME_UNKNOWN` where there is no such group, or no such block or name in it;
 *   `E_RECIPE_INVALID` for an entry that cannot be read.
 */
export function checkSelection(stage: RecipeStage, groups: Groups): void {
  for (const text of stage.train) {
    const entry = parseEntry(text);
    if (entry === null) throw new BasicError("E_RECIPE_INVALID", entryProblem(text) ?? "");
    checkEntry(entry, groups);
  }
}

function checkEntry(entry: Entry, groups: Groups): void {
  const { text, group } = entry;
  const known = Object.keys(groups);
  const set = groups[group];
  if (set === undefined) {
    throw new BasicError(
      "E_NAME_UNKNOWN",
      `There is no parameter group "${group}" to train.${didYouMean(group, known)} Known: ${known.join(", ")}.`,
    );
  }
  if ((entry.blocks === null && entry.glob === null) || chosenBy(entry, set).length > 0) return;
  const names = [...set].map(({ name }) => name);
  throw new BasicError(
    "E_NAME_UNKNOWN",
    `"${text}" chooses none of the ${names.length} parameters of "${group}", which has ${depthOf(names)} blocks and names such as ${names.slice(0, 3).join(", ")}. ` +
      `Groups: ${known.join(", ")}. Blocks count from 0: ${group}.blocks[2:]; patterns match whole names: ${group}/*.mlp.*.`,
  );
}

function chosenBy({ blocks, glob }: Entry, set: ParameterSet | undefined): readonly Parameter[] {
  const all = [...(set ?? [])].filter(({ constant }) => !constant);
  const depth = depthOf(all.map(({ name }) => name));
  const [from, to] = blocks === null ? [0, 0] : [bound(blocks[0], 0, depth), bound(blocks[1], depth, depth)];
  return all.filter(({ name }) => {
    const block = blockOf(name);
    if (blocks !== null && (block === null || block < from || block >= to)) return false;
    return glob === null || matchesGlob(name, glob);
  });
}

function bound(text: string, byDefault: number, depth: number): number {
  if (text === "" || text === "-") return byDefault;
  const value = Number(text);
  return value < 0 ? depth + value : value;
}

function blockOf(name: string): number | null {
  const [, block] = blockPattern.exec(name) ?? [];
  return block === undefined ? null : Number(block);
}

function depthOf(names: readonly string[]): number {
  return 1 + Math.max(-1, ...names.map((name) => blockOf(name) ?? -1));
}
