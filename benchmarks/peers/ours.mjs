// Our side of a step comparison: node --expose-gc ours.mjs, driven by lines of JSON (see turns.mjs).
import { readFileSync, writeFileSync } from "node:fs";
import { start } from "@basic-mllm/backend-cpu";

import { openStepCase } from "./ours-step.mjs";
import { serve } from "./serve.mjs";

/** A field of this process's status in MB. */
function megabytes(field) {
  const text = readFileSync("/proc/self/status", "utf8");
  return (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)[1]) * 1024) / 1e6;
}

let opened;

await serve({
  async open({ case: chosen, threads, precision }) {
    const bare = megabytes("VmRSS");
    await start({ threads, precision });
    opened = openStepCase(chosen);
    return { bare_mb: bare };
  },
  async step({ mode }) {
    const [wall, cpu] = [performance.now(), process.cpuUsage()];
    const losses = await opened.step(mode);
    const { user, system } = process.cpuUsage(cpu);
    return { wall_ms: performance.now() - wall, cpu_ms: (user + system) / 1000, losses };
  },
  /** The peak from now on (Linux; elsewhere from the start). */
  resetPeak() {
    globalThis.gc?.();
    try {
      writeFileSync("/proc/self/clear_refs", "5");
    } catch {
      // The peak then includes the start.
    }
    return {};
  },
  peak: () => ({ mb: megabytes("VmHWM") }),
});
