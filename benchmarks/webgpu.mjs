// node benchmarks/webgpu.mjs [--hardware]: our kernels and a training step on WebGPU beside the compositions of stock tfjs
// operations that define them, on the same adapter: SwiftShader, or with --hardware the machine's own. Needs `npm run build`.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { swiftShaderEnvironment } from "../packages/backend-webgpu/scripts/swiftshader.mjs";
import { provenance, report } from "./rows.mjs";

const CASES = ["linear-kl", "linear-cross-entropy", "language-step", "multimodal-step"];
const dry = process.argv.includes("--dry");
const env = process.argv.includes("--hardware") ? {} : swiftShaderEnvironment();
const child = fileURLToPath(new URL("./webgpu/child.mjs", import.meta.url));

for (const name of CASES) {
  const [ours, stock] = ["ours", "stock"].map((side) => {
    const output = execFileSync(process.execPath, [child, side, name], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "inherit"],
      encoding: "utf8",
    });
    return JSON.parse(output.trim().split("\n").at(-1));
  });
  const { case: title, adapter } = ours;
  const ratio = Math.round((1000 * ours.ms) / stock.ms) / 1000;
  const row = { kind: "webgpu", case: title, adapter, ours_ms: ours.ms, stock_ms: stock.ms, ratio };
  const counts = {
    ours_dispatches: ours.dispatches,
    stock_dispatches: stock.dispatches,
    ours_mb: ours.mb,
    stock_mb: stock.mb,
  };
  report("webgpu", { ...row, ...counts, ...provenance() }, { dry });
}
