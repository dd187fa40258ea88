import { BasicError, train } from "@basic-mllm/core";
import { createDiskStore } from "@basic-mllm/weights";

import { checkMemoryLimit, estimateMemory } from "./memory.js";
import { openTask } from "./open-task.js";
import { joinRanks, type RankPlace } from "./rank.js";
import { prepare, type TrainRunOptions } from "./train-run.js";

/**
 * Trains as one of the ranks after the first, which builds the data and features, measures, and writes everything.
 *
 * @throws `BasicError` `E_RANK_LOST` where another rank is gone, `E_MEMORY_LIMIT` where this process would take more, and what opening and training throw.
 */
export async function followRun(options: TrainRunOptions): Promise<Readonly<Record<string, number>>> {
  const { recipe, out, signal, resume, place, memoryLimit, ranks } = options;
  await prepare(recipe, options.threads);
  const { collective } = await joinRanks(place as RankPlace);
  await collective.barrier();
  const session = await openTask(options, false);
  try {
    if (memoryLimit !== undefined) {
      checkMemoryLimit(await estimateMemory(recipe, session, ranks), memoryLimit);
    }
    if (signal.aborted) throw new BasicError("E_INTERRUPTED", "Stopped before the first step.");
    const { globalStep } = await train<never>({
      recipe,
      objective: () => session.objective,
      data: (stage) => session.data(stage),
      store: createDiskStore(out),
      signal,
      collective,
      // Whether the run is healthy is asked on every rank at the same step.
      evaluate: async () => [],
      ...(resume !== undefined && { resume }),
    });
    collective.close();
    return { rank: collective.rank, steps: globalStep };
  } finally {
    session.dispose();
  }
}
