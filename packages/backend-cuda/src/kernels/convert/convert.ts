import type * as tf from "@tensorflow/tfjs-core";
import type { Part } from "../../arguments.js";
import type { CudaBackend } from "../../backend.js";
import { type ElementStorage, storageOf } from "../../memory/storage.js";
import { defineProgram } from "../../program.js";
import { bytesOf, countOf } from "../../work.js";
import { ELEMENTWISE, overElements } from "../elementwise.js";
import source from "./convert.cu";

/** Elements of a tensor, or of a part of one. */
type Elements = tf.TensorInfo | Part;

/** Copies elements into as many that are kept in the other way. */
export function convert(backend: CudaBackend, x: Elements, y: Elements): void {
  const count = countOf(x);
  const program = storageOf(x) === "bf16" ? widen : round;
  backend.dispatch(program, { grid: overElements(count), args: { x, y, count } });
}

/** `x` in this storage: itself, or a copy in `scratch`. */
export function stored<X extends Elements>(
  backend: CudaBackend,
  scratch: CudaBackend["allocate"],
  { x, storage }: { readonly x: X; readonly storage: ElementStorage },
): X | tf.TensorInfo {
  if (storageOf(x) === storage) return x;
  const copy = scratch("tensor" in x ? [x.length] : x.shape, "float32", storage);
  backend.copy(x, copy);
  return copy;
}

function convertProgram(name: string, from: "float" | "bf16", to: "float" | "bf16") {
  return defineProgram({
    name,
    source,
    entry: "convert",
    defines: { FROM: from, TO: to },
    params: { x: "stored", y: "stored", count: "i64" },
    block: ELEMENTWISE.threads,
    work: ({ x, y }) => ({ bytes: bytesOf(x, y), flops: 0 }),
  });
}

const widen = convertProgram("bf16 to float32", "bf16", "float");
const round = convertProgram("float32 to bf16", "float", "bf16");

/** Every program that converts. */
export const convertPrograms = [widen, round];
