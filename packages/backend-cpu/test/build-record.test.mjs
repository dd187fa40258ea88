import { copyFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";

import { hashOf, isCurrent, recordBuild } from "../scripts/build-record.mjs";

let folder;
let place;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "build-record-"));
  place = (name) => path.join(folder, name);
  mkdirSync(place("src/kernels"), { recursive: true });
  writeFileSync(place("src/lib.rs"), "mod kernels;");
  writeFileSync(place("src/kernels/add.rs"), "one");
  writeFileSync(place("addon.node"), "built of one");
  recordBuild(place("addon.node"), hashOf([place("src")]), place("target"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const current = () => isCurrent(place("addon.node"), [place("src")], place("target"));

it("knows a file that was built of the sources, whatever their times", () => {
  expect(current()).toBe(true);
  const later = new Date(Date.now() + 1e6);
  utimesSync(place("src/lib.rs"), later, later);
  expect(current()).toBe(true);
});

it.each([
  ["a source that changed", () => writeFileSync(place("src/kernels/add.rs"), "two")],
  ["a source that is new", () => writeFileSync(place("src/kernels/mul.rs"), "")],
  ["a source that is gone", () => rmSync(place("src/kernels/add.rs"))],
  ["a source in another place", () => copyFileSync(place("src/lib.rs"), place("src/other.rs"))],
  ["an addon from elsewhere", () => writeFileSync(place("addon.node"), "built of two")],
  ["no addon", () => rmSync(place("addon.node"))],
  ["no record of the build", () => rmSync(place("target"), { recursive: true })],
])("builds again for %s", (_, change) => {
  change();
  expect(current()).toBe(false);
});
