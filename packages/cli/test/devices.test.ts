import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { emulatorEnvironment } from "../../backend-cuda/test/setup.js";
import { type CliChild, startCli, startProgram } from "./child.js";
import { writeMiniTask } from "./mini.js";
import { cli } from "./run-cli.js";

// The emulator compiles the kernels of a step first.
vi.setConfig({ testTimeout: 900_000, hookTimeout: 240_000 });

let folder: string;
let recipe: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "basic-mllm-devices-"));
  const stage = { batchSize: 3, accumulate: 2, learningRate: 1e-2, logEvery: 1 };
  recipe = await writeMiniTask(folder, {
    stages: {
      align: { ...stage, train: ["projector"], steps: 2 },
      finetune: { ...stage, template: "chat", train: ["projector", "language"], steps: 2 },
    },
    evaluation: { blind: false },
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Starts a program of this folder on two ranks. */
function launchRanks(argv: readonly string[], env: Readonly<Record<string, string>> = {}): CliChild {
  return startProgram([fileURLToPath(new URL("launch-ranks.mjs", import.meta.url)), ...argv], env);
}

describe("processes of several GPUs", () => {
  const launch = (...what: readonly string[]) =>
    launchRanks(["rank-program.mjs", "4,7", "train", "--", ...what]);
  const endOf = async (child: CliChild) => [await child.ended, child.output()];

  it("have a GPU each; what rank 0 says is said", async () => {
    expect(await endOf(launch("ends", "ends"))).toEqual([0, '{"device":"4","json":false}\n']);
  });

  it("have the same words, and those after the first print JSON", async () => {
    expect((await endOf(launch("hears", "tells")))[1]).toContain(
      "Its last lines:\\ntrain --json -- hears tells",
    );
  });

  it("end with the error and exit code of the one that failed", async () => {
    expect(await endOf(launch("hears", "fails"))).toEqual([
      3,
      'rank 0 heard {"rank":1,"code":"E_DEVICE_MEMORY","message":"There is no memory. [E_DEVICE_MEMORY]"}\n',
    ]);
    const [code, text] = await endOf(launch("hears", "crashes"));
    expect(code).toBe(3);
    expect(text).toMatchInlineSnapshot(`
      "rank 0 heard {"rank":1,"code":"E_RANK_LOST","message":"the process of rank 1 (GPU 7) ended with 3. Start again with --resume. Its last lines:\\na last word"}
      "
    `);
    expect((await endOf(launch("hears", "dies")))[1]).toMatchInlineSnapshot(`
      "rank 0 heard {"rank":1,"code":"E_RANK_LOST","message":"the process of rank 1 (GPU 7) was ended by SIGKILL, which systems send where memory runs out. Start again with --resume."}
      "
    `);
    expect((await endOf(launch("hears", "is-ended")))[1]).toContain(
      '"the process of rank 1 (GPU 7) was ended by SIGTERM. Start again with --resume."',
    );
  });

  it("end where rank 0 fails or dies, and when nobody listens", async () => {
    expect(await endOf(launch("crashes", "hears"))).toEqual([3, "a last word\n"]);
    expect(await endOf(launch("dies", "hears"))).toMatchInlineSnapshot(`
      [
        99,
        "thrown: Rank 0 failed: the process of rank 0 (GPU 4) was ended by SIGKILL, which systems send where memory runs out. Start again with --resume. [E_RANK_LOST]
      ",
      ]
    `);
    expect(await endOf(launch("waits", "fails"))).toMatchInlineSnapshot(`
      [
        99,
        "rank 0 waits
      thrown: Rank 1 failed: There is no memory. [E_DEVICE_MEMORY]
      ",
      ]
    `);
  });

  it("all get Ctrl-C", async () => {
    const child = launch("waits", "waits");
    await vi.waitFor(() => expect(child.output()).toContain("rank 0 waits"), { timeout: 20_000 });
    child.process.kill("SIGINT");
    expect(await child.ended).toBe(130);
    expect(child.output()).toBe("rank 0 waits\nrank 0 stops\n");
  });

  it("end at the second Ctrl-C, whether they hear it or not", { timeout: 30_000 }, async () => {
    const child = launch("ignores", "ignores");
    await vi.waitFor(() => expect(child.output()).toContain("rank 0 waits"), { timeout: 20_000 });
    child.process.kill("SIGINT");
    // Two signals that come at once are one.
    await setTimeout(500);
    expect(child.process.exitCode).toBe(null);
    child.process.kill("SIGINT");
    expect(await endOf(child)).toEqual([130, "rank 0 waits\n"]);
  });

  it("let rank 0 save once training is over, whatever becomes of the others", async () => {
    expect(await endOf(launch("saves", "fails-late"))).toEqual([0, "rank 0 saved\n"]);
    expect(await endOf(launch("saves", "ignores"))).toEqual([0, "rank 0 saved\n"]);
  });

  it("say what was lost before, also where rank 0 ends well", async () => {
    expect(await endOf(launch("saves-late", "fails"))).toMatchInlineSnapshot(`
      [
        99,
        "rank 0 saved
      thrown: Rank 1 failed: There is no memory. [E_DEVICE_MEMORY]
      ",
      ]
    `);
  });

  it("end where one of them cannot be started", { timeout: 30_000 }, async () => {
    // The output is closed once rank 0 has ended, too.
    expect(await endOf(launch("waits", "cannot-start"))).toEqual([
      99,
      "thrown: spawn /nowhere/node ENOENT\n",
    ]);
  });
});

describe("--devices is refused", () => {
  const refused = async (...argv: readonly string[]) => {
    const { code, out } = await cli(["train", recipe, "--out", join(folder, "never"), ...argv]);
    return [code, out.trimEnd()];
  };

  it("where it is no list of GPUs, or they are none of the backend's", async () => {
    expect(await refused("--backend", "cuda", "--devices", "0,x")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm train: --devices is a list of GPUs as \`nvidia-smi -L\` numbers them, each once, got "0,x". Write for example 0,1. [E_USAGE]",
      ]
    `);
    expect((await refused("--backend", "cuda", "--devices", "1,1"))[1]).toContain('each once, got "1,1"');
    expect(await refused("--devices", "0,1")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm train: --devices chooses GPUs of the backend cuda, and the recipe trains on cpu. Add --backend cuda, or leave it out. [E_USAGE]",
      ]
    `);
  });

  it("where they cannot share a step", async () => {
    expect(await refused("--backend", "cuda", "--devices", "0,1,2")).toMatchInlineSnapshot(`
      [
        1,
        "error stage "align": 3 ranks cannot share a step of 2 micro-batches (accumulate) of 3 samples equally. The same step: batchSize 2, accumulate 3. [E_CONFIG]",
      ]
    `);
    const packed = ["--set", "stages.align.packing=rows", "--devices", "0,1,2,3"];
    expect(await refused("--backend", "cuda", ...packed)).toMatchInlineSnapshot(`
      [
        1,
        "error stage "align": 4 ranks cannot share a step of 6 packed samples (batchSize 3 × accumulate 2) equally. 4 does not divide 6 samples; the nearest step: batchSize 2, accumulate 4. [E_CONFIG]",
      ]
    `);
  });

  it("with the baseline alone, and in another program", async () => {
    expect(await refused("--backend", "cuda", "--devices", "0,1", "--blind")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm train: the baseline of --blind trains on one GPU, and --devices names several. Give one. [E_USAGE]",
      ]
    `);
    expect(await refused("--backend", "cuda", "--devices", "0,1")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm train: --devices with several GPUs starts processes of the command line, and this is another program. Call \`connectRanks\` of @basic-mllm/backend-cuda and \`train\` of @basic-mllm/core in processes of your own. [E_USAGE]",
      ]
    `);
  });
});

describe("a training on two emulated GPUs", () => {
  let env: Readonly<Record<string, string>>;
  beforeAll(async () => {
    env = {
      ...(await emulatorEnvironment()),
      FAKECUDA: "devices=2",
      BASIC_MLLM_CACHE: join(folder, "cache"),
    };
  });
  const command = () => ["train", recipe, "--backend", "cuda", "--no-report"];
  const lossesOf = async (run: string) =>
    (await readFile(join(run, "metrics.jsonl"), "utf8"))
      .split("\n")
      .filter((line) => line.includes('"kind":"train"'))
      .map((line) => JSON.parse(line).loss as number);

  it("has the losses of one, and resumes on as many only", async () => {
    const [one, two] = [join(folder, "one"), join(folder, "two")];
    const both = startCli([...command(), "--devices", "0,1", "--out", two, "--json"], env);
    expect(await both.ended, both.output()).toBe(0);
    const alone = startCli([...command(), "--devices", "1", "--out", one], env);
    expect(await alone.ended, alone.output()).toBe(0);
    const [expected, losses] = [await lossesOf(one), await lossesOf(two)];
    expect(expected).toHaveLength(4);
    expect(losses).toHaveLength(4);
    for (const [i, loss] of expected.entries()) expect(losses[i]).toBeCloseTo(loss, 4);
    expect(await readdir(two)).not.toContain("lock");

    const resumed = startCli([...command(), "--devices", "0", "--out", two, "--resume"], env);
    expect(await resumed.ended).toBe(1);
    expect(resumed.output()).toContain("The run was started on 2 ranks, but resumes on 1.");
  });

  it("ends on both where one has no GPU, with its error and without a lock", async () => {
    const out = join(folder, "three");
    const child = startCli([...command(), "--devices", "0,5", "--out", out], env);
    expect(await child.ended, child.output()).toBe(1);
    expect(child.output()).toMatch(
      /error Rank 0 stops because rank 1 did: .*There is no CUDA device 5: this machine has 2 .*\[E_BACKEND_START\]/,
    );
    expect(await readdir(folder)).not.toContain("three");
  });

  it("stops with a checkpoint where Ctrl-C came, goes on, and ends where its starter is killed", async () => {
    const out = join(folder, "stopped");
    const long = ["--set", "stages.align.steps=100000", "--devices", "0,1"];
    const child = startCli([...command(), ...long, "--out", out], env);
    const reading = () => readFile(join(out, "metrics.jsonl"), "utf8");
    await vi.waitFor(async () => expect(await reading()).toContain('"train"'), { timeout: 300_000 });
    child.process.kill("SIGINT");
    expect(await child.ended, child.output()).toBe(130);
    expect(child.output()).toMatch(
      /go on with: basic-mllm train \S+ --backend cuda --devices 0,1 .*--resume/,
    );
    expect(await readdir(join(out, "checkpoints"))).toHaveLength(1);
    const lines = (await reading()).split("\n").length;
    const again = startCli([...command(), ...long, "--out", out, "--resume"], env);
    await vi.waitFor(async () => expect((await reading()).split("\n").length).toBeGreaterThan(lines), {
      timeout: 300_000,
    });
    // Killed without a word: its ranks notice, and free the run folder.
    again.process.kill("SIGKILL");
    expect(await again.ended, again.output()).toBe("SIGKILL");
    expect(again.output()).toContain("Rank 0 stops because the process that started it is gone.");
    expect(await readdir(out)).not.toContain("lock");
  });

  it("--dry looks at the memory of one of them", async () => {
    const dry = ["--dry", "--device-memory", "1GB", "--json", "--devices"];
    const peaks: number[][] = [];
    for (const devices of ["0", "0,1"]) {
      const child = startCli([...command(), ...dry, devices], env);
      expect(await child.ended, child.output()).toBe(0);
      expect(child.output()).toMatch(/fits: .* of 1\.0 GB of device memory/);
      const result = child
        .output()
        .split("\n")
        .find((line) => line.startsWith("{"));
      const { memory } = JSON.parse(result ?? "") as { memory: readonly { device: number }[] };
      peaks.push(memory.map(({ device }) => device));
    }
    const [one = [], two = []] = peaks;
    expect([one.length, two.length]).toEqual([2, 2]);
    for (const [stage, peak] of two.entries()) expect(peak).toBeLessThan(one[stage] ?? 0);
  });

  it("--memory-limit looks at the memory of one of them", async () => {
    const added: number[] = [];
    for (const devices of ["0", "0,1"]) {
      const limited = ["--memory-limit", "1MB", "--devices", devices, "--out", join(folder, "limited")];
      const child = startCli([...command(), ...limited], env);
      expect(await child.ended, child.output()).toBe(1);
      expect(child.output()).toMatch(
        /error Stage "(?:align|finetune)" would take .* and the limit is 1\.0 MB/,
      );
      // A row of the table: steps, parameters, what training adds.
      added.push(Number(/finetune +2 +\d+ kB +(\d+) kB/.exec(child.output())?.[1]));
    }
    const [one = 0, two] = added;
    expect(two).toBeLessThan(one);
  });

  it("--memory-limit holds on every rank", async () => {
    const out = join(folder, "one-limited");
    const child = launchRanks(["limited-rank.mjs", "0,1", ...command(), "--out", out], env);
    expect(await child.ended, child.output()).toBe(1);
    expect(child.output()).toMatch(
      /error Rank 0 stops because rank 1 did: Stage "(?:align|finetune)" would take .* and the limit is 1\.0 MB/,
    );
  });
});
