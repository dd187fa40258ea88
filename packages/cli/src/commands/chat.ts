import { createInterface, type Interface } from "node:readline/promises";
import { BasicError } from "@basic-mllm/core";
import { unknownWordsOf } from "@basic-mllm/data";
import { defaultCacheFolder } from "@basic-mllm/scenes";
import pc from "picocolors";

import { defineCliCommand, wholeNumber } from "../command.js";
import {
  type AnswerOptions,
  type Conversation,
  openConversation,
  requirePicture,
} from "../session/conversation.js";
import { readRunRecipe, restoreRun, withoutTraining } from "../session/open-run.js";
import { readStatistics } from "../session/statistics-file.js";
import { prepare } from "../session/train-run.js";
import { openVlm, type VlmSession } from "../session/vlm.js";
import type { Terminal } from "../terminal.js";

const HELP = "Ask about the picture. /image FILE shows another one, /new forgets what was said, /quit ends.";

/** `basic-mllm chat`: questions about a picture, answered by a trained run. */
export const chat = defineCliCommand({
  name: "chat",
  description: "Talk with a trained run about a picture.",
  args: {
    run: { type: "positional", description: "Run folder.", required: true },
    image: {
      type: "string",
      valueHint: "file",
      description: "Picture: PNG, JPEG, WebP, GIF, TIFF or AVIF.",
      required: true,
    },
    question: { type: "string", valueHint: "text", description: "Ask this, print the answer and stop." },
    "max-tokens": { type: "string", valueHint: "n", default: "48", description: "Longest answer." },
    temperature: {
      type: "string",
      valueHint: "t",
      default: "0",
      description: "0: the likeliest word each time.",
    },
    seed: {
      type: "string",
      valueHint: "n",
      default: "0",
      description: "Of the draws, where the temperature is not 0.",
    },
  },
  examples: [
    "basic-mllm chat runs/quickstart-0 --image cat.png",
    'basic-mllm chat runs/quickstart-0 --image cat.png --question "what is in the image ?"',
  ],
  run: async ({ args, terminal }) => {
    const options = {
      maxTokens: wholeNumber("chat", "max-tokens", args["max-tokens"]) ?? 48,
      seed: wholeNumber("chat", "seed", args.seed, 0) ?? 0,
      temperature: temperatureOf(args.temperature),
    };
    await requirePicture(args.image);
    const session = await openRun(args.run, terminal);
    try {
      const conversation = await openConversation(session, args.image);
      const talk = { session, terminal, options };
      const turns =
        args.question === undefined
          ? await converse(talk, conversation)
          : [await answer(talk, conversation, args.question)];
      const first = args.question === undefined ? {} : turns[0];
      terminal.result({ run: args.run, image: args.image, ...first, turns });
    } finally {
      session.dispose();
    }
    return 0;
  },
});

interface Talk {
  readonly session: VlmSession;
  readonly terminal: Terminal;
  readonly options: Omit<AnswerOptions, "onText">;
}

/** One question with its answer, as `--json` prints it. */
interface ToldTurn {
  readonly question: string;
  readonly answer: string;
  readonly tokens: number;
  readonly unknownWords: readonly string[];
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
  await restoreRun(folder, {
    recipe,
    groups: session.objective.groups,
    statistics: session.statistics ?? null,
  });
  return session;
}

async function answer(
  { session, terminal, options }: Talk,
  conversation: Conversation,
  question: string,
): Promise<ToldTurn> {
  const unknown = unknownWordsOf(session.tokenizer, question);
  if (unknown.length > 0) terminal.warn(`not in the model's vocabulary: ${unknown.join(", ")}`);
  const { answer: text, tokens } = await conversation.ask(question, { ...options, onText: terminal.write });
  terminal.line(text === "" ? pc.dim("(no answer)") : "");
  return { question, answer: text, tokens, unknownWords: unknown };
}

async function converse(talk: Talk, first: Conversation): Promise<readonly ToldTurn[]> {
  const { session, terminal } = talk;
  const typed = process.stdin.isTTY === true;
  const lines = createInterface({
    input: process.stdin,
    terminal: typed,
    ...(typed && { output: process.stderr }),
  });
  lines.on("SIGINT", () => lines.close());
  const turns: ToldTurn[] = [];
  let conversation = first;
  terminal.line(pc.dim(HELP));
  try {
    for await (const line of prompted(lines, terminal)) {
      const text = line.trim();
      if (text === "/quit") break;
      if (text === "/new") conversation.forget();
      else if (text.startsWith("/image ")) {
        conversation = (await showPicture(session, text.slice(7).trim(), terminal)) ?? conversation;
      } else if (text.startsWith("/")) terminal.line(pc.dim(HELP));
      else if (text !== "") turns.push(await answer(talk, conversation, text));
    }
  } finally {
    lines.close();
  }
  return turns;
}

/** Lines of input, each after a prompt. */
async function* prompted(lines: Interface, terminal: Terminal): AsyncGenerator<string> {
  const ask = (): void => {
    if (lines.terminal) lines.prompt();
    else terminal.write("> ");
  };
  ask();
  for await (const line of lines) {
    yield line;
    ask();
  }
  terminal.line();
}

/** A wrong file name must not end the conversation. */
async function showPicture(
  session: VlmSession,
  file: string,
  terminal: Terminal,
): Promise<Conversation | undefined> {
  try {
    return await openConversation(session, file);
  } catch (error) {
    if (!(error instanceof BasicError)) throw error;
    terminal.warn(error.message);
    return undefined;
  }
}

function temperatureOf(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new BasicError(
    "E_USAGE",
    `basic-mllm chat: --temperature must be a number of at least 0, got "${text}".`,
  );
}
