import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { commitOf } from "./version.js";

let project: string;

function git(...argv: readonly string[]): string {
  const identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"];
  return spawnSync("git", [...identity, ...argv], { cwd: project, encoding: "utf8" }).stdout.trim();
}

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "basic-mllm-git-"));
});
afterAll(() => rm(project, { recursive: true, force: true }));

describe("commitOf", () => {
  const folders = ["packages/cli", "node_modules/@basic-mllm/cli"];

  it("is null outside of any clone, and in one without a commit", async () => {
    for (const folder of folders) {
      await mkdir(join(project, folder), { recursive: true });
      expect(commitOf(join(project, folder))).toBeNull();
    }
    git("init", "--quiet");
    expect(commitOf(join(project, "packages/cli"))).toBeNull();
  });

  it("is the commit of our own clone, and none of the project that we are installed in", () => {
    git("commit", "--quiet", "--allow-empty", "--message", "first");
    const found = folders.map((folder) => commitOf(join(project, folder)));
    expect(found).toEqual([git("rev-parse", "HEAD"), null]);
    expect(found[0]).toMatch(/^[0-9a-f]{40}$/);
  });
});
