/** Type of the elements of a storage array. */
export type ElementType = "f32" | "i32" | "u32" | "vec4<f32>" | "atomic<u32>";

/** Type of a uniform. */
export type UniformType = "f32" | "i32" | "u32";

/**
 * A compute shader. The declarations of its arrays and uniforms are generated: `code` names them as they are named
 * here, and uniforms as fields of `uniforms`.
 */
export interface Program<
  Read extends string = string,
  Write extends string = string,
  Uniform extends string = string,
> {
  /** Names the kernel, and the variant where it has several. Two programs of one name have the same text. */
  readonly name: string;
  /** Arrays that the shader reads, in the order of their bindings. */
  readonly reads: Readonly<Record<Read, ElementType>>;
  /** Arrays that it writes, and may read: outputs, and inputs that change in place. */
  readonly writes: Readonly<Record<Write, ElementType>>;
  readonly uniforms: Readonly<Record<Uniform, UniformType>>;
  /** WGSL with `fn main`, without the declarations. A function is called only when the program is compiled. */
  readonly code: string | (() => string);
  /** Such as `f16` or `subgroups`: the caller makes sure that the device has them. */
  readonly enable?: readonly string[];
}

/** Infers the names of a {@link Program}. */
export function defineProgram<Read extends string, Write extends string, Uniform extends string>(
  program: Program<Read, Write, Uniform>,
): Program<Read, Write, Uniform> {
  return program;
}

/** The whole WGSL text of a program. */
export function wgslOf({ reads, writes, uniforms, code, enable = [] }: Program): string {
  const arrays = [
    ...Object.entries(reads).map(([name, type]) => ({ name, type, access: "read" })),
    ...Object.entries(writes).map(([name, type]) => ({ name, type, access: "read_write" })),
  ];
  const fields = Object.entries(uniforms).map(([name, type]) => `  ${name} : ${type},`);
  return [
    ...enable.map((name) => `enable ${name};`),
    ...arrays.map(
      ({ name, type, access }, i) =>
        `@group(0) @binding(${i}) var<storage, ${access}> ${name} : array<${type}>;`,
    ),
    ...(fields.length === 0
      ? []
      : [
          `struct Uniforms {\n${fields.join("\n")}\n}`,
          `@group(0) @binding(${arrays.length}) var<uniform> uniforms : Uniforms;`,
        ]),
    (typeof code === "string" ? code : code()).trim(),
    "",
  ].join("\n");
}

/** Bytes of a uniform block: its scalars one after the other, padded to 16 bytes. */
export function uniformBytes<Uniform extends string>(
  uniforms: Readonly<Record<Uniform, UniformType>>,
  values: Readonly<Record<Uniform, number>>,
): Uint8Array {
  const names = Object.keys(uniforms) as Uniform[];
  const view = new DataView(new ArrayBuffer(Math.ceil((names.length * 4) / 16) * 16));
  for (const [i, name] of names.entries()) {
    const value = values[name];
    if (uniforms[name] === "f32") view.setFloat32(i * 4, value, true);
    else if (uniforms[name] === "i32") view.setInt32(i * 4, value, true);
    else view.setUint32(i * 4, value, true);
  }
  return new Uint8Array(view.buffer);
}
