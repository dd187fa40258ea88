import { existsSync } from "node:fs";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { javascriptCalls } from "./javascript-calls.js";
import { writeMiniTask } from "./mini.js";
import { cli } from "./run-cli.js";

describe("a recipe from its first step to its comparison", () => {
  let folder: string;
  let recipe: string;
  let run: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "basic-mllm-cli-"));
    vi.stubEnv("BASIC_MLLM_CACHE", join(folder, "cache"));
    recipe = await writeMiniTask(folder);
    run = join(folder, "run");
    const trained = await cli(["train", recipe, "--out", run, "--json"]);
    if (trained.code !== 0) throw new Error(trained.err);
    expect(trained.json()).toMatchObject({
      recipe: "mini",
      steps: 8,
      out: run,
      report: join(run, "report.html"),
    });
  });

  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  it("trains into a run folder with metrics, model, evaluation and report", () => {
    const files = [
      "recipe.json",
      "metrics.jsonl",
      "evaluation.json",
      "model/config.json",
      "report.html",
      "blind",
    ];
    for (const file of files) expect(existsSync(join(run, file)), file).toBe(true);
  });

  it("eval measures the trained weights: the same figures as at the end of training", async () => {
    const { code, json, err } = await cli(["eval", run, "--json"]);
    expect([code, err]).toEqual([0, expect.stringContaining("COLOR")]);
    const trained = JSON.parse(await readFile(join(run, "evaluation.json"), "utf8"));
    expect(json()).toEqual({
      run,
      recipe: "mini",
      weights: "checkpoints/step-00000008",
      evaluations: trained.evaluations,
    });
  });

  it("eval uses the saved model where there is no checkpoint", async () => {
    const copy = join(folder, "copy");
    const { cp } = await import("node:fs/promises");
    await cp(run, copy, { recursive: true });
    await rm(join(copy, "checkpoints"), { recursive: true });
    const [kept, gone] = [await cli(["eval", run, "--json"]), await cli(["eval", copy, "--json"])];
    // Folding the standardisation into the projector rounds once: the same answers, the loss to six digits.
    const [was, is] = [kept.json(), gone.json()] as { evaluations: { metrics: Record<string, number> }[] }[];
    const [before = {}, after = {}] = [was, is].map((result) => result?.evaluations[0]?.metrics ?? {});
    expect(after["nll"]).toBeCloseTo(before["nll"] ?? Number.NaN, 6);
    expect({ ...after, nll: 0 }).toEqual({ ...before, nll: 0 });
    expect(is).toMatchObject({ run: copy, weights: "model" });
    await rm(join(copy, "model"), { recursive: true });
    const nothing = await cli(["eval", copy]);
    expect([nothing.code, nothing.out]).toEqual([1, expect.stringContaining("E_CHECKPOINT_MISSING")]);
  });

  it("eval takes a set by name and offers the nearest one", async () => {
    const limited = await cli(["eval", run, "--set-name", "test", "--limit", "1", "--json"]);
    expect(limited.json<{ evaluations: unknown[] }>().evaluations).toHaveLength(1);
    const wrong = await cli(["eval", run, "--set-name", "tset"]);
    expect([wrong.code, wrong.out]).toEqual([2, expect.stringContaining('Did you mean "test"?')]);
  });

  it("chat answers one question about a picture and names words that it does not know", async () => {
    const image = join(folder, "pictures/red.png");
    const asked = ["chat", run, "--image", image, "--question", "what colour is this ?"];
    const { code, json, err } = await cli([...asked, "--max-tokens", "4", "--json"]);
    expect(code).toBe(0);
    expect(err).toContain("not in the model's vocabulary: colour");
    const { answer, tokens, unknownWords } = json();
    expect(unknownWords).toEqual(["colour"]);
    expect(tokens).toBeLessThanOrEqual(4);
    const [told, rates] = err.trimEnd().split("\n").slice(-2);
    expect(told?.trimEnd()).toBe(answer === "" ? "(no answer)" : answer);
    expect(rates).toMatch(/^\(\d+ prompt tokens at [\d.]+\/s(, \d answer tokens at [\d.]+\/s)?\)$/);
  });

  it("chat draws the same answer again with the same seed, and says which option is out of range", async () => {
    const asked = ["chat", run, "--image", join(folder, "pictures/red.png"), "--question", "is this red ?"];
    const drawing = ["--temperature", "3", "--top-k", "9", "--top-p", "0.95", "--repetition-penalty", "1.2"];
    const answer = async (): Promise<unknown> =>
      (await cli([...asked, ...drawing, "--seed", "3", "--json"])).json()["answer"];
    expect(await answer()).toBe(await answer());
    for (const [name, value, expected] of [
      ["temperature", "-1", "a number of at least 0"],
      ["top-k", "0", "a whole number of at least 1"],
      ["top-p", "1.5", "a number above 0 and up to 1"],
      ["repetition-penalty", "none", "a number above 0"],
    ] as const) {
      const { code, out } = await cli([...asked, `--${name}=${value}`]);
      const message = `error basic-mllm chat: --${name} must be ${expected}, got "${value}". [E_USAGE]`;
      expect([code, out.trimEnd()]).toEqual([2, message]);
    }
  });

  it("chat needs no training data: the run keeps the statistics of its features", async () => {
    const image = join(folder, "pictures/red.png");
    const asked = ["chat", run, "--image", image, "--question", "what color is this ?", "--json"];
    const answer = async (): Promise<unknown> => (await cli(asked)).json()["answer"];
    const expected = await answer();
    expect(typeof expected).toBe("string");
    const [captions, kept] = [join(folder, "captions.json"), join(run, "statistics.json")];
    await rename(captions, `${captions}.away`);
    expect(await answer()).toBe(expected);
    await rename(`${captions}.away`, captions);
    // A run of before: the training pictures give the same statistics.
    await rename(kept, `${kept}.away`);
    expect(await answer()).toBe(expected);
    await writeFile(kept, "{}");
    expect((await cli(asked)).json()).toMatchObject({
      error: { message: expect.stringContaining('statistics.json is damaged: expected {"mean", "std"}') },
    });
    await rename(`${kept}.away`, kept);
  });

  it("chat looks at the picture before the run, and says how to name one", async () => {
    await writeFile(join(folder, "text.png"), "no picture");
    for (const [image, what] of [
      ["none.png", "there is no such file"],
      [join(folder, "text.png"), "cannot be read as a picture"],
    ] as const) {
      const { code, out } = await cli(["chat", "runs/none", "--image", image]);
      expect([code, out.trimEnd()]).toEqual([
        1,
        `error basic-mllm chat: image "${image}": ${what}. Give the path of a PNG, JPEG, WebP, GIF, TIFF or AVIF file; relative ones count from ${process.cwd()}. [E_IMAGE]`,
      ]);
    }
  });

  it("the end of training prints a line that chats about the first test picture", async () => {
    const out = join(folder, "a run");
    const { out: printed } = await cli(["train", recipe, "--out", out, "--no-report", "--steps", "1"]);
    expect(printed).toContain(
      `  chat with it: basic-mllm chat '${out}' --image ${join(folder, "pictures/red.png")}\n`,
    );
    expect(printed.split("chat with it")).toHaveLength(2);
  });

  it("chat goes on until /quit, shows other pictures and survives a wrong file", async () => {
    const image = join(folder, "pictures/red.png");
    const typed = [
      "what color is this ?",
      "/new",
      "/reset",
      "/image none.png",
      `/image ${join(folder, "pictures/blue.png")}`,
      "is this red ?",
      "/quit",
      "never asked",
    ];
    const { code, json, err } = await cli(
      ["chat", run, "--image", image, "--max-tokens", "3", "--json"],
      typed,
    );
    expect(code).toBe(0);
    expect(err).toContain('image "none.png"');
    const { turns } = json<{ turns: { question: string }[] }>();
    expect(turns.map(({ question }) => question)).toEqual(["what color is this ?", "is this red ?"]);
  });

  it("Ctrl-C stops one answer of a chat, and the chat goes on", async () => {
    // Ctrl-C comes as soon as the first answer listens for it.
    const interrupt = (name: string | symbol): void => {
      if (name !== "SIGINT") return;
      process.off("newListener", interrupt);
      queueMicrotask(() => process.emit("SIGINT"));
    };
    const before = process.listenerCount("SIGINT");
    process.on("newListener", interrupt);
    const { code, json, err } = await cli(
      ["chat", run, "--image", join(folder, "pictures/red.png"), "--max-tokens", "3", "--json"],
      ["what color is this ?", "is this red ?"],
    );
    process.off("newListener", interrupt);
    const { turns } = json<{ turns: { ended: string }[] }>();
    expect([code, turns.map(({ ended }) => ended === "aborted")]).toEqual([0, [true, false]]);
    expect(err).toContain("prompt tokens, stopped)");
    expect(process.listenerCount("SIGINT")).toBe(before);
  });

  it("trains, measures and chats with no large tensor left to JavaScript", () => {
    expect(javascriptCalls()).toEqual({});
  });

  it("report writes one file for a run, and compares several", async () => {
    const one = await cli(["report", run, "--out", join(folder, "one.html"), "--json"]);
    expect(one.json()).toEqual({ file: join(folder, "one.html"), runs: [run] });
    expect(await readFile(join(folder, "one.html"), "utf8")).toContain("mini, seed 0");
    const two = await cli(["report", run, join(run, "blind"), "--out", join(folder, "two.html")]);
    expect(two.code).toBe(0);
    expect(await readFile(join(folder, "two.html"), "utf8")).toContain("2 runs compared");
    const none = await cli(["report", folder]);
    expect([none.code, none.out.replaceAll(folder, "FOLDER")]).toEqual([
      2,
      expect.stringContaining("FOLDER has nothing to report: expected FOLDER/report.json or evaluation.json"),
    ]);
  });

  it("the report names the threads that were used and the commit that the saved model names", async () => {
    const { environment } = JSON.parse(await readFile(join(run, "report.json"), "utf8"));
    const { commit, version } = JSON.parse(await readFile(join(run, "model", "provenance.json"), "utf8"));
    const rows = Object.fromEntries(environment);
    expect(rows["backend"]).toMatch(/^cpu \(.*\b\d+ threads?\)$/);
    expect(rows["processor"]).not.toContain("thread");
    expect([rows["basic-mllm"], rows["commit"]]).toEqual([version, commit ?? undefined]);
    const file = join(folder, "blind.html");
    expect((await cli(["report", join(run, "blind"), "--out", file])).code).toBe(0);
    const page = await readFile(file, "utf8");
    expect(page).toContain(`<td>basic-mllm</td><td>${version}</td>`);
    expect(page.includes(`<td>commit</td><td>${commit}</td>`)).toBe(commit !== null);
  });

  it("ablate trains variants and seeds, keeps what is finished, resumes what is not", async () => {
    const out = join(folder, "ablation");
    const command = [
      "ablate",
      recipe,
      "--losses",
      "none,das",
      "--seeds",
      "0,1",
      "--steps",
      "3",
      "--out",
      out,
    ];
    const first = await cli([...command, "--json"]);
    expect(first.code, first.err).toBe(0);
    const { baseline, seeds, sets, variants, runs } = first.json<{
      baseline: string;
      seeds: number[];
      sets: string[];
      variants: {
        name: string;
        metrics: Record<string, Record<string, { n: number; difference: unknown }>>;
      }[];
      runs: { outcome: string }[];
    }>();
    expect([baseline, seeds, sets]).toEqual(["none", [0, 1], ["test"]]);
    expect(runs.map(({ outcome }) => outcome)).toEqual(["trained", "trained", "trained", "trained"]);
    expect(variants[1]?.metrics["test"]?.["nll"]).toMatchObject({ n: 2, difference: { df: 1 } });
    const table = await readFile(join(out, "table.md"), "utf8");
    expect(table).toMatch(/\| das \| \d\.\d{3} ± \d\.\d{3}<br>[+−]\d/);
    expect(table).toContain("| variant |  | meaningfulShare | strictShare | distinctMatches | cosine |");
    expect(first.err).toMatch(/ {2}das +\d\.\d{3} ± /);
    await rm(join(out, "das-1/evaluation.json"));
    const again = await cli([...command, "--json"]);
    expect(again.err).toContain("none, seed 1: kept");
    expect(again.err).toContain("das, seed 1: trained");
    expect(again.json<typeof first>()).toMatchObject({ variants });
    const changed = await cli([...command.slice(0, -4), "--steps", "4", "--out", out]);
    expect([changed.code, changed.out]).toEqual([1, expect.stringContaining("stages.align.steps: 3 → 4")]);
  });

  it("check looks at fields, data and lengths of a recipe", async () => {
    const good = await cli(["check", recipe, "--json"]);
    expect(good.json()).toMatchObject({
      problems: [],
      stages: [
        { stage: "align", template: "plain", imageRows: 4, samples: 3 },
        { stage: "finetune", template: "chat", imageRows: 4, rows: { min: 16, max: 16 }, batchRows: 48 },
      ],
    });
    expect(good.code).toBe(0);
    const tight = await cli(["check", recipe, "--set", "stages.finetune.rowBudget=20", "--expand"]);
    expect(tight.code).toBe(1);
    expect(JSON.parse(tight.out)).toMatchObject({ stages: { finetune: { rowBudget: 20 } } });
    expect(tight.err).toContain("a batch of the 3 longest samples has 48 rows, and rowBudget is 20.");
    const packed = ["--set", "stages.finetune.rowBudget=40", "--set", "stages.finetune.packing=rows"];
    const fits = await cli(["check", recipe, ...packed, "--json"]);
    expect(fits.json()).toMatchObject({ problems: [], stages: [{}, { batchRows: 32, rowBudget: 40 }] });
  });

  it("packs a step into rows: the losses are those of the whole batch, and a sample that is too long is named", async () => {
    const lossesOf = async (name: string, more: readonly string[]): Promise<readonly number[]> => {
      const out = join(folder, name);
      const options = ["--set", "evaluation.blind=false", "--no-report"];
      const { code, err } = await cli(["train", recipe, "--out", out, ...options, ...more, "--json"]);
      if (code !== 0) throw new Error(err);
      const text = await readFile(join(out, "metrics.jsonl"), "utf8");
      const lines = text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      return lines.flatMap((line) => (line.kind === "train" ? [line.loss as number] : []));
    };
    const packing = (rows: number) => [
      "--set",
      "stages.finetune.packing=rows",
      "--set",
      `stages.finetune.rowBudget=${rows}`,
    ];
    const whole = await lossesOf("whole", []);
    expect(await lossesOf("fits", packing(48))).toEqual(whole);
    const packed = await lossesOf("packed", packing(40));
    for (const [step, loss] of whole.entries()) expect(packed[step]).toBeCloseTo(loss, 4);
    const tooLong = await cli(["train", recipe, "--out", join(folder, "long"), ...packing(10)]);
    expect(tooLong.code).toBe(1);
    expect(tooLong.out).toContain(
      'stage "finetune": sample "red" has 16 rows, the longest of 3 that are too long, and a micro-batch holds at most 10 (rowBudget).',
    );
  });

  it("predicts the memory of each stage, and stops before the first step where that is over the limit", async () => {
    const dry = await cli(["train", recipe, "--dry", "--json"]);
    const { memory } = dry.json<{ memory: { stage: string; training: number; resident: number }[] }>();
    expect(memory.map(({ stage }) => stage)).toEqual(["align", "finetune"]);
    for (const { training, resident } of memory) {
      // This process has trained before: its pool may hold all that is needed.
      expect(training).toBeGreaterThanOrEqual(0);
      expect(resident).toBeGreaterThan(50e6);
    }
    const out = join(folder, "limited");
    const stopped = await cli(["train", recipe, "--out", out, "--memory-limit", "20MB"]);
    expect(stopped.code).toBe(1);
    expect(stopped.out.replaceAll(/\d+(\.\d)? (k|M)?B\b/g, "N MB")).toMatch(
      // This process has had its peak in stages before: both may need the same.
      new RegExp(
        'Stage "(align|finetune)" would take N MB, and the limit is N MB: N MB for the process with data and parameters \\(N MB\\), ' +
          "N MB for gradients, moments, and activations or a checkpoint\\. No batchSize fits: the least is N MB\\. " +
          'As it is, the run needs N MB \\(stage "\\1"\\), a few MB more or less from start to start\\. \\[E_MEMORY_LIMIT\\]',
      ),
    );
    expect(existsSync(out)).toBe(false);
    const wrong = await cli(["train", recipe, "--memory-limit", "lots"]);
    expect([wrong.code, wrong.out]).toEqual([
      2,
      expect.stringContaining("must be a size such as 1.5GB or 900MB"),
    ]);
  });

  it("data validate reports what is wrong with a file", async () => {
    const tokenizer = join(folder, "tokenizer");
    const good = await cli([
      "data",
      "validate",
      join(folder, "chat.json"),
      "--tokenizer",
      tokenizer,
      "--decode",
    ]);
    expect([good.code, good.out]).toEqual([0, expect.stringContaining("no problems found")]);
    const file = join(folder, "bad.json");
    const conversations = [{ from: "human", value: "<image> what ?" }];
    await writeFile(file, JSON.stringify([{ id: "a", image: "gone.png", conversations }]));
    const command = [
      "data",
      "validate",
      file,
      "--images",
      folder,
      "--template",
      "chat",
      "--tokenizer",
      tokenizer,
    ];
    const bad = await cli([...command, "--json"]);
    expect(bad.code).toBe(1);
    expect(bad.json<{ problems: string[] }>().problems).toEqual([
      "1 pictures are missing, for example gone.png",
      expect.stringContaining("template chat: 1 samples cannot be used"),
    ]);
  });

  it("data validate lists every malformed record, and only warns of what training accepts", async () => {
    const turns = (answer: string) => [
      { from: "human", value: "<image>\nwhat color is this ?" },
      { from: "gpt", value: answer },
    ];
    const sample = { id: "a", image: "pictures/red.png", conversations: turns("red") };
    const validate = async (records: readonly unknown[]) => {
      await writeFile(join(folder, "looked-at.json"), JSON.stringify(records));
      const file = join(folder, "looked-at.json");
      const found = await cli(["data", "validate", file, "--tokenizer", join(folder, "tokenizer"), "--json"]);
      const { problems, warnings } = found.json<{ problems: string[]; warnings: string[] }>();
      return { code: found.code, problems: problems.map((text) => text.replace(folder, "FOLDER")), warnings };
    };
    const accepted = [sample, { ...sample, conversations: turns("crimson") }];
    expect(await validate(accepted)).toEqual({
      code: 0,
      problems: [],
      warnings: [
        "1 ids occur more than once, for example a: training accepts that",
        expect.stringContaining("8.3 % of the words (1 of 12) are not in the tokenizer's vocabulary"),
      ],
    });
    expect(await validate([sample, { ...sample, id: "b", image: 7 }, 5])).toEqual({
      code: 1,
      problems: [
        'FOLDER/looked-at.json, record 1 (id "b"), image: expected a file name or a list of file names, got 7. Correct the record.',
        "FOLDER/looked-at.json, record 2: expected an object, got 5. Correct the record.",
      ],
      warnings: [],
    });
  });

  it("check and the start of train warn of words outside of the vocabulary, and go on", async () => {
    const record = JSON.parse(await readFile(join(folder, "chat.json"), "utf8"))[0];
    const conversations = [record.conversations[0], { from: "gpt", value: "crimson" }];
    await writeFile(join(folder, "strange.json"), JSON.stringify([{ ...record, conversations }]));
    const changed = [recipe, "--set", "data.train.finetune.file=strange"];
    const warning =
      'warning set "finetune": 16.7 % of the words (1 of 6) are not in the tokenizer\'s vocabulary, and the model sees ' +
      "the same unknown token for all of them: crimson (1). Write them with words that the tokenizer knows, or use a model whose tokenizer knows them.";
    for (const command of [
      ["check", ...changed],
      ["train", ...changed, "--dry"],
      ["train", ...changed, "--out", join(folder, "strange-run"), "--no-report", "--steps", "1"],
    ]) {
      const { code, out } = await cli(command);
      expect([code, out]).toEqual([0, expect.stringContaining(warning)]);
      expect(out.split("tokenizer's vocabulary")).toHaveLength(2);
    }
  });

  it("check, train --dry and train refuse an unknown parameter group alike, and train leaves no folder", async () => {
    const changed = [recipe, "--set", 'stages.align.train=["projektor"]'];
    const out = join(folder, "misspelt");
    for (const command of [
      ["check", ...changed],
      ["train", ...changed, "--dry"],
      ["train", ...changed, "--out", out],
    ]) {
      const refused = await cli(command);
      expect([refused.code, refused.out]).toEqual([
        2,
        expect.stringContaining(
          'error There is no parameter group "projektor" to train. Did you mean "projector"? Known: ',
        ),
      ]);
    }
    expect(existsSync(out)).toBe(false);
  });
});
