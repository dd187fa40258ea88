// The packages as users get them: packed, and installed into an empty folder outside of the repository. Needs the build.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

const PACKAGES = fileURLToPath(new URL("../..", import.meta.url));
const runFile = promisify(execFile);

/** A training step with nothing but core and tfjs-core. */
const STEP = `
import { createDirectionLoss, createProjector, startBackend, valueAndGradients } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

await startBackend("cpu");
const projector = createProjector("mlp2x_gelu", { features: 8, width: 16 });
const features = { rows: tf.randomNormal([6, 8], 0, 1, "float32", 1), offsets: Int32Array.of(0, 6), grids: [[2, 3]] };
const refined = tf.randomNormal([6, 16], 0, 1, "float32", 2);
const images = [{ sample: 0, start: 0, length: 6 }];
const direction = createDirectionLoss({ normalise: "uniform" });
const loss = () => direction.compute({ initial: projector.project(features).rows, refined, images }).sum;
const parameters = [...projector.parameters];
const losses = [];
for (let step = 0; step < 2; step++) {
  const { value, gradients } = valueAndGradients(loss, parameters.map((parameter) => parameter.value));
  losses.push((await value.data())[0]);
  for (const [i, parameter] of parameters.entries()) {
    parameter.assign(tf.tidy(() => tf.sub(parameter.value, tf.mul(gradients[i], 0.1))));
  }
}
process.stdout.write(JSON.stringify({ backend: tf.getBackend(), losses }));
`;

describe("the packed packages in an empty folder", () => {
  let folder = "";
  let app = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "basic-mllm-pack-"));
    app = join(folder, "app");
    const tarballs = join(folder, "tarballs");
    await mkdir(app);
    await mkdir(tarballs);
    for (const name of await packageFolders()) {
      await run("npm", ["pack", "--pack-destination", tarballs], name);
    }
    await writeFile(join(app, "package.json"), JSON.stringify({ private: true, type: "module" }));
    const files = (await readdir(tarballs)).map((file) => join(tarballs, file));
    await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", ...files], app);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Runs a command in `cwd` as a stranger would: no caches, and none of this test's variables. */
  async function run(command: string, args: readonly string[], cwd = app): Promise<string> {
    const { NODE_OPTIONS: _, NODE_ENV: __, ...env } = process.env;
    const { stdout } = await runFile(command, [...args], {
      cwd,
      env: { ...env, BASIC_MLLM_CACHE: join(folder, "cache") },
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  }

  it("hold what they are imported for, and nothing that only tests read", async () => {
    const installed = join(app, "node_modules", "@basic-mllm");
    for (const name of await readdir(installed)) {
      const { exports } = JSON.parse(await readFile(join(installed, name, "package.json"), "utf8"));
      const files = await readdir(join(installed, name), { recursive: true });
      for (const target of targets(exports)) {
        const [start, end = ""] = target.replace("./", "").split("*") as [string, string?];
        const found = target.includes("*")
          ? files.some((file) => file.startsWith(start) && file.endsWith(end))
          : files.includes(start);
        expect(found, `${name}/${target}`).toBe(true);
      }
      expect(
        files.filter((file) => /\.test\.ts$|^test/.test(file)),
        name,
      ).toEqual([]);
    }
  });

  it("take a training step with core and tfjs-core alone", async () => {
    await writeFile(join(app, "step.mjs"), STEP);
    const { backend, losses } = JSON.parse(await run(process.execPath, ["step.mjs"]));
    expect(backend).toBe("basiccpu");
    expect(losses[1]).toBeLessThan(losses[0]);
  });

  it("train the smoke recipe from its drawings to its report", async () => {
    const printed = await run("npx", ["basic-mllm", "train", "smoke", "--steps", "5", "--json"]);
    const summary = JSON.parse(printed.trimEnd().split("\n").at(-1) ?? "");
    expect(summary).toMatchObject({
      recipe: "smoke",
      steps: 10,
      report: expect.stringContaining("report.html"),
    });
    expect(existsSync(join(app, summary.report))).toBe(true);
  });
});

/** Folders of the packages that are published. */
async function packageFolders(): Promise<readonly string[]> {
  const names = await readdir(PACKAGES);
  const folders = names
    .map((name) => join(PACKAGES, name))
    .filter((path) => existsSync(join(path, "package.json")));
  const published = await Promise.all(
    folders.map(async (path) => {
      const { private: hidden } = JSON.parse(await readFile(join(path, "package.json"), "utf8"));
      return hidden === true ? [] : [path];
    }),
  );
  return published.flat();
}

/** Every file that `exports` names. */
function targets(exports: unknown): readonly string[] {
  if (typeof exports === "string") return [exports];
  return typeof exports === "object" && exports !== null ? Object.values(exports).flatMap(targets) : [];
}
