import { existsSync, symlinkSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BasicError } from "@basic-mllm/core";
import { openSafetensors } from "@basic-mllm/weights";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { loadRecipe } from "../src/session/load-recipe.js";
import { type TrainRunOptions, trainRun } from "../src/session/train-run.js";
import type { Terminal } from "../src/terminal.js";
import { writeMiniTask } from "./mini.js";
import { cli, plain } from "./run-cli.js";

describe("the folder of a run", () => {
  let folder: string;
  let file: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "basic-mllm-run-"));
    vi.stubEnv("BASIC_MLLM_CACHE", join(folder, "cache"));
    file = await writeMiniTask(folder);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  /** Trains with a terminal that calls back. @returns What was printed. */
  async function trainHere(
    name: string,
    { seen, ...changes }: Partial<TrainRunOptions> & { seen?: (text: string) => void } = {},
  ): Promise<string> {
    let printed = "";
    const line = (text = ""): void => {
      printed += `${text}\n`;
      seen?.(text);
    };
    const terminal: Terminal = {
      interactive: false,
      line,
      write: line,
      warn: line,
      result: () => undefined,
      progress: (title) => {
        line(title);
        return { update: () => undefined, stop: () => undefined };
      },
    };
    const signal = new AbortController().signal;
    const run = {
      recipe: await loadRecipe(file),
      terminal,
      cache: join(folder, "cache"),
      signal,
      report: true,
    };
    await trainRun({ ...run, out: join(folder, name), ...changes });
    return printed;
  }

  const failed = async (promise: Promise<unknown>): Promise<BasicError> => {
    const error = await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof BasicError)) throw error ?? new Error("expected an error");
    return error;
  };

  it("is locked from the first line to the last, the baseline without pictures included", async () => {
    const out = join(folder, "locked");
    const locked: (readonly [string, boolean])[] = [];
    await trainHere("locked", { seen: (text) => locked.push([text.trim(), existsSync(join(out, "lock"))]) });
    expect(locked.filter(([, held]) => !held)).toEqual([]);
    const titles = locked.map(([text]) => plain(text).replace(out, "RUN"));
    for (const title of ["align", "blind finetune", "report RUN/report.html"])
      expect(titles).toContain(title);
    expect(titles.filter((title) => title.includes("GRADIENTS, MOMENTS"))).toHaveLength(1);
    expect(await readdir(out)).not.toContain("lock");
  });

  it("gets no event file from a command that may not write there", async () => {
    const out = join(folder, "locked");
    const before = await readdir(out);
    expect((await failed(trainHere("locked"))).code).toBe("E_USAGE");
    expect(await readdir(out)).toEqual(before);
    expect((await failed(trainHere("none", { resume: "last" }))).code).toBe("E_CHECKPOINT_MISSING");
    expect(existsSync(join(folder, "none"))).toBe(false);
  });

  it("that is finished says so, where its report is, and how to train another", async () => {
    const out = join(folder, "locked");
    const refused = await cli(["train", file, "--out", out]);
    expect([refused.code, refused.out.replaceAll(out, "RUN")]).toMatchInlineSnapshot(`
      [
        2,
        "error The run in RUN is finished: its report is RUN/report.html. Start another one with --out DIR, or remove that folder. [E_USAGE]
      ",
      ]
    `);
    const baseline = await cli(["train", file, "--blind", "--out", out]);
    expect(baseline.out.replaceAll(out, "RUN")).toMatchInlineSnapshot(`
      "error The run in RUN/blind is finished: \`basic-mllm report RUN/blind\` writes a report of it. Start another one with --out DIR, or remove that folder. [E_USAGE]
      "
    `);
  });

  it("keeps the finished run where Ctrl-C stops its report, which --resume writes", async () => {
    const out = join(folder, "unreported");
    const recipe = await loadRecipe(file, ["evaluation.blind=false", "evaluation.batchSize=1"]);
    const controller = new AbortController();
    const phases: string[] = [];
    const run = { recipe, onPhase: (phase: string) => void phases.push(phase) };
    const seen = (text: string): void => {
      // As a signal of the system: in a later turn of the event loop.
      if (text === "report") setTimeout(() => controller.abort(), 0);
    };
    const stopped = trainHere("unreported", { ...run, seen, signal: controller.signal });
    const { code, message } = await failed(stopped);
    expect([code, message.replace(out, "RUN"), phases]).toMatchInlineSnapshot(`
      [
        "E_INTERRUPTED",
        "Stopped before the report was written. Training is finished and saved in RUN: --resume writes the report, --resume --no-report leaves it out. [E_INTERRUPTED]",
        [
          "preparing",
          "training",
          "reporting",
        ],
      ]
    `);
    const files = await readdir(out);
    expect(files).toEqual(expect.arrayContaining(["evaluation.json", "model"]));
    expect(files.filter((name) => name.startsWith("report") || name === "lock")).toEqual([]);
    const evaluation = await readFile(join(out, "evaluation.json"), "utf8");
    const metrics = await readFile(join(out, "metrics.jsonl"), "utf8");

    await trainHere("unreported", { ...run, resume: "last", report: false });
    expect(await readdir(out)).toEqual(files);
    const printed = await trainHere("unreported", { ...run, resume: "last" });
    expect(printed).toContain(join(out, "report.html"));
    // Nothing is trained or evaluated again.
    expect(await readFile(join(out, "metrics.jsonl"), "utf8")).toBe(metrics);
    expect(await readFile(join(out, "evaluation.json"), "utf8")).toBe(evaluation);
  });

  it("is not made where Ctrl-C stops the building of features", async () => {
    const controller = new AbortController();
    const phases: string[] = [];
    const onPhase = (phase: string): void => {
      phases.push(phase);
      controller.abort();
    };
    // Other pictures of the encoder than those in the cache: features have to be computed.
    const recipe = await loadRecipe(file, ["seed=77"]);
    const stopped = trainHere("unbuilt", { recipe, signal: controller.signal, onPhase });
    const { code, message } = await failed(stopped);
    expect([code, message]).toEqual([
      "E_INTERRUPTED",
      "Stopped while features were computed. Those that are on disk are kept: start again to go on. [E_INTERRUPTED]",
    ]);
    expect([phases, existsSync(join(folder, "unbuilt"))]).toEqual([["preparing"], false]);
  });

  it("is not made where Ctrl-C comes after the features and before the first step", async () => {
    const controller = new AbortController();
    const seen = (text: string): void => {
      if (text.includes("GRADIENTS, MOMENTS")) controller.abort();
    };
    const { message } = await failed(trainHere("unstarted", { signal: controller.signal, seen }));
    expect(message).toBe(
      "Stopped before the first step. Nothing was written to the run folder: start again to train. [E_INTERRUPTED]",
    );
    expect(existsSync(join(folder, "unstarted"))).toBe(false);
  });

  it("has the training time of all starts", async () => {
    const out = join(folder, "locked");
    const seconds = async (): Promise<number> =>
      (JSON.parse(await readFile(join(out, "evaluation.json"), "utf8")) as { seconds: number }).seconds;
    const lines = (await readFile(join(out, "metrics.jsonl"), "utf8")).trimEnd().split("\n");
    const slower = lines.map((line) => {
      const value = JSON.parse(line) as { kind: string };
      return JSON.stringify(value.kind === "train" ? { ...value, stepMs: 60_000 } : value);
    });
    await writeFile(join(out, "metrics.jsonl"), `${slower.join("\n")}\n`);
    const printed = await trainHere("locked", { resume: "last" });
    expect([await seconds(), printed]).toEqual([480, expect.stringContaining("8 steps in 8 min 0 s")]);
  });

  it.runIf(existsSync("/dev/full"))("on a full disk ends with what to do, not with a stack", async () => {
    const file = (name: string): string => join(folder, "full", name);
    const fill = (text: string): void => {
      // The loop announces a stage before it writes.
      if (text === "align") symlinkSync("/dev/full", file("metrics.jsonl"));
    };
    const { message } = await failed(trainHere("full", { seen: fill }));
    expect(message.replaceAll(folder, "FOLDER")).toBe(
      "The disk is full: metrics.jsonl could not be written in FOLDER/full. Nothing was damaged. Make space and resume the run: it goes on from its last checkpoint. [E_DISK_FULL]",
    );
    expect(existsSync(file("lock"))).toBe(false);
  });

  it("trains the baseline with the recipe's weight of the language loss and none of the visual ones", async () => {
    const recipe = await loadRecipe(file, ["stages.finetune.losses.language=0.5"]);
    await trainHere("weighed", { recipe, report: false });
    const { stages } = JSON.parse(await readFile(join(folder, "weighed/blind/recipe.json"), "utf8"));
    expect(stages.finetune.losses).toEqual({ language: { weight: 0.5, start: 0, ramp: 0, options: {} } });
    const lines = (await readFile(join(folder, "weighed/blind/metrics.jsonl"), "utf8")).trimEnd().split("\n");
    const { parts, weighted } = JSON.parse(lines.filter((line) => line.includes('"train"')).at(-1) ?? "");
    expect(weighted.language).toBeCloseTo(parts.language / 2, 6);
  });

  it("trains the baseline on words alone, in the stages that train more than the projector", async () => {
    const out = join(folder, "words/blind");
    await trainHere("words", { report: false });
    const { stages } = JSON.parse(await readFile(join(out, "recipe.json"), "utf8"));
    expect(Object.keys(stages)).toEqual(["finetune"]);
    const projector = async (run: string): Promise<number[]> => {
      const weights = openSafetensors(join(run, "model/model.safetensors"));
      const values = weights.floats("multi_modal_projector.linear_2.bias");
      weights.close();
      return [...values];
    };
    expect((await projector(out)).every((value) => value === 0)).toBe(true);
    expect((await projector(join(out, ".."))).every((value) => value === 0)).toBe(false);
  });

  it("takes the language model as it came for a baseline where only the projector trains", async () => {
    const recipe = await loadRecipe(file, ['stages.finetune.train=["projector"]']);
    await trainHere("projector", { recipe, report: false });
    const { blind } = JSON.parse(await readFile(join(folder, "projector/evaluation.json"), "utf8"));
    expect(blind).toMatchObject({ color: expect.any(Number), vqa: expect.any(Number) });
    expect(existsSync(join(folder, "projector/blind"))).toBe(false);
  });

  it("goes on after a damaged checkpoint of the baseline with --resume --previous", async () => {
    const recipe = await loadRecipe(file, ["stages.finetune.checkpointEvery=3"]);
    const blind = join(folder, "baseline/blind");
    const again = (resume: "last" | "previous") => trainHere("baseline", { recipe, report: false, resume });
    await trainHere("baseline", { recipe, report: false });
    const expected = await readFile(join(blind, "model/model.safetensors"));

    await rm(join(blind, "evaluation.json"));
    await damageLast(blind);
    const { code, message } = await failed(again("last"));
    expect([code, message.replaceAll(folder, "FOLDER")]).toEqual([
      "E_CHECKPOINT_CORRUPT",
      expect.stringMatching(
        /^The baseline without pictures in FOLDER\/baseline\/blind cannot go on\. Checkpoint .+ is damaged: .+ \(--resume --previous\)\. \[E_CHECKPOINT_CORRUPT\]$/,
      ),
    ]);
    await again("previous");
    expect((await readFile(join(blind, "model/model.safetensors"))).equals(expected)).toBe(true);

    await rm(join(blind, "evaluation.json"));
    const [first = ""] = await readdir(join(blind, "checkpoints"));
    await rm(join(blind, "checkpoints", first), { recursive: true });
    await damageLast(blind);
    expect((await failed(again("previous"))).message.replaceAll(folder, "FOLDER")).toContain(
      "Or remove FOLDER/baseline/blind, and resume the run: it trains the baseline again.",
    );
  });

  it("keeps a baseline that was stopped before its first checkpoint", async () => {
    const blind = join(folder, "baseline/blind");
    await rm(join(blind, "checkpoints"), { recursive: true });
    const recipe = await loadRecipe(file, ["stages.finetune.checkpointEvery=3"]);
    await trainHere("baseline", { recipe, report: false, resume: "last" });
    expect(existsSync(join(blind, "evaluation.json"))).toBe(true);
  });

  it("with half a file of its results is told apart from a finished one", async () => {
    const out = join(folder, "half");
    const command = ["ablate", file, "--losses", "none", "--seeds", "0", "--steps", "1", "--out", out];
    expect((await cli(command)).code).toBe(0);
    const run = join(out, "none-0");
    await writeFile(join(run, "evaluation.json"), '{"recipe":');
    const advice = `Remove it, and write it again with \`basic-mllm train RECIPE --out ${run} --resume\`.`;
    const expected = `error ${run}/evaluation.json is damaged: expected whole JSON, got 10 characters that are none (Unexpected end of JSON input). ${advice} [E_DATA_FORMAT]\n`;
    for (const argv of [command, ["report", run]]) {
      const { code, out: printed } = await cli(argv);
      expect([code, printed]).toEqual([1, expected]);
    }
    await writeFile(join(run, "report.json"), "[1");
    expect((await cli(["report", run])).out).toContain(`${run}/report.json is damaged: expected whole JSON`);
    await writeFile(join(run, "recipe.json"), "");
    const { code, out: printed } = await cli(command);
    expect([code, printed]).toEqual([
      1,
      expect.stringMatching(/recipe\.json is damaged: .+Put back the recipe .+ or train in another folder/),
    ]);
  });
});

async function damageLast(run: string): Promise<void> {
  const checkpoints = join(run, "checkpoints");
  const last = join(checkpoints, (await readdir(checkpoints)).sort().at(-1) ?? "", "state.safetensors");
  const bytes = await readFile(last);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  await writeFile(last, bytes);
}
