import { defineConfig, mergeConfig } from "vitest/config";

import { swiftShaderEnvironment } from "../packages/backend-webgpu/scripts/swiftshader.mjs";
import shared from "../vitest.shared.js";

/** Test processes find an adapter also on a machine without a GPU. */
export default mergeConfig(shared, defineConfig({ test: { env: swiftShaderEnvironment() } }));
