import { defineConfig, type Options } from "tsup";

const shared: Options = {
  format: ["esm"],
  target: "es2022",
  dts: true,
  sourcemap: true,
  treeshake: true,
};

// Apart, so that each has its whole declarations in one file.
export default defineConfig([
  { ...shared, entry: ["src/index.ts"], platform: "node", clean: true },
  { ...shared, entry: ["src/browser.ts"], platform: "browser", clean: false },
]);
