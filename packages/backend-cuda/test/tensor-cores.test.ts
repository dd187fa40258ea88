import { fetchWheels } from "@basic-mllm/cuda-emulator";
import { runConformance, testBackend } from "@basic-mllm/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { compilationOf } from "../src/compile/compiler.js";
import { Nvrtc } from "../src/compile/nvrtc.js";
import { BACKEND_NAME, start, stop, toleranceFactor } from "../src/index.js";
import { attentionPrograms } from "../src/kernels/attention/programs.js";
import { attentionAndLossContracts } from "./attention-shapes.js";
import { TEST_DEVICE } from "./device.js";
import { emulated, fake } from "./emulator.js";
import { boundedContracts, MANTISSA } from "./tensor-shapes.js";

testBackend({
  backend: BACKEND_NAME,
  start: () => start({ ...TEST_DEVICE, precision: "tf32" }),
  contracts: boundedContracts(MANTISSA.tf32),
});

describe("attention on tensor cores", () => {
  let nvrtc: Nvrtc;
  beforeAll(async () => {
    nvrtc = new Nvrtc((await fetchWheels()).nvrtc);
  });

  it.each([80, 90])("has their instructions in its image for sm_%i", (architecture) => {
    const target = { kind: "ptx", architecture: `compute_${architecture}` } as const;
    const programs = attentionPrograms.filter(({ name }) => /in (tf32|bf16), .* of 2 chunks$/.test(name));
    expect(programs).toHaveLength(6);
    for (const program of programs) {
      const text = Buffer.from(nvrtc.compile(compilationOf(program, target)).ptx).toString();
      const tf32 = program.defines?.["OPERAND"] === "TF32";
      const form = tf32 ? "m16n8k8.row.col.f32.tf32.tf32.f32" : "m16n8k16.row.col.f32.bf16.bf16.f32";
      expect(text, program.name).toContain(`mma.sync.aligned.${form}`);
      expect(text, program.name).toContain("ldmatrix.sync.aligned.m8n8.x4");
      expect(text.includes("cp.async.cg.shared.global"), program.name).toBe(tf32);
    }
  });
});

describe("a GPU without such tensor cores", () => {
  afterAll(() => {
    stop();
    fake.reset();
  });

  it("computes attention in float32 whatever the precision", async () => {
    stop();
    fake.reset();
    fake.configure({ computeCapability: 75 });
    const contracts = attentionAndLossContracts
      .filter(({ name }) => name === "BasicAttention")
      .map((contract) => ({ ...contract, cases: contract.cases.slice(1, 2) }));
    const options = {
      backend: BACKEND_NAME,
      start: () => start(emulated({ precision: "tf32" })),
      contracts,
      toleranceFactor,
    };
    expect((await runConformance(options)).failures).toEqual([]);
  });
});
