// Starts the processes of a training.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("rank.mjs", import.meta.url));

/** Ranks that run, in a folder of their own. */
export interface RunningRanks {
  readonly children: readonly ChildProcess[];
  /** What each said at its end; undefined for one that died. */
  readonly answers: Promise<readonly unknown[]>;
}

/** Runs a task of tasks.ts in processes of its own. */
export function startRanks(task: string, size: number): RunningRanks {
  const folder = mkdtempSync(join(tmpdir(), "ranks-"));
  const children = Array.from({ length: size }, (_, rank) =>
    spawn(process.execPath, [PROGRAM, task, folder, String(rank), String(size)], {
      stdio: ["ignore", "pipe", "inherit"],
    }),
  );
  const answers = Promise.all(children.map(answerOf)).finally(() => rmSync(folder, { recursive: true }));
  return { children, answers };
}

function answerOf(child: ChildProcess): Promise<unknown> {
  let text = "";
  child.stdout?.on("data", (piece: Buffer) => {
    text += piece.toString();
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) =>
      resolve(code === 0 ? JSON.parse(text.trim().split("\n").at(-1) ?? "null") : undefined),
    );
  });
}
