import { defineConfig } from "vitest/config";

/** The fast lane: every package and example. */
export default defineConfig({
  test: {
    projects: ["packages/*", "examples/*", "conformance"],
    maxWorkers: 2,
    coverage: {
      include: ["packages/core/src/**/*.ts"],
      exclude: ["**/*.test.ts"],
      reporter: ["text", "text-summary"],
    },
  },
});
