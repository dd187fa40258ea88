// npm run check: every gate, in the order in which they fail fastest. `--skip name,name` leaves some out.
import { build, buildNative, finish, install, run, valuesOf, vitest } from "./steps.mjs";

const skipped = new Set(valuesOf("skip", process.argv.slice(2)).flatMap((names) => names.split(",")));
const total = { passed: 0, failed: 0 };
const times = [];

async function step(name, action) {
  if (skipped.has(name)) return;
  const start = Date.now();
  process.stdout.write(`\n▶ ${name}\n`);
  let ok = false;
  try {
    ok = await action();
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
  }
  times.push(`${ok ? "✔" : "✖"} ${name} ${((Date.now() - start) / 1000).toFixed(1)} s`);
  if (!ok) total.failed += 1;
}
const command =
  (file, ...args) =>
  async () =>
    (await run(file, args)) === 0;

await install();
await step("lint", command("npx", "biome", "check", "--error-on-warnings", "."));
await step("types", command("npx", "turbo", "run", "typecheck", "--output-logs=errors-only"));
await step("native", async () => {
  await buildNative();
  return true;
});
await step("rust", command(process.execPath, "scripts/check-rust.mjs"));
await step("test", async () => {
  const counts = await vitest([]);
  total.passed += counts.passed;
  total.failed += counts.failed;
  return counts.failed === 0;
});
await step("golden", command(process.execPath, "scripts/golden.mjs"));
await step("build", async () => {
  await build();
  return true;
});
await step("packages", command("npx", "turbo", "run", "check:package", "--output-logs=errors-only"));
await step("knip", command("npx", "knip"));
await step("size", command("npx", "size-limit"));
await step("docs", command("npx", "typedoc"));
await step("api", command(process.execPath, "scripts/api.mjs", "--check"));

process.stdout.write(`\n${times.join("\n")}\n`);
finish(total);
