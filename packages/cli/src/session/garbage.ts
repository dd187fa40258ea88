import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { RunStore } from "@basic-mllm/core";

let collect: (() => void) | undefined;

/** Frees what no variable holds any more, now: V8 waits until it thinks that it pays, which differs from run to run. */
export function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
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
