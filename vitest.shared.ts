import { defineConfig } from "vitest/config";
import { cudaSource } from "./scripts/cuda-source.mjs";

/**
 * Tests import the sources of our own packages, so that a run needs no build.
 * No colours, so that a text is the same here and on CI (where picocolors would add them).
 */
export default defineConfig({
  plugins: [cudaSource],
  resolve: { conditions: ["@basic-mllm/source"] },
  ssr: { resolve: { conditions: ["@basic-mllm/source"], externalConditions: ["node"] } },
  test: {
    env: { NO_COLOR: "1" },
    passWithNoTests: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
