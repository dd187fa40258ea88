import { mergeConfig } from "vitest/config";

import shared from "../../vitest.shared.js";

/** The first run fetches NVIDIA's packages and builds the emulator; modules are compiled when they are loaded. */
export default mergeConfig(shared, { test: { testTimeout: 240_000, hookTimeout: 600_000 } });
