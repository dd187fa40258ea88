import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { RunStore } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

let collect: (() => void) | undefined;

/**
 * Frees what no variable holds any more, now, and gives it back to the system where the backend can: V8 and the C library wait until
 * they think that it pays, which differs from run to run.
 */
export function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
  // Array buffers are freed in the background, which the next collection waits for.
  collect();
  // Before one is started, tfjs has none.
  if (!tf.getBackend()) return;
  const backend = tf.backend() as Partial<{ returnFreedMemory(): void }>;
  backend.returnFreedMemory?.();
}

/** Collects garbage before a checkpoint is written: at the peak of a run, it would come on top. */
export function withoutGarbage(store: RunStore): RunStore {
  return {
    ...store,
    writeFolder: (folder, files) => {
      collectGarbage();
      return store.writeFolder(folder, files);
    },
  };
}
