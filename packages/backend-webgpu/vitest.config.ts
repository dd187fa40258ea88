import { defineConfig, mergeConfig } from "vitest/config";

import shared from "../../vitest.shared.js";
import { swiftShaderEnvironment } from "./scripts/swiftshader.mjs";

/**
 * Test processes start with an environment in which Dawn finds SwiftShader, which takes seconds to compile a shader, and more
 * where it shares its processors.
 */
export default mergeConfig(
  shared,
  defineConfig({ test: { env: swiftShaderEnvironment(), testTimeout: 240_000, hookTimeout: 240_000 } }),
);
