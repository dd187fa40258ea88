import { describe, expect, it } from "vitest";

import { checkCases, useReferences } from "../../test/contract-checks.js";
import type { InputSpec } from "./contract.js";
import { decoderBlock } from "./decoder-block.js";

useReferences(decoderBlock);

describe("decoderBlock", () => {
  it("names the matrix that does not fit", () => {
    const [{ inputs, attrs }] = decoderBlock.cases as [(typeof decoderBlock.cases)[number]];
    const shapes = Object.fromEntries(
      Object.entries<InputSpec>(inputs).map(([name, { shape }]) => [name, shape]),
    ) as Parameters<typeof decoderBlock.infer>[0];
    expect(() => decoderBlock.infer({ ...shapes, down: [12, 19] }, attrs)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: decoderBlock: the f32 \`down\` of 12 x 20 must have shape [12, 20], got [12, 19]. [E_SHAPE]]`,
    );
    expect(() => decoderBlock.infer({ ...shapes, mlpNorm: [13] }, attrs)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: decoderBlock: dimension D is 12 in \`x\` but 13 in \`mlpNorm\` [13]. [E_SHAPE]]`,
    );
    expect(() =>
      decoderBlock.infer(shapes, { ...attrs, starts: Int32Array.of(8) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: decoderBlock: sample 0 has 1 new rows from row 8 on, but the buffers have room for 8. Copy them to larger ones first. [E_SHAPE]]`,
    );
    expect(() =>
      decoderBlock.infer(shapes, { ...attrs, frequencies: Float32Array.of(1, 1, 1) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: rotary: \`rotaryWidth\` must be even and from 2 to the head width 4, got 6. [E_SHAPE]]`,
    );
  });

  checkCases(decoderBlock);
});
