import { expect, it } from "vitest";

import { openBytes } from "./files.js";

it("openBytes refuses what is no file", () => {
  expect(() => openBytes("/")).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: / is a folder or a device, expected a file. Check the path. [E_WEIGHTS_MISSING]]`,
  );
  expect(() => openBytes("/not/there")).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: /not/there cannot be opened. Check the path. [E_WEIGHTS_MISSING]]`,
  );
});
