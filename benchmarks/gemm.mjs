// Matrix products: GF/s of the own kernels and of the `gemm` crate, in turns in one process of native code.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { root } from "./rows.mjs";

const manifest = join(root, "packages", "backend-cpu", "native", "Cargo.toml");

/** Rows of native/examples/gemm.rs, whose shapes (m x n x k and operands) contain the filter. */
export function rowsOfProducts(filter, { threads = 1 }) {
  const cargo = ["run", "--release", "--locked", "--quiet", "--manifest-path", manifest, "--example", "gemm"];
  const { status, stdout } = spawnSync("cargo", [...cargo, "--", filter, "--threads", String(threads)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`the products ended with exit code ${status}; see above`);
  return parseProducts(stdout);
}

/** One row per shape, operands, precision and number of threads: GF/s by method. */
export function parseProducts(text) {
  const rows = new Map();
  for (const line of text.trim().split("\n")) {
    const { m, n, k, operands, precision, method, chosen, gflops } = JSON.parse(line);
    const name = `gemm/${m}x${n}x${k}/${operands}/${precision === "Exact" ? "f32" : "bf16"}`;
    const row = rows.get(name) ?? { case: name, mode: "product", chosen: null, gflops: {} };
    row.gflops[method.toLowerCase()] = gflops;
    if (chosen) row.chosen = method.toLowerCase();
    rows.set(name, row);
  }
  return [...rows.values()];
}
