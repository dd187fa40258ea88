import { type Family, INTEGERS } from "./emitter.js";
import {
  floatAbsolute,
  floatAdd,
  floatDivide,
  floatExponential,
  floatExtreme,
  floatFused,
  floatMultiply,
  floatNegate,
  floatSubtract,
  floatTanh,
} from "./float.js";
import { byType } from "./half.js";
import { addition, applied, INTEGER, product } from "./integer.js";

const one = <T>(type: T) => [type];
const two = <T>(type: T) => [type, type];

/** Opcodes that exist for integers and floats. */
export const ARITHMETIC: Family = {
  add: byType("add", addition("+"), floatAdd),
  sub: byType("sub", addition("-"), floatSubtract),
  mul: byType("mul", product(false), floatMultiply),
  mad: byType("fma", product(true), floatFused),
  fma: byType("fma", undefined, floatFused),
  div: byType("div", INTEGER["div"], floatDivide),
  neg: byType("neg", applied("negated", INTEGERS, one), floatNegate),
  abs: byType("abs", applied("absolute", INTEGERS, one), floatAbsolute),
  min: byType("min", applied("least", INTEGERS, two), floatExtreme("least")),
  max: byType("max", applied("greatest", INTEGERS, two), floatExtreme("greatest")),
  ex2: byType("ex2", undefined, floatExponential),
  tanh: byType("tanh", undefined, floatTanh),
};
