import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { isInstalled, valuesOf } from "../../../scripts/steps.mjs";

const STEPS = new URL("../../../scripts/steps.mjs", import.meta.url);
const lockFile = (path) => JSON.parse(readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8"));

describe("isInstalled", () => {
  const lock = {
    packages: {
      "": { name: "root" },
      "packages/a": { version: "0.1.0" },
      "node_modules/@x/a": { resolved: "packages/a", link: true },
      "node_modules/b": { version: "1.0.0", integrity: "sha512-b" },
      "node_modules/c": { version: "2.0.0", integrity: "sha512-c", optional: true },
    },
  };
  const without = (...paths) => ({
    packages: Object.fromEntries(
      Object.entries(lock.packages).filter(([path]) => path !== "" && !paths.includes(path)),
    ),
  });

  it("is false where npm never came to its end, whatever lies in node_modules", () => {
    expect(isInstalled(lock, null)).toBe(false);
  });

  it("is true where everything is there but packages of other platforms", () => {
    expect(isInstalled(lock, without())).toBe(true);
    expect(isInstalled(lock, without("node_modules/c"))).toBe(true);
  });

  it("is false where a package is missing, other or too much", () => {
    expect(isInstalled(lock, without("node_modules/b"))).toBe(false);
    expect(isInstalled(lock, without("node_modules/@x/a"))).toBe(false);
    const older = { packages: { ...without().packages, "node_modules/b": { version: "0.9.0" } } };
    expect(isInstalled(lock, older)).toBe(false);
    const more = { packages: { ...without().packages, "node_modules/d": { version: "1.0.0" } } };
    expect(isInstalled(lock, more)).toBe(false);
  });

  it("knows npm's own files", () => {
    expect(isInstalled(lockFile("package-lock.json"), lockFile("node_modules/.package-lock.json"))).toBe(
      true,
    );
  });
});

describe("valuesOf", () => {
  it("reads both ways to write an option", () => {
    expect(valuesOf("skip", ["--skip", "lint,docs", "--skip=api", "--other", "x"])).toEqual([
      "lint,docs",
      "api",
    ]);
    expect(valuesOf("skip", ["--skip"])).toEqual([]);
  });
});

describe("run", () => {
  const CHILD = `for (const name of ["SIGINT", "SIGTERM"]) process.on(name, () => setTimeout(() => {
    process.stdout.write("saved\\n"); process.exit(130); }, 300));
    setInterval(() => undefined, 1000); process.stdout.write("ready\\n");`;
  const WRAPPER = `import { run } from ${JSON.stringify(STEPS.href)};
    await run(process.execPath, ["--eval", ${JSON.stringify(CHILD)}]); process.stdout.write("next step\\n");`;

  it.each([
    ["Ctrl-C, which the terminal sends to both", "SIGINT", (pid) => -pid],
    ["SIGTERM, which only the wrapper gets", "SIGTERM", (pid) => pid],
  ])("waits for its child after %s", async (_, signal, target) => {
    const wrapper = spawn(process.execPath, ["--input-type=module", "--eval", WRAPPER], {
      detached: true,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    const code = await new Promise((resolve) => {
      wrapper.stdout.on("data", (piece) => {
        text += piece;
        if (text === "ready\n") process.kill(target(wrapper.pid), signal);
      });
      wrapper.on("close", resolve);
    });
    expect([code, text]).toEqual([130, "ready\nsaved\n"]);
  });

  it("ends its child where a command beside it failed", async () => {
    const program = `import { run } from ${JSON.stringify(STEPS.href)};
      const failing = new Promise((_, reject) => setTimeout(reject, 500, new Error("beside")));
      await Promise.all([failing, run(process.execPath, ["--eval", ${JSON.stringify(CHILD)}])]);`;
    const stdio = ["ignore", "pipe", "ignore"];
    const wrapper = spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio });
    let text = "";
    wrapper.stdout.on("data", (piece) => {
      text += piece;
    });
    const code = await new Promise((resolve) => {
      wrapper.on("close", resolve);
    });
    expect(code).toBe(1);
    // A child that had not begun to listen yet is ended without a word.
    expect(["", "ready\nsaved\n"]).toContain(text);
  });
});
