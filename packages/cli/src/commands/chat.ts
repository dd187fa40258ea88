import { createInterface, type Interface } from "node:readline/promises";
import { BasicError } from "@basic-mllm/core";
import { unknownWordsOf } from "@basic-mllm/data";
import type { Answer, AskOptions, Conversation } from "@basic-mllm/evaluate";
import pc from "picocolors";

import { defineCliCommand, wholeNumber } from "../command.js";
import { type ChatModel, openChat } from "../session/open-chat.js";
import type { Terminal } from "../terminal.js";

const COMMANDS = "/new or /reset forgets what was said, /quit ends. Ctrl-C stops an answer.";
const HELP = {
  pictured: `Ask about the picture. /image FILE shows another one, ${COMMANDS}`,
  text: `Ask anything. ${COMMANDS}`,
} as const;

/** `basic-mllm chat`: questions about a picture, answered by a trained run; or without one, by a language model. */
export const chat = defineCliCommand({
  name: "chat",
  description: "Talk with a trained run about a picture, or with a language model.",
  args: {
    run: {
      type: "positional",
      description: "Run folder, Hugging Face model folder, or GGUF file.",
      required: true,
    },
    image: {
      type: "string",
      valueHint: "file",
      description: "Picture, for a run: PNG, JPEG, WebP, GIF, TIFF or AVIF.",
    },
    template: {
      type: "string",
      valueHint: "name",
      description: "Chat template of a language model. Default: the model's own.",
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
    "basic-mllm chat SmolLM2-135M-Instruct.Q4_1.gguf",
  ],
  run: async ({ args, terminal }) => {
    const options = answerOptions(args);
    const { image, template } = args;
    const opened = await openChat(args.run, { image, template }, terminal);
    try {
      const conversation = await opened.begin();
      const talking = { ...opened, terminal, options };
      const turns =
        args.question === undefined
          ? await converse(talking, conversation)
          : await one(talking, conversation, args.question);
      const first = args.question === undefined ? {} : turns[0];
      terminal.result({ run: args.run, ...(image !== undefined && { image }), ...first, turns });
    } finally {
      opened.dispose();
    }
    return 0;
  },
});

async function one(
  talking: Talk,
  conversation: Conversation,
  question: string,
): Promise<readonly ToldTurn[]> {
  try {
    return [await answer(talking, conversation, question)];
  } finally {
    conversation.dispose();
  }
}

interface Talk extends Pick<ChatModel, "tokenizer" | "seesPictures" | "show"> {
  readonly terminal: Terminal;
  readonly options: Omit<AskOptions, "onText" | "signal">;
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
  /** New rows of the prompt per second, picture included; `null` where the answer was stopped before. */
  readonly prefillPerSecond: number | null;
  /** Tokens per second after the first one; `null` where there was none. */
  readonly decodePerSecond: number | null;
  readonly unknownWords: readonly string[];
}

async function answer(talking: Talk, conversation: Conversation, question: string): Promise<ToldTurn> {
  const { tokenizer, terminal, options } = talking;
  const unknownWords = unknownWordsOf(tokenizer, question);
  if (unknownWords.length > 0) terminal.warn(`not in the model's vocabulary: ${unknownWords.join(", ")}`);
  const told = await untilInterrupt(talking.lines, (signal) =>
    conversation.ask(question, { ...options, signal, onText: terminal.write }),
  );
  terminal.line(told.answer === "" ? pc.dim("(no answer)") : "");
  const { answer: text, tokens, ended, prefillRows, prefillSeconds, decodeSteps, decodeSeconds } = told;
  const prefillPerSecond = prefillSeconds > 0 ? prefillRows / prefillSeconds : null;
  const decodePerSecond = decodeSteps === 0 ? null : decodeSteps / Math.max(decodeSeconds, 1e-6);
  const rates = [
    `${prefillRows} prompt tokens${prefillPerSecond === null ? "" : ` at ${shortly(prefillPerSecond)}/s`}`,
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

async function converse(talking: Talk, first: Conversation): Promise<readonly ToldTurn[]> {
  const { terminal, seesPictures } = talking;
  const help = pc.dim(seesPictures ? HELP.pictured : HELP.text);
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
    turns.push(await answer({ ...talking, lines }, conversation, question));
    answering = false;
  };
  let conversation = first;
  terminal.line(help);
  try {
    for await (const line of prompted(lines, terminal)) {
      const text = line.trim();
      if (text === "/quit") break;
      if (text === "/new" || text === "/reset") conversation.forget();
      else if (text.startsWith("/image ")) {
        conversation = await showPicture(talking, text.slice(7).trim(), conversation);
      } else if (text.startsWith("/")) terminal.line(help);
      else if (text !== "") await told(text);
    }
  } finally {
    lines.close();
    conversation.dispose();
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

/** A conversation about another picture; the one there is where it cannot be shown: a wrong name must not end it. */
async function showPicture(
  { show, terminal }: Talk,
  file: string,
  conversation: Conversation,
): Promise<Conversation> {
  try {
    const next = await show(file);
    conversation.dispose();
    return next;
  } catch (error) {
    if (!(error instanceof BasicError)) throw error;
    terminal.warn(error.message);
    return conversation;
  }
}

/** @throws `BasicError` `E_USAGE` for a value out of range. */
function answerOptions(args: Readonly<Record<string, unknown>>): Omit<AskOptions, "onText"> {
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
