import type { Recipe } from "@basic-mllm/core";

import type { TaskSession } from "./task.js";

export async function writeReport<Batch>(
  _session: TaskSession<Batch>,
  { out }: { out: string; recipe: Recipe },
): Promise<string> {
  return out;
}
