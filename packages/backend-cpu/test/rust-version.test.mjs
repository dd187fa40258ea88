import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { neededRust, rustProblem } from "../scripts/rust-version.mjs";

const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const needed = neededRust(read("native/Cargo.toml"));

describe("rustProblem", () => {
  it("is null where cargo is new enough", () => {
    for (const version of ["1.89.0 (abc 2025-01-01)", "1.95.1-nightly", "2.0.0"]) {
      expect(rustProblem(`cargo ${version}\n`, "1.89")).toBeNull();
    }
  });

  it("says what is needed, what is here and how to get it", () => {
    expect(rustProblem("cargo 1.80.1 (376290515 2024-07-16)\n", "1.89")).toBe(
      "Building @basic-mllm/backend-cpu needs Rust 1.89 or later, and here is cargo 1.80.1 (376290515 2024-07-16). Run `rustup update`, or install Rust with rustup (https://rustup.rs), and run the build again.",
    );
    expect(rustProblem("", "1.89")).toContain("here is a cargo that prints no version");
  });

  it("says so where there is no cargo", () => {
    expect(rustProblem(null, "1.89")).toBe(
      "Building @basic-mllm/backend-cpu needs Rust 1.89 or later, and `cargo` was not found. Install it with rustup (https://rustup.rs), open a new shell, and run the build again.",
    );
  });
});

it.each(["../../README.md", "../../CONTRIBUTING.md", "../../docs/getting-started.md", "../../.ci/run"])(
  "%s asks for the Rust of Cargo.toml",
  (path) => {
    const numbers = [...read(path).matchAll(/Rust (?:\(cargo\) )?(?:≥ )?(\d+\.\d+)/g)].map(
      ([, number]) => number,
    );
    expect(new Set(numbers)).toEqual(new Set([needed]));
  },
);
