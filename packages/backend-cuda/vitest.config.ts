import { mergeConfig } from "vitest/config";

import shared from "../../vitest.shared.js";

/** The emulator is built once; it compiles kernels before it runs them. */
export default mergeConfig(shared, {
  test: {
    globalSetup: ["./test/global-setup.mjs"],
    setupFiles: ["./test/environment.ts"],
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
});
