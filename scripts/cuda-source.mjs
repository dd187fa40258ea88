// Sources of CUDA kernels are imported as texts, also where TypeScript sources run without a build.
import { readFileSync } from "node:fs";

/** A plugin of vite. */
export const cudaSource = {
  name: "cuda-source",
  enforce: "pre",
  load(id) {
    return /\.cuh?$/.test(id) ? `export default ${JSON.stringify(readFileSync(id, "utf8"))};` : undefined;
  },
};
