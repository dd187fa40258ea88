import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { afterEach, describe, expect, it } from "vitest";

import { openStep, type StepCase, stepCases } from "../../../benchmarks/cuda/llava.mjs";
import { type PeakMemory, type RehearsedStep, rooflinePage } from "../../../benchmarks/cuda/page.mjs";
import { type CudaBackend, type RehearsedWork, start, startedBackend, stop } from "../src/index.js";
import { contractPrograms } from "../src/kernels/programs.js";
import { stockPrograms } from "../src/operations/programs.js";

const fromRoot = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** Samples of a step. */
const STEP = 16;

afterEach(stop);

async function imagine(precision: "f32" | "tf32" | "bf16"): Promise<CudaBackend> {
  stop();
  await start({ imagine: 80e9, precision });
  return startedBackend();
}

interface Rehearsal {
  readonly backend: CudaBackend;
  readonly samples: number;
  readonly storage: "f32" | "bf16";
}

/** Everything that a step enqueues, and the memory that it takes. */
async function rehearse(chosen: StepCase, { backend, samples, storage }: Rehearsal) {
  const opened = openStep(chosen, { samples, storage });
  const weightBytes = backend.allocator.statistics.usedBytes;
  const works: RehearsedWork[] = [];
  backend.allocator.flush();
  const peakBytes =
    backend.allocator.statistics.reservedBytes +
    (await backend.rehearse(async () => {
      // Moments are made in the first step.
      await opened.step();
      if (samples === STEP) backend.watchRehearsal = (work) => works.push(work);
      await opened.step();
      backend.watchRehearsal = undefined;
      opened.disposeOptimizer();
    }));
  opened.dispose();
  return { rows: opened.rows, works, weightBytes, peakBytes };
}

describe("the roofline", () => {
  it("is what the documentation says", async () => {
    const steps: RehearsedStep[] = [];
    const memory: PeakMemory[] = [];
    for (const chosen of stepCases) {
      for (const [precision, storage, samples] of [
        ["f32", "bf16", STEP],
        ["tf32", "bf16", STEP],
        ["bf16", "bf16", STEP],
        ["f32", "bf16", 4],
        ["bf16", "bf16", 4],
        ["f32", "f32", 4],
      ] as const) {
        const backend = await imagine(precision);
        const { rows, works, ...bytes } = await rehearse(chosen, { backend, samples, storage });
        if (precision !== "tf32") memory.push({ chosen, samples, storage, precision, ...bytes });
        if (samples === STEP) steps.push({ chosen, precision, rows, works });
      }
    }
    const host = readFileSync(fromRoot("benchmarks/results/cuda.jsonl"), "utf8");
    const text = rooflinePage({ steps, memory, host });
    await expect(text).toMatchFileSnapshot(fromRoot("docs/cuda-roofline.md"));
  }, 600_000);

  it.each([
    ["f32", ["3436", "1000", "811"]],
    ["tf32", ["429", "135", "811"]],
    ["bf16", ["3436", "1000", "811"]],
  ] as const)(
    "counts products of float32 in %s at the rate that the library has for them",
    (precision, times) => {
      const [chosen] = stepCases as readonly [StepCase];
      const work = { name: "product nt", kind: "product", factors: "f32", flops: 67e12, bytes: 1e6 } as const;
      const steps = [{ chosen, precision, rows: 1, works: [work] }];
      const page = rooflinePage({ steps, memory: [], host: "" }).split("\n");
      for (const start of [`| ${chosen.name} | ${precision} | 1 |`, "| product nt | 1 |"]) {
        const cells = page.find((line) => line.startsWith(start))?.split(" | ");
        expect(cells?.slice(-3).join(" ")).toBe(`${times.join(" ")} |`);
      }
    },
  );

  it("knows the work of every program", () => {
    for (const { name, work } of [...contractPrograms, ...stockPrograms])
      expect(work, name).toBeTypeOf("function");
  });
});
