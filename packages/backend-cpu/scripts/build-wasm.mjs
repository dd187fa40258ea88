// Builds the kernels as WebAssembly into wasm/. Needs `npm ci`; rustup adds the target here.
import { reportFailure } from "./cargo.mjs";
import { buildWasm } from "./wasm.mjs";

await reportFailure(() => buildWasm(process.argv.slice(2)));
