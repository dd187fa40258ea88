import { defineConfig, mergeConfig } from "vitest/config";

import shared from "../../vitest.shared.js";
import { swiftShaderEnvironment } from "./scripts/swiftshader.mjs";

/** Test processes start with an environment in which Dawn finds SwiftShader. */
export default mergeConfig(shared, defineConfig({ test: { env: swiftShaderEnvironment() } }));
