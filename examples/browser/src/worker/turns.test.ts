import { describe, expect, it } from "vitest";

import { Turns } from "./turns.js";

describe("Turns", () => {
  it("does things one after the other without a run", async () => {
    const turns = new Turns();
    const done: string[] = [];
    const slow = turns.do(async () => {
      await Promise.resolve();
      done.push("slow");
    });
    await Promise.all([slow, turns.do(async () => void done.push("fast"))]);
    expect(done).toEqual(["slow", "fast"]);
  });

  it("keeps what is asked for during a run for the gaps between its steps", async () => {
    const turns = new Turns();
    const done: string[] = [];
    let asked: Promise<unknown> = Promise.resolve();
    await turns.training(async () => {
      asked = turns.do(async () => void done.push("asked"));
      await Promise.resolve();
      done.push("step 1");
      await turns.gap();
      done.push("step 2");
    });
    await asked;
    expect(done).toEqual(["step 1", "asked", "step 2"]);
  });

  it("does what is left after a run that failed, and hands errors to who asked", async () => {
    const turns = new Turns();
    let asked: Promise<unknown> = Promise.resolve();
    const run = turns.training(async () => {
      asked = turns.do(() => Promise.reject(new Error("of the question")));
      throw new Error("of the run");
    });
    await expect(run).rejects.toThrow("of the run");
    await expect(asked).rejects.toThrow("of the question");
    expect(await turns.do(async () => "later")).toBe("later");
  });
});
