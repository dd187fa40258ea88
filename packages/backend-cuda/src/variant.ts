import { BasicError } from "@basic-mllm/core";

import type { Arguments, Pointer } from "./arguments.js";
import { type ElementStorage, storageOf } from "./memory/storage.js";
import type { KernelProgram, Parameters, Program } from "./program.js";

/**
 * What of a program runs with these arguments: itself, or its variant for activations in bfloat16.
 *
 * @throws BasicError `E_KERNEL_FAILED` where a pointer is to bfloat16 that the program reads as float32, or its activations
 *   are not all kept alike.
 */
export function variantFor<Params extends Parameters>(
  program: Program<Params>,
  args: Arguments<Params>,
): KernelProgram {
  let activations: ElementStorage | undefined;
  for (const name in program.params) {
    const type = program.params[name];
    const value: Pointer | number = args[name];
    if (typeof value === "number" || value === null || type === "stored") continue;
    const storage = storageOf(value);
    if (type === "pointer" && storage !== "f32")
      throw refused(program, `reads "${name}" as f32, and it is kept in bf16`);
    if (type !== "activation") continue;
    if (activations !== undefined && activations !== storage)
      throw refused(
        program,
        `takes activations that are kept alike, and "${name}" is in ${storage} beside ${activations}`,
      );
    activations = storage;
  }
  return activations === "bf16" ? inBf16(program) : program;
}

/** Made once for each program: every launch asks. */
const variants = new WeakMap<KernelProgram, KernelProgram>();

function inBf16(program: KernelProgram): KernelProgram {
  const known = variants.get(program);
  if (known !== undefined) return known;
  const made = variantInBf16(program);
  variants.set(program, made);
  return made;
}

/** The variant of a program whose activations are in bfloat16. */
function variantInBf16<P extends KernelProgram>(program: P): P {
  return {
    ...program,
    name: `${program.name}, bf16`,
    defines: { ...program.defines, STORED: "bf16" },
  };
}

/** A program, and its variant where it has one. */
export function withVariants(program: Program): readonly Program[] {
  return Object.values(program.params).includes("activation") ? [program, variantInBf16(program)] : [program];
}

function refused({ name }: Pick<Program, "name">, what: string): BasicError {
  return new BasicError(
    "E_KERNEL_FAILED",
    `The kernel "${name}" ${what}. Say what the body reads where the contract is implemented (\`Storages\`), or convert the tensor ` +
      "with `backend.copy`.",
  );
}
