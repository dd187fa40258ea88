import { recipes, tinyEncoder } from "@basic-mllm/recipes";
import { describe, expect, it } from "vitest";

import { plain } from "../../test/run-cli.js";
import type { Terminal } from "../terminal.js";
import { printStartTable, type StartTable } from "./start-table.js";

const backend = { name: "cpu", tfjsName: "basiccpu", device: "native kernels, avx2, 2 threads" };

function printed(table: Omit<StartTable, "backend">): string {
  let text = "";
  const terminal = {
    line: (line = "") => {
      text += `${line}\n`;
    },
  } as Terminal;
  printStartTable(terminal, { ...table, backend });
  return plain(text);
}

describe("printStartTable", () => {
  const parts = [{ name: "vision", parameters: 1200 }];

  it("shows the losses of each stage as the recipe weighs them, and the memory", () => {
    const memory = "the memory table";
    expect(`\n${printed({ recipe: tinyEncoder, parts, memory })}`).toMatchInlineSnapshot(`
      "
      tiny-encoder  seed 0  backend cpu (native kernels, avx2, 2 threads)
        PART    PARAMETERS  CONTRAST
        vision  1.2 k       trains
        contrast  2400 steps of batch 64, learning rate 0.0015, loss = 1 contrastive
      the memory table

      "
    `);
  });

  it("shows what a step is divided into, where that is rows", () => {
    const [stage] = Object.values(tinyEncoder.stages);
    const packed = { ...stage, packing: "rows", accumulate: 2, rowBudget: 2048 };
    const recipe = { ...tinyEncoder, stages: { contrast: packed } } as typeof tinyEncoder;
    expect(printed({ recipe, parts })).toContain(
      "steps of batch 128 packed into at most 2048 rows at a time,",
    );
  });

  it("shows the learning rate of each entry, and one epoch as one", () => {
    const [stage] = Object.values(tinyEncoder.stages);
    const learningRate = { vision: 0.001, text: 0.00002 };
    const recipe = {
      ...tinyEncoder,
      stages: { contrast: { ...stage, steps: { epochs: 1 }, learningRate } },
    } as typeof tinyEncoder;
    expect(printed({ recipe, parts })).toContain(
      "1 epoch of batch 64, learning rate 0.001 vision, 0.00002 text, loss = 1 contrastive",
    );
  });

  it("shows a weight of the language loss that is not 1", () => {
    const { quickstart } = recipes;
    if (quickstart === undefined) throw new Error("the quickstart is gone");
    const stages = Object.fromEntries(
      Object.entries(quickstart.stages).map(([name, stage]) => {
        const language = { weight: 0.5, start: 0, ramp: 0, options: {} };
        return [name, { ...stage, losses: { ...stage.losses, language } }];
      }),
    );
    const text = printed({ recipe: { ...quickstart, stages } as typeof quickstart, parts });
    expect(text).toContain("loss = 0.5 language + 0.05 direction + 0.01 distribution\n");
    expect(text).not.toContain("GRADIENTS");
  });
});
