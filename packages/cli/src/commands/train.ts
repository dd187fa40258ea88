import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  applyOverrides,
  BasicError,
  type CheckpointChoice,
  RECIPE_FILE,
  type Recipe,
} from "@basic-mllm/core";
import { defaultCacheFolder } from "@basic-mllm/scenes";

import { defineCliCommand, wholeNumber } from "../command.js";
import { chooseDevices } from "../session/devices.js";
import { checkRunFolder, defaultRunFolder } from "../session/folders.js";
import { followRun } from "../session/follow-run.js";
import { abortOnInterrupt } from "../session/interrupt.js";
import { launchRanks } from "../session/launch-ranks.js";
import { loadRecipe } from "../session/load-recipe.js";
import { parseBytes } from "../session/memory.js";
import { ownProgram } from "../session/program.js";
import { type RankPlace, takeRank } from "../session/rank.js";
import { dryRun, type TrainRunOptions, trainBlind, trainRun } from "../session/train-run.js";
import { shellWord } from "../shell.js";

/** `basic-mllm train`: the main job. */
export const train = defineCliCommand({
  name: "train",
  description: "Train a recipe: data, all stages, evaluation, report.",
  args: {
    recipe: {
      type: "positional",
      description: "A recipe that ships with basic-mllm (see `ls`), or a .ts, .js, .yaml or .json file.",
      required: true,
    },
    backend: {
      type: "string",
      valueHint: "name",
      description:
        "Device: cpu, webgpu, cuda, tensorflow, or what a plugin adds. Never falls back to another.",
    },
    devices: {
      type: "string",
      valueHint: "list",
      description:
        "GPUs of the backend cuda, for example 0,1: a process for each, which share the steps. Default: the first.",
    },
    seed: { type: "string", valueHint: "n", description: "Seed of all randomness. Default: the recipe's." },
    steps: {
      type: "string",
      valueHint: "n",
      description: "Train each stage for n optimizer steps instead of the recipe's.",
    },
    out: { type: "string", valueHint: "dir", description: "Run folder. Default: runs/<recipe>-<seed>." },
    resume: { type: "boolean", description: "Continue the run in --out from its last checkpoint." },
    previous: {
      type: "boolean",
      description: "With --resume: from the checkpoint before the last, if that is damaged.",
    },
    set: {
      type: "string",
      valueHint: "path=value",
      description: "Change a field of the recipe; may be repeated.",
    },
    threads: {
      type: "string",
      valueHint: "n",
      description: "Threads of the cpu backend. Default: all processors.",
    },
    workers: {
      type: "string",
      valueHint: "n",
      description:
        "Threads that open pictures, taken from those of the cpu backend unless --threads is given. Default: the recipe's, else 0.",
    },
    "memory-limit": {
      type: "string",
      valueHint: "size",
      description:
        "Stop before the first step if the process would take more, for example 1.5GB. With --devices: each of them.",
    },
    "device-memory": {
      type: "string",
      valueHint: "size",
      description:
        "With --dry: memory of the GPU that the run must fit in, for example 80GB; cuda then needs no GPU. Default: that of the GPU here.",
    },
    blind: {
      type: "boolean",
      description: "Train the baseline without pictures alone, in the folder blind/ of --out.",
    },
    dry: {
      type: "boolean",
      description: "Check everything, print what would train and the memory, then stop.",
    },
    report: {
      type: "boolean",
      default: true,
      description: "Write report.html at the end.",
      negativeDescription: "Write no report.",
    },
  },
  examples: [
    "basic-mllm train quickstart",
    "basic-mllm train smoke --out runs/first",
    "basic-mllm train quickstart --set stages.align.losses.direction=0 --set supervision.normalise=none",
    "basic-mllm train quickstart --set precision=bf16",
    "basic-mllm train quickstart --resume",
    "basic-mllm train my-recipe.yaml --backend cuda --devices 0,1",
    "basic-mllm train my-recipe.yaml --dry",
  ],
  run: async ({ args, repeated, rawArgs, terminal }) => {
    const resume = checkpointOf(args);
    const recipe = withOptions(await loadRecipe(args.recipe, repeated("set")), args);
    const devices = chooseDevices(args.devices, recipe);
    const place = takeRank();
    const mode = modeOf(args, place);
    if (place === undefined && mode !== "dry" && devices.length > 1) {
      checkTogether(mode);
      return launchRanks({ program: requireProgram(), command: ["train", ...rawArgs], devices });
    }
    if (place === undefined) useDevice(devices);
    const resources = resourcesOf(args, recipe);
    const out = args.out ?? defaultRunFolder(recipe);
    const folder = { train: out, blind: join(out, "blind"), dry: undefined, follow: undefined }[mode];
    const another = args.out === undefined ? `--seed ${recipe.seed + 1}` : undefined;
    if (folder !== undefined) checkRunFolder(folder, { resume: args.resume === true, another });
    const interrupt = abortOnInterrupt(terminal);
    const options = {
      recipe,
      terminal,
      cache: defaultCacheFolder(),
      out,
      signal: interrupt.signal,
      onPhase: interrupt.enter,
      report: args.report !== false,
      ...resources,
      ...(resume !== undefined && { resume }),
      ranks: Math.max(1, devices.length),
      ...(place === undefined ? besideCommand(args.recipe, recipeOptions(args, repeated("set"))) : { place }),
    };
    try {
      terminal.result(await RUNS[mode](options));
    } catch (error) {
      const interrupted = error instanceof BasicError && error.code === "E_INTERRUPTED";
      if (interrupted && mode === "train" && existsSync(join(out, RECIPE_FILE))) {
        terminal.line(`  go on with: ${resumeCommand(args, repeated("set"), out)}`);
      }
      throw error;
    } finally {
      interrupt.release();
    }
    return 0;
  },
});

/** What a command does with its run. */
const RUNS = { dry: dryRun, follow: followRun, blind: trainBlind, train: trainRun } as const;

function modeOf(
  { dry, blind }: Readonly<Record<"dry" | "blind", boolean | undefined>>,
  place: RankPlace | undefined,
): keyof typeof RUNS {
  if (dry === true) return "dry";
  if (place !== undefined && place.rank > 0) return "follow";
  return blind === true ? "blind" : "train";
}

/** The GPU of this process, where one was chosen. */
function useDevice([device]: readonly number[]): void {
  if (device !== undefined) process.env["BASIC_MLLM_CUDA_DEVICE"] = String(device);
}

/** What several processes do not do together. */
function checkTogether(mode: keyof typeof RUNS): void {
  if (mode !== "blind") return;
  throw new BasicError(
    "E_USAGE",
    "basic-mllm train: the baseline of --blind trains on one GPU, and --devices names several. Give one.",
  );
}

/** The file that the other processes run. */
function requireProgram(): string {
  const program = ownProgram();
  if (program !== undefined) return program;
  throw new BasicError(
    "E_USAGE",
    "basic-mllm train: --devices with several GPUs starts processes of the command line, and this is another program. Call " +
      "`connectRanks` of @basic-mllm/backend-cuda and `train` of @basic-mllm/core in processes of your own.",
  );
}

/** The command that trains the baseline beside the run, where this process is the command line itself. */
function besideCommand(recipe: string, options: readonly string[]): Pick<TrainRunOptions, "besideCommand"> {
  const program = ownProgram();
  return program === undefined ? {} : { besideCommand: { program, command: ["train", recipe, ...options] } };
}

/** What the run may use of the computer. */
function resourcesOf(
  args: Readonly<Record<"threads" | "workers" | "memory-limit" | "device-memory", string | undefined>> & {
    readonly dry?: boolean | undefined;
  },
  recipe: Recipe,
): Pick<TrainRunOptions, "threads" | "workers" | "memoryLimit" | "deviceMemory"> {
  const threads = wholeNumber("train", "threads", args.threads);
  const workers = wholeNumber("train", "workers", args.workers, 0);
  // Refused where the recipe could not say it: too many, or a task without pictures.
  if (workers !== undefined) applyOverrides(recipe, [`data.workers=${workers}`]);
  const memoryLimit = parseBytes("train", "memory-limit", args["memory-limit"]);
  const deviceMemory = parseBytes("train", "device-memory", args["device-memory"]);
  if (deviceMemory !== undefined && args.dry !== true) {
    throw new BasicError(
      "E_USAGE",
      "basic-mllm train: --device-memory says which GPU a dry run must fit in, and --dry is not given. Write --dry --device-memory.",
    );
  }
  return {
    ...(threads !== undefined && { threads }),
    ...(workers !== undefined && { workers }),
    ...(memoryLimit !== undefined && { memoryLimit }),
    ...(deviceMemory !== undefined && { deviceMemory }),
  };
}

/** Which checkpoint to go on from; undefined: from the start. */
function checkpointOf(
  args: Readonly<Record<"resume" | "previous", boolean | undefined>>,
): CheckpointChoice | undefined {
  if (args.resume === true) return args.previous === true ? "previous" : "last";
  if (args.previous !== true) return undefined;
  throw new BasicError(
    "E_USAGE",
    "basic-mllm train: --previous chooses the checkpoint to resume from, and --resume is not given. Write --resume --previous.",
  );
}

type RecipeOptions = Readonly<Record<(typeof RECIPE_OPTIONS)[number], string | undefined>>;

/** The recipe with `--backend`, `--seed` and `--steps`. */
function withOptions(recipe: Recipe, { backend, seed, steps }: RecipeOptions): Recipe {
  const stages = steps === undefined ? [] : Object.keys(recipe.stages);
  const changes = [
    ...(backend === undefined ? [] : [`backend=${backend}`]),
    ...(seed === undefined ? [] : [`seed=${seed}`]),
    ...stages.map((name) => `stages.${name}.steps=${steps}`),
  ];
  return changes.length === 0 ? recipe : applyOverrides(recipe, changes);
}

/** Options that make a recipe, together with `--set`. */
const RECIPE_OPTIONS = ["backend", "seed", "steps"] as const;
/** Options that a resumed run is given again. */
const KEPT = [...RECIPE_OPTIONS, "devices", "threads", "workers", "memory-limit"] as const;

/** The options that make a recipe, to be given to another process. */
function recipeOptions(args: RecipeOptions, sets: readonly string[]): readonly string[] {
  const options = RECIPE_OPTIONS.flatMap((name) => {
    const value = args[name];
    return value === undefined ? [] : [`--${name}`, value];
  });
  return [...options, ...sets.flatMap((set) => ["--set", set])];
}

/** The command that continues a run, ready for a shell. */
function resumeCommand(
  args: Readonly<Record<(typeof KEPT)[number], string | undefined>> & {
    readonly recipe: string;
    readonly report: boolean | undefined;
  },
  sets: readonly string[],
  out: string,
): string {
  const options = KEPT.flatMap((name) => {
    const value = args[name];
    return value === undefined ? [] : [`--${name} ${shellWord(value)}`];
  });
  const quoted = sets.map((set) => `--set ${shellWord(set)}`);
  const report = args.report === false ? ["--no-report"] : [];
  const command = ["basic-mllm train", shellWord(args.recipe), ...options, ...quoted, ...report];
  return [...command, `--out ${shellWord(out)}`, "--resume"].join(" ");
}
