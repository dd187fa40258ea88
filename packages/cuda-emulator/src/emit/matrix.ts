import type { Instruction, Operand } from "../ptx/syntax.js";
import type { ScalarType } from "../ptx/types.js";
import { type Family, Modifiers, operand, textOf, unsupported } from "./emitter.js";
import type { Scope } from "./scope.js";

/** Tensor cores: `mma.sync` and the loads and stores of its fragments. */

/** Shapes by the types of A and B: the depth, and the C++ element. */
const SHAPES: Readonly<Record<string, string>> = {
  "m16n8k16.f16": "F16, 2",
  "m16n8k8.f16": "F16, 1",
  "m16n8k16.bf16": "Bf16, 2",
  "m16n8k8.bf16": "Bf16, 1",
  "m16n8k8.tf32": "Tf32, 2",
  "m16n8k4.tf32": "Tf32, 1",
};

function multiply(instruction: Instruction, scope: Scope): string {
  const form = /^mma\.sync\.aligned\.(m16n8k\d+)\.row\.col\.f32\.(b?f16|tf32)\.(b?f16|tf32)\.f32$/.exec(
    textOf(instruction),
  );
  const shape = SHAPES[`${form?.[1]}.${form?.[2]}`];
  if (shape === undefined || form?.[2] !== form?.[3]) return unsupported(instruction, scope);
  scope.cooperative = true;
  const [d, a, b, c] = [0, 1, 2, 3].map((index) => scope.elements(operand(instruction, index, scope)));
  const bits = (elements: readonly Operand[] = []) =>
    `{ ${elements.map((element) => scope.bits(element, "b32")).join(", ")} }`;
  const sums = (c ?? []).map((element) => scope.value(element, "f32")).join(", ");
  const writes = (d ?? []).map((element, index) => scope.assign(element, "f32", `d[${index}]`)).join(" ");
  return `{ u32 a[] = ${bits(a)}, b[] = ${bits(b)}; float d[4] = { ${sums} }; multiply_tile<${shape}>(t, d, a, b); ${writes} }`;
}

interface Tiles {
  readonly count: number;
  readonly transposed: boolean;
  readonly elements: readonly Operand[];
}

function tilesOf(instruction: Instruction, scope: Scope, dataAt: number): Tiles {
  const counts = ["x1", "x2", "x4"] as const;
  const known = ["sync", "aligned", "m8n8", "trans", "shared", "shared::cta", ...counts];
  const modifiers = new Modifiers(instruction, scope, known);
  modifiers.typeIn(["b16"]);
  const count = Number((modifiers.one(counts) ?? unsupported(instruction, scope)).slice(1));
  const elements = scope.elements(operand(instruction, dataAt, scope));
  if (elements.length !== count) unsupported(instruction, scope);
  if (!modifiers.has("shared") && !modifiers.has("shared::cta")) unsupported(instruction, scope);
  scope.cooperative = true;
  return { count, transposed: modifiers.has("trans"), elements };
}

function loadTiles(instruction: Instruction, scope: Scope): string {
  const { count, transposed, elements } = tilesOf(instruction, scope, 0);
  const type: ScalarType = "b32";
  const writes = elements.map((element, index) => scope.assign(element, type, `tiles[${index}]`)).join(" ");
  const address = scope.address(operand(instruction, 1, scope));
  return `{ u32 tiles[4]; load_tiles<${count}, ${transposed}>(t, tiles, ${address}); ${writes} }`;
}

function storeTiles(instruction: Instruction, scope: Scope): string {
  const { count, transposed, elements } = tilesOf(instruction, scope, 1);
  const tiles = elements.map((element) => scope.bits(element, "b32")).join(", ");
  const address = scope.address(operand(instruction, 0, scope));
  return `{ u32 tiles[] = { ${tiles} }; store_tiles<${count}, ${transposed}>(t, tiles, ${address}); }`;
}

export const MATRIX: Family = { mma: multiply, ldmatrix: loadTiles, stmatrix: storeTiles };
