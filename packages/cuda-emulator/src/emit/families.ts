import { ARITHMETIC } from "./arithmetic.js";
import { ATOMIC } from "./atomic.js";
import { BIT_FAMILY } from "./bits.js";
import { COMPARE } from "./compare.js";
import { CONTROL } from "./control.js";
import { CONVERT } from "./convert.js";
import type { Family } from "./emitter.js";
import { FLOAT } from "./float.js";
import { INTEGER } from "./integer.js";
import { MATRIX } from "./matrix.js";
import { MEMORY } from "./memory.js";
import { WARP } from "./warp.js";

/** Every instruction that the emulator knows. Opcodes of integers and floats come last, since they decide by type. */
export const EMITTERS: Family = {
  ...INTEGER,
  ...BIT_FAMILY,
  ...FLOAT,
  ...COMPARE,
  ...CONVERT,
  ...MEMORY,
  ...ATOMIC,
  ...CONTROL,
  ...WARP,
  ...MATRIX,
  ...ARITHMETIC,
};
