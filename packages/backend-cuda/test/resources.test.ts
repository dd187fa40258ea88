import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { fetchWheels } from "@basic-mllm/cuda-emulator";
import { beforeAll, describe, expect, it } from "vitest";

import { Nvrtc } from "../src/compile/nvrtc.js";
import { contractPrograms } from "../src/kernels/programs.js";
import type { Program } from "../src/program.js";
import { architectures, occupancyOf, parseLog, type Resources, resourcesOf, threadsOf } from "./resources.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const folder = join(root, ".cache", "cuda", "resources");
const page = join(root, "docs", "cuda-resources.md");

/** Architectures of the page, oldest first. */
const numbers = Object.keys(architectures).map(Number);

/** Share of the threads of an SM that must fit at once, unless a kernel is listed below. */
const USUAL_OCCUPANCY = 0.5;

/** Kernels that keep results in registers instead, and the share that they state with `__launch_bounds__`. */
const LOWER_OCCUPANCY: readonly (readonly [name: RegExp, share: number])[] = [
  [/^attention.* rows, heads/, 0.125],
  [/^packed product .* x8$/, 0.25],
  [/^packed product .* x2$/, 0.375],
  [/^few rows .* x8$/, 0.25],
  [/^few rows .* x4$/, 0.375],
  [/^adamw int8$/, 0.375],
];

let nvrtc: Nvrtc;

beforeAll(async () => {
  nvrtc = new Nvrtc((await fetchWheels()).nvrtc);
}, 600_000);

function least({ name }: Program): number {
  return LOWER_OCCUPANCY.find(([pattern]) => pattern.test(name))?.[1] ?? USUAL_OCCUPANCY;
}

function ofProgram(program: Program, architecture: number): Resources {
  const found = resourcesOf(program, architecture, { nvrtc, folder });
  const own = found.find(({ entry }) => entry === program.entry);
  if (own === undefined) throw new Error(`ptxas says nothing about ${program.entry} of "${program.name}".`);
  return own;
}

/** What a kernel takes that it must not, for people. */
function excesses(program: Program, architecture: number): readonly string[] {
  const resources = ofProgram(program, architecture);
  const occupancy = occupancyOf(program, resources, architecture);
  const { spillBytes, stackBytes, registers } = resources;
  return [
    ...(spillBytes === 0 ? [] : [`${program.name}: ${spillBytes} bytes of spilled registers`]),
    ...(stackBytes === 0 ? [] : [`${program.name}: ${stackBytes} bytes of stack`]),
    ...(occupancy >= least(program)
      ? []
      : [`${program.name}: occupancy ${occupancy} with ${registers} registers`]),
  ];
}

/** Whether a program is for this architecture. */
function runsOn(architecture: number) {
  return ({ oldest = 0 }: Program): boolean => oldest <= architecture;
}

function line(program: Program): string {
  const all = numbers.map((architecture) => {
    if (!runsOn(architecture)(program)) return { shared: 0, text: "–" };
    const resources = ofProgram(program, architecture);
    const share = Math.round(100 * occupancyOf(program, resources, architecture));
    return { shared: resources.sharedBytes, text: `${resources.registers} (${share} %)` };
  });
  const shared = Math.max(...all.map((each) => each.shared)) + (program.sharedBytes ?? 0);
  return `| ${[program.name, threadsOf(program), shared, ...all.map(({ text }) => text)].join(" | ")} |`;
}

describe("what kernels take of an SM", () => {
  it.each(numbers)(
    "is no spilled register, no stack and the stated occupancy on sm_%i",
    (architecture) => {
      const programs = contractPrograms.filter(runsOn(architecture));
      expect(programs.flatMap((program) => excesses(program, architecture))).toEqual([]);
    },
    1_800_000,
  );

  it("is what the documentation says", async () => {
    const columns = numbers.map((architecture) => `sm_${architecture}`);
    const text = [
      "# What CUDA kernels take",
      "",
      `Registers of a thread, and the share of an SM's threads that are resident, by architecture: ${contractPrograms.length} ` +
        "kernels and variants, compiled by NVRTC 12.9.",
      "Those in tf32 and bf16 are for tensor cores, from sm_80 on.",
      "None of them spills registers or has a stack: `packages/backend-cuda/test/resources.test.ts`, which writes this page",
      "with `-u`.",
      "",
      `| kernel | threads of a block | bytes of shared memory | ${columns.join(" | ")} |`,
      `| --- | --- | --- |${" --- |".repeat(numbers.length)}`,
      ...contractPrograms.map(line),
      "",
    ].join("\n");
    await expect(text).toMatchFileSnapshot(page);
  }, 1_800_000);
});

describe("the report of ptxas", () => {
  it("is read by kernel", () => {
    const log = `ptxas info    : Compiling entry function 'a' for 'sm_90'
ptxas info    : Function properties for a
    16 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Used 32 registers, used 1 barriers, 16 bytes cumulative stack size, 2048 bytes smem
ptxas info    : Compiling entry function 'b' for 'sm_90'
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 0 barriers`;
    expect(parseLog(log)).toEqual([
      { entry: "a", registers: 32, sharedBytes: 2048, stackBytes: 16, spillBytes: 12 },
      { entry: "b", registers: 8, sharedBytes: 0, stackBytes: 0, spillBytes: 0 },
    ]);
  });

  it("gives the occupancy that NVIDIA's calculator gives", () => {
    const work = () => ({ bytes: 0, flops: 0 });
    const block = (threads: number) => ({
      name: "",
      source: "",
      entry: "",
      params: {},
      block: threads,
      work,
    });
    const taken = (registers: number, sharedBytes = 0) => ({
      ...{ entry: "", registers, sharedBytes },
      ...{ stackBytes: 0, spillBytes: 0 },
    });
    expect(occupancyOf(block(256), taken(32), 90)).toBe(1);
    expect(occupancyOf(block(256), taken(128), 90)).toBe(0.25);
    expect(occupancyOf(block(256), taken(65), 80)).toBe(0.375);
    expect(occupancyOf(block(32), taken(16), 86)).toBeCloseTo(1 / 3);
    expect(occupancyOf(block(256), taken(32, 48 * 1024), 89)).toBeCloseTo(1 / 3);
  });
});
