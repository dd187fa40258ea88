import { BasicError } from "@basic-mllm/core";

import { type Program, wgslOf } from "../program.js";
import type { Failure } from "./failure.js";
import type { ImaginaryPipeline } from "./imaginary-device.js";

/** A compiled program and how its arrays are bound. */
export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** A shader's text, under the name that an error gives it. */
interface Shader {
  readonly name: string;
  readonly code: string;
}

/** What a pipeline is made of, beside the module of its shader. */
interface Wanted extends Shader {
  readonly layout: GPUPipelineLayout | "auto";
  readonly entryPoint: string;
}

/** Lines of WGSL that an error shows before and after the one it is about. */
const AROUND = 4;

/** Compiled programs by name. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #failure: Failure;
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly #compiled = new Map<string, Pipeline>();
  readonly #compiling = new Map<string, Promise<void>>();

  constructor(device: GPUDevice, failure: Failure) {
    this.#device = device;
    this.#failure = failure;
  }

  /** Number of compiled programs. */
  get size(): number {
    return this.#compiled.size;
  }

  /** Whether a program is compiled. */
  has({ name }: Program): boolean {
    return this.#compiled.has(name);
  }

  /** The compiled program; compiles it first where nobody has. */
  get(program: Program): Pipeline {
    const known = this.#compiled.get(program.name);
    if (known !== undefined) return known;
    const layout = this.#layoutOf(program);
    const wanted = this.#wanted(program, layout);
    const compile = () => {
      const module = this.#moduleOf(wanted);
      return { module, pipeline: this.#device.createComputePipeline(descriptorOf(wanted, module)) };
    };
    const { pipeline } = this.#failure.watch(this.#device, "validation", compile, ({ message }, made) =>
      shaderError(wanted, message, made?.module),
    );
    const compiled = { pipeline, layout };
    this.#compiled.set(program.name, compiled);
    return compiled;
  }

  /**
   * Compiles programs side by side, without holding up the caller.
   *
   * @throws BasicError `E_KERNEL_FAILED` for the first that does not compile.
   */
  async prepare(programs: readonly Program[]): Promise<void> {
    await Promise.all(programs.map((program) => this.#prepareOne(program)));
  }

  #prepareOne(program: Program): Promise<void> {
    const { name } = program;
    if (this.#compiled.has(name)) return Promise.resolve();
    const running = this.#compiling.get(name) ?? this.#compileAsync(program);
    this.#compiling.set(name, running);
    return running.finally(() => this.#compiling.delete(name));
  }

  async #compileAsync(program: Program): Promise<void> {
    const layout = this.#layoutOf(program);
    const pipeline = await this.#pipelineOf(this.#wanted(program, layout));
    this.#compiled.set(program.name, { pipeline, layout });
  }

  /**
   * As {@link prepare}, for a program of tfjs, as an imaginary device noted it.
   *
   * @internal
   */
  prepareStock({ label, compute: { module, entryPoint } }: ImaginaryPipeline): Promise<GPUComputePipeline> {
    return this.#pipelineOf({ name: label, code: module.code, layout: "auto", entryPoint });
  }

  async #pipelineOf(wanted: Wanted): Promise<GPUComputePipeline> {
    this.#device.pushErrorScope("validation");
    const module = this.#moduleOf(wanted);
    const scope = this.#device.popErrorScope();
    const compiled = this.#device.createComputePipelineAsync(descriptorOf(wanted, module));
    const [pipeline, error] = await Promise.all([compiled.catch((reason: Error) => reason), scope]);
    const failed = pipeline instanceof Error ? pipeline : error;
    // A lost device compiles nothing.
    if (failed !== null) await this.#failure.settle();
    if (failed !== null) throw await shaderError(wanted, failed.message, module);
    return pipeline as GPUComputePipeline;
  }

  #moduleOf({ name, code }: Shader): GPUShaderModule {
    return this.#device.createShaderModule({ label: name, code });
  }

  #wanted(program: Program, own: GPUBindGroupLayout): Wanted {
    const layout = this.#device.createPipelineLayout({ bindGroupLayouts: [own] });
    return { name: program.name, code: wgslOf(program), layout, entryPoint: "main" };
  }

  /** Programs with as many arrays of each kind share a layout. */
  #layoutOf({ reads, writes, uniforms }: Program): GPUBindGroupLayout {
    const types: GPUBufferBindingType[] = [
      ...Object.keys(reads).map(() => "read-only-storage" as const),
      ...Object.keys(writes).map(() => "storage" as const),
      ...(Object.keys(uniforms).length === 0 ? [] : ["uniform" as const]),
    ];
    const key = types.join();
    const layout =
      this.#layouts.get(key) ??
      this.#device.createBindGroupLayout({
        entries: types.map((type, binding) => ({
          binding,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type },
        })),
      });
    this.#layouts.set(key, layout);
    return layout;
  }
}

function descriptorOf({ name, layout, entryPoint }: Wanted, module: GPUShaderModule) {
  return { label: name, layout, compute: { module, entryPoint } };
}

/** What the compiler said about a program, with the lines that it said it of. */
async function shaderError(
  { name, code }: Shader,
  message: string,
  module: GPUShaderModule | undefined,
): Promise<BasicError> {
  const info = await module?.getCompilationInfo();
  const first = info?.messages.find(({ type }) => type === "error");
  const lines = code.split("\n");
  const text = (first?.message ?? message).trim();
  const at = first === undefined || first.lineNum === 0 ? undefined : first.lineNum;
  const where = at === undefined ? "" : ` at line ${at}`;
  return new BasicError(
    "E_KERNEL_FAILED",
    `The shader of the kernel "${name}" does not compile on this adapter${where}: ${text}\n` +
      `${numbered(lines, at)}\nReport this with the name of the adapter, or use the backend "cpu".`,
  );
}

/** Lines with their numbers: all of them, or those around line `at`. */
function numbered(lines: readonly string[], at: number | undefined): string {
  const [first, last] = at === undefined ? [1, lines.length] : [at - AROUND, at + AROUND];
  const width = String(lines.length).length;
  return lines
    .map((line, i) => `${i + 1 === at ? ">" : " "} ${String(i + 1).padStart(width)} | ${line}`)
    .filter((_, i) => i + 1 >= first && i + 1 <= last)
    .join("\n");
}
