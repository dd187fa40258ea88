/** The package that scripts/build-platforms.mjs makes of this folder. */
declare module "@basic-mllm/backend-cpu-wasm32" {
  export { open } from "./index.js";
}
