// rank.mjs TASK FOLDER RANK SIZE: one process of several, for the tests of NCCL. The last line is JSON.
import { fileURLToPath } from "node:url";

import { withSource } from "../../../../scripts/sources.mjs";

const [task, folder, rank, size] = process.argv.slice(2);
const answer = await withSource(fileURLToPath(new URL("tasks.ts", import.meta.url)), ({ runTask }) =>
  runTask(task, { folder, rank: Number(rank), size: Number(size) }),
);
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0));
