import { expect, it } from "vitest";

import { crc32c, fileVersionEvent, scalarEvent } from "./tensorboard.js";

it("has the checksum of the published test vector", () => {
  expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
});

it("frames a record as TensorBoard reads it", () => {
  const record = fileVersionEvent(0);
  const view = new DataView(record.buffer);
  expect(Number(view.getBigUint64(0, true))).toBe(record.length - 16);
  expect(new TextDecoder().decode(record.subarray(23, 36))).toBe("brain.Event:2");
});

it("stores a scalar as a little-endian float under its tag", () => {
  const record = scalarEvent(1, 300, { loss: 2.5 });
  const bytes = Buffer.from(record);
  const at = bytes.indexOf("loss");
  expect(at).toBeGreaterThan(0);
  expect(bytes.readFloatLE(at + 5)).toBe(2.5);
});
