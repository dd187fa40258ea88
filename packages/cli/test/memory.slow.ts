// The peak that `--dry` predicts, against the peak of a run in a process of its own. Linux: needs /proc. Needs the build.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, expect, it } from "vitest";

const BIN = fileURLToPath(new URL("../bin.mjs", import.meta.url));

/** Largest difference of prediction and measurement. */
const TOLERANCE = 0.05;

/** Equal runs differ by 2 or 3 %, as V8 collects garbage when it likes: the median of so many predictions, and of so many runs, counts. */
const REPEATS = 3;

/** Long enough for every size of batch; the sets are small, so that drawing them does not take minutes. */
const STEPS = ["--steps", "60"];
const CHANGES = [
  ...["train1=2000", "train2=2000", "test=40"].map((change) => `data.builder.options.${change}`),
  ...["blind=false", "analysis=false"].map((change) => `evaluation.${change}`),
].flatMap((change) => ["--set", change]);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "basic-mllm-memory-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Finished {
  readonly json: { memory?: { stage: string; resident: number }[] };
  readonly peak: number;
}

/** Runs `basic-mllm train quickstart` and watches its peak. */
async function train(more: readonly string[]): Promise<Finished> {
  const args = [BIN, "train", "quickstart", ...STEPS, ...CHANGES, "--json", "--no-report", ...more];
  const env = { ...process.env, BASIC_MLLM_CACHE: join(folder, "cache") };
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  let [text, peak] = ["", 0];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const timer = setInterval(async () => {
    peak = (await peakOf(child.pid as number)) ?? peak;
  }, 50);
  const code = await new Promise((resolve) => child.on("close", resolve));
  clearInterval(timer);
  expect(code, text).toBe(0);
  return { json: JSON.parse(text.trimEnd().split("\n").at(-1) ?? ""), peak };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[(values.length - 1) / 2] as number;
}

async function peakOf(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

const PACKED = ["packing=rows", "rowBudget=256"].flatMap((change) =>
  ["align", "finetune"].flatMap((stage) => ["--set", `stages.${stage}.${change}`]),
);

it.each([
  [1, "square", []],
  [2, "square", []],
  [2, "anyres", []],
  [2, "anyres", PACKED],
])(
  "is what a run uses within a twentieth, on %i threads with %s pictures %s",
  async (threads, ratio, more) => {
    const common = ["--threads", String(threads), "--set", `model.imageAspectRatio=${ratio}`, ...more];
    // The first call draws the pictures and stores the features: their memory is not that of training.
    await train([...common, "--dry"]);
    const predictions: number[] = [];
    const peaks: number[] = [];
    for (let i = 0; i < REPEATS; i++) {
      const { json } = await train([...common, "--dry"]);
      predictions.push(Math.max(...(json.memory ?? []).map(({ resident }) => resident)));
      const out = join(folder, `run-${threads}-${ratio}-${more.length}-${i}`);
      peaks.push((await train([...common, "--out", out])).peak);
    }
    const [predicted, peak] = [median(predictions), median(peaks)];
    process.stdout.write(
      `${threads} threads, ${ratio} ${more.join(" ")}: predicted ${predicted / 1e6} MB, used ${peak / 1e6} MB\n`,
    );
    expect(Math.abs(predicted - peak) / peak).toBeLessThan(TOLERANCE);
  },
);
