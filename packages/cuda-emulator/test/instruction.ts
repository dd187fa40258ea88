import { entry, type Machine, module } from "./machine.js";

/** Registers of an instruction's operands. */
export type Kind = "pred" | "b16" | "b32" | "b64" | "f32" | "f64";

/** An instruction and inputs for it. */
export interface Sample {
  /** With `$0` for the destination and `$1`, `$2`, ... for the sources. */
  readonly code: string;
  readonly result: Kind;
  readonly sources: readonly Kind[];
  /** Bits of the sources, one list a case. */
  readonly cases: readonly (readonly bigint[])[];
}

const REGISTERS: Readonly<Record<Kind, string>> = {
  pred: "p",
  b16: "h",
  b32: "r",
  b64: "q",
  f32: "f",
  f64: "d",
};

const MOVE_TYPES: Readonly<Record<Exclude<Kind, "pred">, string>> = {
  b16: "u16",
  b32: "u32",
  b64: "u64",
  f32: "f32",
  f64: "f64",
};

/** Runs every sample on all of its cases, as one module. @returns bits of the results by sample and case. */
export function runSamples(machine: Machine, samples: readonly Sample[]): readonly (readonly bigint[])[] {
  const ptx = module(...samples.map((sample, index) => entryOf(sample, `k${index}`)));
  const loaded = machine.handle("load", Buffer.from(`${ptx}\0`));
  return samples.map(({ cases }, index) => {
    const inputs = machine.put(new BigUint64Array(cases.flat().map((bits) => BigInt.asUintN(64, bits))));
    const output = machine.put(new BigUint64Array(cases.length));
    machine.run(machine.handle("getFunction", loaded, `k${index}`), [inputs, output], {
      block: [cases.length],
    });
    return [...machine.get(output, new BigUint64Array(cases.length))];
  });
}

/** Each thread takes one case: 8 bytes a source. */
function entryOf({ code, result, sources }: Sample, name: string): string {
  const destination = `%${REGISTERS[result]}0`;
  const registers = sources.map((kind, index) => `%${REGISTERS[kind]}${index + 1}`);
  const text = code.replace(/\$(\d)/g, (_, digit: string) =>
    digit === "0" ? destination : (registers[Number(digit) - 1] ?? ""),
  );
  const loads = sources.map((kind, index) => loadOf(kind, registers[index] ?? "", index * 8));
  return entry(
    name,
    2,
    `.reg .pred %p<8>; .reg .b16 %h<8>; .reg .b32 %r<8>; .reg .b64 %q<8>; .reg .f32 %f<8>; .reg .f64 %d<8>;
.reg .b32 %t<4>; .reg .b64 %w<4>;
mov.u32 %t0, %tid.x;
mad.wide.u32 %w0, %t0, ${sources.length * 8}, %a0;
mad.wide.u32 %w1, %t0, 8, %a1;
${loads.join("\n")}
${text}
${storeOf(result, destination)}`,
  );
}

function loadOf(kind: Kind, register: string, offset: number): string {
  if (kind === "pred") {
    return `ld.global.u32 %t1, [%w0+${offset}]; setp.ne.u32 ${register}, %t1, 0;`;
  }
  return `ld.global.${MOVE_TYPES[kind]} ${register}, [%w0+${offset}];`;
}

function storeOf(kind: Kind, register: string): string {
  if (kind === "pred") return `selp.u32 %t1, 1, 0, ${register}; st.global.u32 [%w1], %t1;`;
  return `st.global.${MOVE_TYPES[kind]} [%w1], ${register};`;
}

/** The bits of a 32-bit float. */
export function floatBits(value: number): bigint {
  return BigInt(new Uint32Array(new Float32Array([value]).buffer)[0] ?? 0);
}

/** The 32-bit float of bits. */
export function floatOf(bits: bigint): number {
  return new Float32Array(new Uint32Array([Number(bits & 0xffffffffn)]).buffer)[0] ?? 0;
}

/** The bits of a 64-bit float. */
export function doubleBits(value: number): bigint {
  return new BigUint64Array(new Float64Array([value]).buffer)[0] ?? 0n;
}
