// Decodes recorded files in a browser's Worker: browser-decode.slow.ts bundles and serves it.
import { BasicError } from "@basic-mllm/core";

import { type DecodeOptions, decodeImage } from "../src/browser.js";

/** A file to decode, by its name among the recorded ones. */
export interface DecodeTask {
  readonly name: string;
  readonly options: DecodeOptions;
  /** Use the first bytes only. */
  readonly length?: number;
}

/** What became of it. */
export type DecodeAnswer =
  | { readonly width: number; readonly height: number; readonly pixels: readonly number[] }
  | { readonly error: string };

async function decode({ name, options, length }: DecodeTask): Promise<DecodeAnswer> {
  const file = new Uint8Array(await (await fetch(`/files/${name}`)).arrayBuffer());
  try {
    const { pixels, ...size } = await decodeImage(file.subarray(0, length), name, options);
    return { ...size, pixels: [...pixels] };
  } catch (error) {
    if (error instanceof BasicError) return { error: error.message };
    return { error: `no BasicError: ${String(error)}` };
  }
}

const tasks = (await (await fetch("/tasks.json")).json()) as readonly DecodeTask[];
const answers: DecodeAnswer[] = [];
for (const task of tasks) answers.push(await decode(task));
await fetch("/result", { method: "POST", body: JSON.stringify(answers) });
