import { defineConfig, mergeConfig } from "vitest/config";

import shared from "../../vitest.shared.js";
import { swiftShaderEnvironment } from "../backend-webgpu/scripts/swiftshader.mjs";

/** Test processes find an adapter also on a machine without a GPU. */
export default mergeConfig(shared, defineConfig({ test: { env: swiftShaderEnvironment() } }));
