import { describe, expect, it } from "vitest";

import { explainDiskFull } from "./disk-full.js";

describe("explainDiskFull", () => {
  const failing = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }));

  it.each(["ENOSPC", "EDQUOT"])("explains %s and keeps the cause", async (code) => {
    await expect(explainDiskFull("The disk is full.", failing(code))).rejects.toMatchObject({
      code: "E_DISK_FULL",
      message: "The disk is full. [E_DISK_FULL]",
      cause: { code },
    });
  });

  it("passes results and other errors on", async () => {
    expect(await explainDiskFull("x", async () => 3)).toBe(3);
    await expect(explainDiskFull("x", failing("EACCES"))).rejects.toMatchObject({ code: "EACCES" });
    await expect(explainDiskFull("x", () => Promise.reject(null))).rejects.toBeNull();
  });
});
