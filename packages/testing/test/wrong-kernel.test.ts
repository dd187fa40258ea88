import {
  direction,
  directionBackward,
  implementKernel,
  type KernelContract,
  linear,
  squaredNorm,
} from "@basic-mllm/core";
import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import {
  type ConformanceOptions,
  implementByReference,
  type KnownGap,
  runConformance,
} from "../src/index.js";

// A suite is worth something only if broken backends fail it.

const any = (contract: unknown) => contract as KernelContract;

function register(backend: string, implement: () => void): ConformanceOptions {
  tf.registerBackend(backend, () => new MathBackendCPU(), 0);
  tf.copyRegisteredKernels("cpu", backend);
  implement();
  return { backend, start: () => tf.setBackend(backend) };
}

/** What BasicSquaredNorm should give. */
function rightNorm(inputs: Readonly<Record<string, tf.TensorInfo>>): tf.Tensor {
  return squaredNorm.reference(inputs as Record<`x${number}`, tf.Tensor>, {})[0] as tf.Tensor;
}

let off: ConformanceOptions;
beforeAll(() => {
  off = register("off", () => {
    implementKernel({
      contract: squaredNorm,
      backend: "off",
      run: ({ inputs }) => tf.tidy(() => tf.mul(rightNorm(inputs), 1.001)),
    });
  });
});

const gapOf = (title: string): KnownGap => ({
  contract: "BasicSquaredNorm",
  title,
  reason: "adds in half precision",
  issue: "#12",
});

describe("runConformance", () => {
  it("fails a kernel that is a little wrong", async () => {
    const result = await runConformance({ ...off, contracts: [any(squaredNorm)] });
    expect(result).toMatchObject({ backend: "off", device: "off", contracts: 1, passed: 0, gaps: 0 });
    expect(result.failed).toBe(squaredNorm.cases.length);
    expect(result.failures.find(({ title }) => title === "a scalar")?.messages).toEqual([
      "forward: output 0[0] is 9.009000778198242, expected 9: difference 9.00e-3 is over 3.60e-5",
    ]);
  });

  it("accepts a known gap that still fails, and counts it", async () => {
    const knownGaps = squaredNorm.cases.map(({ title }) => gapOf(title));
    const result = await runConformance({ ...off, contracts: [any(squaredNorm)], knownGaps });
    expect(result).toMatchObject({ passed: 0, failed: 0, gaps: squaredNorm.cases.length });
  });

  it("fails a known gap that passes again", async () => {
    const good = register("good", () => implementByReference(any(squaredNorm), "good"));
    const result = await runConformance({
      ...good,
      contracts: [any(squaredNorm)],
      knownGaps: [gapOf("a scalar")],
    });
    expect(result.failures).toEqual([
      {
        contract: "BasicSquaredNorm",
        title: "a scalar",
        messages: ["known gap #12 (adds in half precision) passes again: remove it from the list"],
      },
    ]);
  });

  it("refuses a known gap that names no case", async () => {
    await expect(
      runConformance({ ...off, knownGaps: [gapOf("no such case")] }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The known gap "no such case" of BasicSquaredNorm (#12) names no case. Use the title of a case of that contract, or remove the gap. [E_NAME_UNKNOWN]]`,
    );
  });

  it("fails when another backend runs after the start", async () => {
    const absent = { backend: "absent", start: () => tf.setBackend("off"), contracts: [any(squaredNorm)] };
    await expect(runConformance(absent)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Backend "absent" did not start: tfjs runs on "off". A missing device fails the run; it is never skipped. [E_BACKEND_START]]`,
    );
  });

  it("fails a contract that the backend does not implement", async () => {
    const { failures, failed } = await runConformance({ ...off, contracts: [any(linear)] });
    expect(failed).toBe(linear.cases.length);
    expect(failures[0]?.messages[0]).toContain("[E_KERNEL_MISSING]");
  });

  it("fails a kernel that leaks", async () => {
    const leaky = register("leaky", () => {
      implementKernel({
        contract: squaredNorm,
        backend: "leaky",
        run: ({ inputs }) => {
          tf.zeros([1]);
          return rightNorm(inputs);
        },
      });
    });
    const { failures } = await runConformance({ ...leaky, contracts: [any(squaredNorm)] });
    expect(failures[0]?.messages).toEqual(["forward: leaks 1 tensors and 1 buffers"]);
  });

  it("fails a wrong backward kernel through the gradient of the forward contract", async () => {
    const halved = register("halved", () => {
      implementByReference(any(direction), "halved");
      implementKernel({
        contract: directionBackward,
        backend: "halved",
        run: ({ inputs, attrs }) =>
          tf.tidy(() =>
            directionBackward
              .reference(inputs as Record<"dloss" | "v" | "r" | "a", tf.Tensor>, attrs)
              .map((gradient) => tf.mul(gradient, 0.5)),
          ),
      });
    });
    const { failures } = await runConformance({ ...halved, contracts: [any(direction)] });
    const lines = failures.find(({ title }) => title === "odd shape")?.messages ?? [];
    expect(lines.map((line) => line.slice(0, line.indexOf("[")))).toEqual([
      "gradient: dv",
      "gradient: dr",
      "gradient by the stock tape: dv",
      "gradient by the stock tape: dr",
      "gradient of the first input alone: dv",
    ]);
  });

  it("fails a kernel that gives another shape", async () => {
    const flat = register("flat", () => {
      implementKernel({
        contract: squaredNorm,
        backend: "flat",
        run: ({ inputs }) => tf.tidy(() => tf.reshape(rightNorm(inputs), [1])),
      });
    });
    const { failures } = await runConformance({ ...flat, contracts: [any(squaredNorm)] });
    expect(failures[0]?.messages).toEqual(["forward: output 0 has shape [1], expected []"]);
  });
});
