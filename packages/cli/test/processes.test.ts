import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { BIN, NODE_ARGUMENTS, startCli } from "./child.js";
import { writeMiniTask } from "./mini.js";
import { cli } from "./run-cli.js";

// Several processes start here; a busy machine takes its time.
vi.setConfig({ testTimeout: 180_000 });

describe("runs in processes of their own", () => {
  let folder: string;
  let recipe: string;
  let env: { BASIC_MLLM_CACHE: string };
  const long = ["--set", "stages.align.steps=1000000", "--set", "stages.align.checkpointEvery=1000000"];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "basic-mllm-cli-"));
    env = { BASIC_MLLM_CACHE: join(folder, "cache") };
    vi.stubEnv("BASIC_MLLM_CACHE", env.BASIC_MLLM_CACHE);
    recipe = await writeMiniTask(folder);
  });

  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  it("Ctrl-C leaves a checkpoint, exit code 130 and a run that resumes; meanwhile nobody else may use its folder", async () => {
    const out = join(folder, "stopped");
    const options = ["--threads", "1", "--no-report", ...long];
    const child = startCli(["train", recipe, "--out", out, ...options], env);
    await vi.waitFor(async () => expect(await readdir(out)).toContain("metrics.jsonl"), { timeout: 40_000 });

    const second = await cli(["train", recipe, "--out", out, ...long]);
    const text = second.out
      .replaceAll(folder, "FOLDER")
      .replace(/process \d+ on \S+ since \S+Z/, "process N on HOST since TIME");
    expect([second.code, text.slice(text.indexOf("error"))]).toMatchInlineSnapshot(`
      [
        1,
        "error The run folder FOLDER/stopped is in use by process N on HOST since TIME. Wait for it, choose another folder, or, if that process is gone, remove FOLDER/stopped/lock. [E_RUN_LOCKED]
      ",
      ]
    `);

    child.process.kill("SIGINT");
    expect(await child.ended).toBe(130);
    expect(child.output()).toContain("Stopping after this step, with a checkpoint.");
    expect(child.output()).toMatch(/Stopped after step \d+ of 1000000 of stage "align"/);
    const threads = "--threads 1";
    expect(child.output()).toMatch(
      new RegExp(
        `go on with: basic-mllm train ${recipe} .*${threads} .*--no-report --out ${out} --resume\\n`,
      ),
    );
    const [checkpoint = ""] = await readdir(join(out, "checkpoints"));
    expect(checkpoint).toMatch(/^step-\d{8}$/);
    expect(await readdir(out)).not.toContain("lock");
    const lines = await linesOf(out);

    const resumed = cli(["train", recipe, "--out", out, "--resume", ...long]);
    await vi.waitFor(async () => expect(await linesOf(out)).toBeGreaterThan(lines), { timeout: 40_000 });
    process.emit("SIGINT");
    expect((await resumed).code).toBe(130);
    const checkpoints = await readdir(join(out, "checkpoints"));
    expect([checkpoints.length, checkpoints[0]]).toEqual([2, checkpoint]);

    const changed = await cli(["train", recipe, "--out", out, "--resume", "--seed", "5", ...long]);
    expect([changed.code, tail(changed.out, folder)]).toMatchInlineSnapshot(`
      [
        1,
        "error The recipe is not the one that the run in FOLDER/stopped was started with:
        seed: 0 → 5
      Resume with the old values, or start a new run in another folder. [E_RESUME_CHANGED]
      ",
      ]
    `);
  });

  it("Ctrl-C before the first step names no command that resumes: there is nothing to go on from", async () => {
    const out = join(folder, "unstarted");
    const stopped = cli(["train", recipe, "--out", out]);
    await vi.waitFor(() => expect(process.listenerCount("SIGINT")).toBeGreaterThan(0), { interval: 1 });
    process.emit("SIGINT");
    const { code, out: text } = await stopped;
    expect([code, existsSync(out)]).toEqual([130, false]);
    expect(text).not.toContain("go on with");
  });

  it("Ctrl-C while the report is made ends it soon, and the command that is named writes the report", async () => {
    const out = join(folder, "reported");
    // One question at a time, of many: the report takes its time.
    const records = JSON.parse(await readFile(join(folder, "test.json"), "utf8")) as readonly object[];
    const many = Array.from({ length: 400 }, (_, i) => ({ ...records[i % records.length], id: `q${i}` }));
    await writeFile(join(folder, "many.json"), JSON.stringify(many));
    const options = ["evaluation.blind=false", "evaluation.batchSize=1", "data.evaluation.test.file=many"];
    const command = ["train", recipe, "--out", out, ...options.flatMap((option) => ["--set", option])];
    const child = startCli(command, env);
    await vi.waitFor(() => expect(child.output()).toMatch(/^ {2}report \d+\/\d+ {2}/m), { timeout: 120_000 });
    child.process.kill("SIGINT");
    expect(await child.ended, child.output()).toBe(130);
    expect(child.output()).toContain(
      "Training is finished and saved. Stopping the report: --resume writes it, --resume --no-report leaves it out. ",
    );
    expect(child.output()).toMatch(/go on with: basic-mllm train .* --resume\n/);
    expect(existsSync(join(out, "report.html"))).toBe(false);
    expect((await cli([...command, "--resume"])).code).toBe(0);
    expect(existsSync(join(out, "report.html"))).toBe(true);
  });

  it("a baseline that trains beside its run is the one that trains afterwards, also when Ctrl-C came between", async () => {
    const [beside, after] = [join(folder, "beside"), join(folder, "after")];
    const command = ["train", recipe, "--no-report"];
    const slow = ["--set", "stages.finetune.steps=300", "--threads", "2"];
    const child = startCli([...command, ...slow, "--out", beside], env);
    await vi.waitFor(
      async () => {
        for (const run of [beside, join(beside, "blind")])
          expect(await readdir(run)).toContain("metrics.jsonl");
      },
      { timeout: 120_000 },
    );
    child.process.kill("SIGINT");
    expect(await child.ended, child.output()).toBe(130);
    expect(child.output()).toContain("the baseline without pictures trains beside it, on 1 of 2 threads");
    expect(child.output().match(/go on with/g)).toHaveLength(1);
    for (const run of [beside, join(beside, "blind")]) expect(await readdir(run)).not.toContain("lock");

    const again = startCli([...command, ...slow, "--out", beside, "--resume"], env);
    expect(await again.ended, again.output()).toBe(0);
    expect((await cli([...command, ...slow, "--out", after])).code).toBe(0);
    for (const file of ["model/model.safetensors", "blind/model/model.safetensors"]) {
      const [a, b] = await Promise.all([beside, after].map((run) => readFile(join(run, file))));
      expect(a?.equals(b as Buffer), file).toBe(true);
    }
    const results = await Promise.all(
      [beside, after].map(async (run) => JSON.parse(await readFile(join(run, "evaluation.json"), "utf8"))),
    );
    expect(results[0].blind).toEqual(results[1].blind);
  });

  it("a baseline that fails beside its run ends the command when the run is saved", async () => {
    const out = join(folder, "failing");
    await mkdir(join(out, "blind"), { recursive: true });
    await writeFile(join(out, "blind", "recipe.json"), "{}");
    const child = startCli(["train", recipe, "--no-report", "--threads", "2", "--out", out], env);
    expect(await child.ended, child.output()).toBe(1);
    expect(child.output()).toContain("error baseline without pictures: ");
    expect(await readdir(join(out, "model"))).toContain("model.safetensors");
    expect(await readdir(out)).not.toContain("lock");
  });

  it("--blind trains the baseline alone, and says where there is none", async () => {
    const out = join(folder, "alone");
    expect((await cli(["train", recipe, "--blind", "--out", out])).code).toBe(0);
    expect(await readdir(out)).toEqual(["blind"]);
    const none = await cli(["train", recipe, "--blind", "--set", 'stages.finetune.train=["projector"]']);
    expect([none.code, tail(none.out, folder)]).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm train: --blind trains the stages that train on words, and recipe "mini" has none. Leave it out. [E_USAGE]
      ",
      ]
    `);
  });

  it("a run that exists is not overwritten", async () => {
    const out = join(folder, "stopped");
    const again = await cli(["train", recipe, "--out", out]);
    expect([again.code, tail(again.out, folder)]).toMatchInlineSnapshot(`
      [
        2,
        "error There is a run in FOLDER/stopped already. Continue it with --resume, choose another folder with --out, or remove it. [E_USAGE]
      ",
      ]
    `);
    const none = await cli(["train", recipe, "--out", join(folder, "none"), "--resume"]);
    expect([none.code, tail(none.out, folder)]).toMatchInlineSnapshot(`
      [
        1,
        "error There is no run in FOLDER/none to resume. Start one without --resume, or name its folder with --out. [E_CHECKPOINT_MISSING]
      ",
      ]
    `);
  });

  it("Ctrl-C in the terminal of an ablation with several jobs leaves a checkpoint of each run", async () => {
    const out = join(folder, "stopped-jobs");
    const command = [
      "ablate",
      recipe,
      "--losses",
      "none,das",
      "--seeds",
      "0",
      "--jobs",
      "2",
      "--threads",
      "1",
    ];
    const child = startCli([...command, ...long, "--out", out], env);
    const runs = ["none-0", "das-0"].map((name) => join(out, name));
    const started = async (): Promise<void> => {
      for (const run of runs) expect(await readdir(run)).toContain("metrics.jsonl");
    };
    await vi.waitFor(started, { timeout: 150_000, interval: 200 });
    process.kill(-(child.process.pid ?? 0), "SIGINT");
    expect(await child.ended, child.output()).toBe(130);
    for (const run of runs) expect(await readdir(join(run, "checkpoints"))).toHaveLength(1);
  });

  it("ablate trains several runs at a time, each in its own process", async () => {
    const out = join(folder, "jobs");
    const command = ["ablate", recipe, "--losses", "none,das", "--seeds", "0", "--steps", "2", "--jobs", "2"];
    const [argv, execArgv] = [process.argv, process.execArgv];
    process.argv = [process.execPath, BIN];
    process.execArgv = [...NODE_ARGUMENTS];
    const { code, out: printed } = await cli([...command, "--out", out, "--threads", "1"]).finally(() => {
      process.argv = argv;
      process.execArgv = execArgv;
    });
    expect(code, printed).toBe(0);
    expect(printed).toContain("mini-das-0 │");
    const table = JSON.parse(await readFile(join(out, "table.json"), "utf8"));
    expect(table.runs.map(({ outcome }: { outcome: string }) => outcome)).toEqual(["trained", "trained"]);
  });
});

function tail(text: string, folder: string): string {
  return text.slice(text.indexOf("error")).replaceAll(folder, "FOLDER");
}

async function linesOf(run: string): Promise<number> {
  return (await readFile(join(run, "metrics.jsonl"), "utf8")).split("\n").length;
}
