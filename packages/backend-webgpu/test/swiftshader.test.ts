import { afterEach, expect, it, vi } from "vitest";

import { swiftShaderEnvironment } from "../scripts/swiftshader.mjs";

afterEach(() => vi.unstubAllEnvs());

it("is the same environment for a process that has it already, whatever was there before", () => {
  for (const before of ["", "/opt/lib", "/opt/lib:/usr/lib"]) {
    vi.stubEnv("LD_LIBRARY_PATH", before);
    const once = swiftShaderEnvironment();
    for (const [name, value] of Object.entries(once)) vi.stubEnv(name, value);
    expect(swiftShaderEnvironment()).toEqual(once);
  }
});
