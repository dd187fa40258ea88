import { defineConfig } from "vitest/config";
import { swiftShaderEnvironment } from "./packages/backend-webgpu/scripts/swiftshader.mjs";
import shared from "./vitest.shared.js";

/** The slow lane: files named *.slow.ts. */
export default defineConfig({
  ...shared,
  test: {
    ...shared.test,
    env: { ...shared.test?.env, ...swiftShaderEnvironment() },
    globalSetup: ["./packages/backend-cuda/test/global-setup.mjs"],
    setupFiles: ["./packages/backend-cuda/test/environment.ts"],
    include: ["packages/*/test/**/*.slow.ts", "examples/*/test/**/*.slow.ts"],
    testTimeout: 1_800_000,
    hookTimeout: 600_000,
    maxWorkers: 1,
  },
});
