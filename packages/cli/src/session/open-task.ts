import type { Recipe } from "@basic-mllm/core";

import type { Terminal } from "../terminal.js";
import { openLanguageTask } from "./language.js";
import { openRegionText } from "./region-text.js";
import type { TaskSession } from "./task.js";
import { openVlm } from "./vlm.js";

/** What every task is opened with. */
export interface OpenOptions {
  readonly recipe: Recipe;
  readonly terminal: Terminal;
  readonly cache: string;
  /** Stops the building of data and features. */
  readonly signal?: AbortSignal;
  /** Threads that open pictures. Default: the recipe's. */
  readonly workers?: number;
}

/** Opens a recipe's task. The batch type stays inside of the session. */
export async function openTask(
  { recipe, terminal, cache, signal, workers }: OpenOptions,
  blind: boolean,
): Promise<TaskSession<never>> {
  const around = {
    terminal,
    cache,
    ...(signal !== undefined && { signal }),
    ...(workers !== undefined && { workers }),
  };
  switch (recipe.task) {
    case "vlm":
      return (await openVlm({ recipe, ...around }, { blind })) as unknown as TaskSession<never>;
    case "language":
      return (await openLanguageTask({ recipe, ...around })) as unknown as TaskSession<never>;
    case "region-text":
      return (await openRegionText({ recipe, ...around })) as unknown as TaskSession<never>;
  }
}
