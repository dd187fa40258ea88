import { setTimeout } from "node:timers/promises";

import { expect, it } from "vitest";

import { collectGarbage } from "./garbage.js";

it("frees what no variable holds", async () => {
  const held = new WeakRef(new Uint8Array(1000));
  // A weak reference holds its target until the turn ends.
  await setTimeout(0);
  collectGarbage();
  expect(held.deref()).toBeUndefined();
});
