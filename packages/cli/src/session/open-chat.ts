import { existsSync } from "node:fs";
import { join } from "node:path";
import { BasicError, RECIPE_FILE, startBackend } from "@basic-mllm/core";
import type { TextTokenizer } from "@basic-mllm/data";
import { type Conversation, talk } from "@basic-mllm/evaluate";
import { defaultCacheFolder } from "@basic-mllm/scenes";

import type { Terminal } from "../terminal.js";
import { openConversation, requirePicture } from "./conversation.js";
import { isGguf } from "./gguf-model.js";
import { readRunRecipe, restoreRun, withoutTraining } from "./open-run.js";
import { readStatistics } from "./statistics-file.js";
import { openTextModel } from "./text-model.js";
import { prepare } from "./train-run.js";
import { openVlm, type VlmSession } from "./vlm.js";

/** What answers, and how a conversation with it begins. */
export interface ChatModel {
  readonly tokenizer: TextTokenizer;
  readonly seesPictures: boolean;
  begin(): Promise<Conversation>;
  /** Another picture. @throws `BasicError` `E_IMAGE`; `E_USAGE` where it sees none. */
  show(image: string): Promise<Conversation>;
  dispose(): void;
}

/** Options that the kind of model decides on. */
export interface ChatChoices {
  readonly image: string | undefined;
  readonly template: string | undefined;
}

/**
 * Opens what `basic-mllm chat` talks with: a run, which needs a picture, or a language model, which sees none.
 *
 * @throws `BasicError` `E_USAGE` where the choices do not go with it, and what opening throws.
 */
export async function openChat(path: string, choices: ChatChoices, terminal: Terminal): Promise<ChatModel> {
  const isModel =
    isGguf(path) || (existsSync(join(path, "config.json")) && !existsSync(join(path, RECIPE_FILE)));
  return isModel ? openModel(path, choices) : openPictured(path, choices, terminal);
}

async function openModel(path: string, { image, template }: ChatChoices): Promise<ChatModel> {
  const blind = (file: string): BasicError =>
    new BasicError(
      "E_USAGE",
      `basic-mllm chat: ${path} is opened as a language model alone, which sees no pictures, but an image was given: ${file}. ` +
        "Leave it out, or talk with the folder of a run, which has the vision part as well.",
    );
  if (image !== undefined) throw blind(image);
  await startBackend("cpu");
  const model = await openTextModel(path, template);
  return {
    tokenizer: model.tokenizer,
    seesPictures: false,
    begin: async () => talk(model),
    show: async (file) => {
      throw blind(file);
    },
    dispose: () => model.dispose(),
  };
}

async function openPictured(
  folder: string,
  { image, template }: ChatChoices,
  terminal: Terminal,
): Promise<ChatModel> {
  if (template !== undefined) {
    throw new BasicError(
      "E_USAGE",
      "basic-mllm chat: --template is for language models; a run has the template of its last stage. Leave it out.",
    );
  }
  if (image === undefined) throw needsPicture(folder);
  await requirePicture(image);
  const session = await openRun(folder, terminal);
  return {
    tokenizer: session.tokenizer,
    seesPictures: true,
    begin: () => openConversation(session, image),
    show: (file) => openConversation(session, file),
    dispose: () => session.dispose(),
  };
}

/** Without a picture: a run needs one, and anything that is no run was to be something else. */
function needsPicture(folder: string): BasicError {
  const text = existsSync(join(folder, RECIPE_FILE))
    ? `a run answers questions about a picture, and none was given for ${folder}. Add --image FILE; ` +
      "only language models (a folder with config.json, or a GGUF file) do without one."
    : `expected a run (a folder with ${RECIPE_FILE}), a language model (a folder with config.json) or a GGUF file, ` +
      `got ${folder}. Give one of these, for example runs/quickstart-0.`;
  return new BasicError("E_USAGE", `basic-mllm chat: ${text}`);
}

async function openRun(folder: string, terminal: Terminal): Promise<VlmSession> {
  const recipe = await readRunRecipe(folder);
  if (recipe.task !== "vlm") {
    throw new BasicError(
      "E_USAGE",
      `basic-mllm chat: the run in ${folder} trained recipe "${recipe.name}" (task ${recipe.task}), which answers no questions. Give a run of a multimodal recipe.`,
    );
  }
  await prepare(recipe);
  const statistics = recipe.features.standardise ? await readStatistics(folder) : null;
  // Without kept statistics, those of the training pictures have to be taken again.
  const reduced = withoutTraining(recipe, { evaluation: false });
  const opened =
    recipe.features.standardise && statistics === null
      ? reduced
      : { ...reduced, data: { ...reduced.data, train: {} } };
  const context = { recipe: opened, terminal, cache: defaultCacheFolder() };
  const session = await openVlm(context, { statistics });
  try {
    await restoreRun(folder, {
      recipe,
      groups: session.objective.groups,
      lora: session.lora ?? null,
      statistics: session.statistics ?? null,
    });
    return session;
  } catch (error) {
    session.dispose();
    throw error;
  }
}
