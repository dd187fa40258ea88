import {
  type CreateWorkerInfo,
  instantiateNapiModule,
  instantiateNapiModuleSync,
  MessageHandler,
  type WASIInstance,
} from "@emnapi/core";
import { createContext } from "@emnapi/runtime";
import { WASI } from "@tybys/wasm-util";

import type { NativeBindings } from "../bindings.js";
import { bindCalls, type CreateError, type WasmExports } from "./calls.js";

/** 64 KiB each. The stack of the main thread takes 62 MiB of the first. */
const FIRST_PAGES = 1024;
const MOST_PAGES = 65_536;

/** Where the module comes from and how its threads are made. */
export interface ModuleOptions {
  readonly module: WebAssembly.Module;
  readonly createWorker: (info: CreateWorkerInfo) => unknown;
  /** Workers to start in advance, where a blocked thread cannot start one. 0: when they are needed. */
  readonly workers: number;
  readonly variables: Readonly<Record<string, string>>;
  readonly createError: CreateError;
}

/** Starts the module in this thread. */
export async function startModule(options: ModuleOptions): Promise<NativeBindings> {
  const memory = new WebAssembly.Memory({ initial: FIRST_PAGES, maximum: MOST_PAGES, shared: true });
  const { napiModule } = await instantiateNapiModule(options.module, {
    context: createContext(),
    asyncWorkPoolSize: 0,
    ...(options.workers > 0 && { reuseWorker: { size: options.workers, strict: true } }),
    onCreateWorker: options.createWorker,
    wasi: createWasi(options.variables),
    overwriteImports: (imports) => withMemory(imports, memory),
    beforeInit: ({ instance }) => register(instance),
  });
  return bindCalls(napiModule.exports as WasmExports, memory, options.createError);
}

/** Answers the messages that make this worker a thread of the module. */
export function answerThreadMessages(variables: Readonly<Record<string, string>>): (event: unknown) => void {
  const handler = new MessageHandler({
    onLoad: ({ wasmModule, wasmMemory }) =>
      instantiateNapiModuleSync(wasmModule, {
        childThread: true,
        wasi: createWasi(variables),
        overwriteImports: (imports) => withMemory(imports, wasmMemory),
      }),
  });
  return (event) => handler.handle(event as never);
}

function createWasi(variables: Readonly<Record<string, string>>): WASIInstance {
  // Their types differ in what start() returns, which nothing here calls.
  return new WASI({ version: "preview1", env: { ...variables } }) as unknown as WASIInstance;
}

/** The addon looks for everything under `env`. */
function withMemory(imports: WebAssembly.Imports, memory: WebAssembly.Memory): WebAssembly.Imports {
  const { env, napi, emnapi } = imports;
  return { ...imports, env: { ...env, ...napi, ...emnapi, memory } };
}

/** Each exported function of napi-rs has one that registers it. */
function register({ exports }: WebAssembly.Instance): void {
  for (const [name, value] of Object.entries(exports)) {
    if (name.startsWith("__napi_register__") && typeof value === "function") value();
  }
}
