import { BasicError } from "@basic-mllm/core";
import { downloadPretrained, isRemote } from "@basic-mllm/weights";

import type { Progress, Terminal } from "../terminal.js";
import type { TaskContext } from "./task.js";

type Component = { readonly name: string; readonly options: Readonly<Record<string, unknown>> };

/** The parts of a recipe's model that may lie elsewhere. */
interface Components {
  readonly vision?: Component;
  readonly language?: Component;
  readonly tokenizer?: Component | undefined;
}

/**
 * Downloads the parts that a recipe names as `hub:owner/name[@revision]` or as the URL of a folder, and names their
 * local folders instead.
 *
 * @throws `BasicError` `E_DOWNLOAD`, `E_NAME_UNKNOWN`, `E_WEIGHTS_MISSING`, `E_DISK_FULL`, `E_INTERRUPTED`; `E_CONFIG`
 *   for the URL of a single file.
 */
export async function withLocalFiles<M extends Components>(
  model: M,
  context: Pick<TaskContext, "terminal" | "signal">,
): Promise<M> {
  const folders = new Map<string, string>();
  const local: Partial<Record<keyof Components, Component>> = {};
  for (const part of ["vision", "language", "tokenizer"] as const) {
    const component = model[part];
    if (component === undefined || !isRemote(component.name)) continue;
    const folder = folders.get(component.name) ?? (await download(part, component.name, context));
    folders.set(component.name, folder);
    local[part] = { ...component, name: folder };
  }
  return { ...model, ...local };
}

async function download(
  part: string,
  source: string,
  { terminal, signal }: Pick<TaskContext, "terminal" | "signal">,
): Promise<string> {
  if (/\.(gguf|safetensors|json)$/i.test(source)) {
    throw new BasicError(
      "E_CONFIG",
      `model.${part} is "${source}", a single file, expected hub:owner/name or the URL of a folder with config.json. ` +
        "Download the file and name it by its local path.",
    );
  }
  const progress = downloadProgress(terminal);
  try {
    return await downloadPretrained(source, { signal, onProgress: progress.update });
  } finally {
    progress.stop();
  }
}

const megabytes = (bytes: number): number => Math.ceil(bytes / 1e6);

/** One bar in megabytes; a new one where a further file makes the known total larger. */
function downloadProgress(terminal: Terminal) {
  let bar: Progress | undefined;
  let [current, known] = ["", 0];
  return {
    update: ({ file, received, total }: { file: string; received: number; total: number }): void => {
      if (bar === undefined || (file !== current && total > known)) {
        bar?.stop();
        bar = terminal.progress("download", megabytes(total), Math.floor(received / 1e6));
        known = total;
      }
      current = file;
      bar.update(Math.min(megabytes(received), megabytes(known)), `MB ${file}`);
    },
    stop: () => bar?.stop(),
  };
}
