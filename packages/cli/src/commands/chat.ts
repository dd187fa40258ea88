import { createInterface, type Interface } from "node:readline/promises";
import { BasicError } from "@basic-mllm/core";
import { unknownWordsOf } from "@basic-mllm/data";
import { defaultCacheFolder } from "@basic-mllm/scenes";
import pc from "picocolors";

import { defineCliCommand, wholeNumber } from "../command.js";
import {
  type Answer,
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

const HELP =
  "Ask about the picture. /image FILE shows another one, /new or /reset forgets what was said, /quit ends. " +
  "Ctrl-C stops an answer.";

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
    "top-k": { type: "string", valueHint: "k", description: "Draw from the k likeliest words only." },
    "top-p": {
      type: "string",
      valueHint: "p",
      description: "Draw from the fewest likeliest words whose probability reaches p.",
    },
    "repetition-penalty": {
      type: "string",
      valueHint: "r",
      description: "Above 1: words that came before are less likely.",
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
    const options = answerOptions(args);
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
  readonly options: Omit<AnswerOptions, "onText" | "signal">;
  /** Reads the questions; takes Ctrl-C from a keyboard. */
  readonly lines?: Interface;
}

/** One question with its answer, as `--json` prints it. */
interface ToldTurn {
  readonly question: string;
  readonly answer: string;
  readonly tokens: number;
  /** What ended the answer. */
  readonly ended: Answer["ended"];
  /** Rows of the prompt per second, picture included; `null` where the answer was stopped before. */
  readonly prefillPerSecond: number | null;
  /** Tokens per second after the first one; `null` where there was none. */
  readonly decodePerSecond: number | null;
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

async function answer(talk: Talk, conversation: Conversation, question: string): Promise<ToldTurn> {
  const { session, terminal, options } = talk;
  const unknownWords = unknownWordsOf(session.tokenizer, question);
  if (unknownWords.length > 0) terminal.warn(`not in the model's vocabulary: ${unknownWords.join(", ")}`);
  const told = await untilInterrupt(talk.lines, (signal) =>
    conversation.ask(question, { ...options, signal, onText: terminal.write }),
  );
  terminal.line(told.answer === "" ? pc.dim("(no answer)") : "");
  const { answer: text, tokens, ended, promptRows, prefillSeconds, decodeSteps, decodeSeconds } = told;
  const prefillPerSecond = prefillSeconds > 0 ? promptRows / prefillSeconds : null;
  const decodePerSecond = decodeSteps === 0 ? null : decodeSteps / Math.max(decodeSeconds, 1e-6);
  const rates = [
    `${promptRows} prompt tokens${prefillPerSecond === null ? "" : ` at ${shortly(prefillPerSecond)}/s`}`,
    ...(decodePerSecond === null ? [] : [`${tokens} answer tokens at ${shortly(decodePerSecond)}/s`]),
    ...(ended === "aborted" ? ["stopped"] : []),
  ];
  terminal.line(pc.dim(`(${rates.join(", ")})`));
  return { question, answer: text, tokens, ended, prefillPerSecond, decodePerSecond, unknownWords };
}

function shortly(rate: number): string {
  return rate >= 100 ? rate.toFixed(0) : rate.toPrecision(2);
}

/** Ctrl-C stops this answer only; a second one ends the program at once. */
async function untilInterrupt<T>(
  lines: Interface | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  // A terminal in raw mode gives Ctrl-C to readline; otherwise it is a signal.
  process.on("SIGINT", stop);
  lines?.on("SIGINT", stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off("SIGINT", stop);
    lines?.off("SIGINT", stop);
  }
}

async function converse(talk: Talk, first: Conversation): Promise<readonly ToldTurn[]> {
  const { session, terminal } = talk;
  const typed = process.stdin.isTTY === true;
  const lines = createInterface({
    input: process.stdin,
    terminal: typed,
    ...(typed && { output: process.stderr }),
  });
  const turns: ToldTurn[] = [];
  let answering = false;
  lines.on("SIGINT", () => {
    if (!answering) lines.close();
  });
  const told = async (question: string): Promise<void> => {
    answering = true;
    turns.push(await answer({ ...talk, lines }, conversation, question));
    answering = false;
  };
  let conversation = first;
  terminal.line(pc.dim(HELP));
  try {
    for await (const line of prompted(lines, terminal)) {
      const text = line.trim();
      if (text === "/quit") break;
      if (text === "/new" || text === "/reset") conversation.forget();
      else if (text.startsWith("/image ")) {
        conversation = (await showPicture(session, text.slice(7).trim(), terminal)) ?? conversation;
      } else if (text.startsWith("/")) terminal.line(pc.dim(HELP));
      else if (text !== "") await told(text);
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

/** @throws `BasicError` `E_USAGE` for a value out of range. */
function answerOptions(args: Readonly<Record<string, unknown>>): Omit<AnswerOptions, "onText"> {
  const text = (name: string): string | undefined => {
    const value = args[name];
    return typeof value === "string" ? value : undefined;
  };
  const whole = (name: string, minimum?: number): number | undefined =>
    wholeNumber("chat", name, text(name), minimum);
  const topK = whole("top-k");
  const topP = number("top-p", text("top-p"), "a number above 0 and up to 1", (p) => p > 0 && p <= 1);
  const penalty = number("repetition-penalty", text("repetition-penalty"), "a number above 0", (r) => r > 0);
  const temperature = number("temperature", text("temperature"), "a number of at least 0", (t) => t >= 0);
  return {
    maxTokens: whole("max-tokens") ?? 48,
    seed: whole("seed", 0) ?? 0,
    temperature: temperature ?? 0,
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(penalty !== undefined && { repetitionPenalty: penalty }),
  };
}

function number(
  name: string,
  text: string | undefined,
  expected: string,
  valid: (value: number) => boolean,
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && valid(value)) return value;
  throw new BasicError("E_USAGE", `basic-mllm chat: --${name} must be ${expected}, got "${text}".`);
}
