// npm run bench -- generate --peer llama: tokens per second of a GGUF file, ours and llama.cpp's in turns.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";

import { root } from "../rows.mjs";
import { median, Side, timeOf, withSides } from "./turns.mjs";

const FILE = "SmolLM2-135M-Instruct.Q4_1.gguf";
const PROMPT =
  "<|im_start|>user\nExplain gravity to a child in a few sentences.<|im_end|>\n<|im_start|>assistant\n";

/** Models, and how many rows the prompt has. */
export const generationCases = [
  { name: "smollm2-135m-q4_1/short", file: FILE, prompt: PROMPT },
  { name: "smollm2-135m-q4_1/long", file: FILE, prompt: PROMPT.repeat(20) },
];

/** Rounds before the clock counts. */
const WARM_UP = 1;

const folder = join(root, "benchmarks", "peers");

/** The Python that has llama-cpp-python: BASIC_MLLM_LLAMA_PYTHON, or the system's. */
function llamaPython() {
  const python = process.env.BASIC_MLLM_LLAMA_PYTHON || "python3";
  const command = "import llama_cpp, numpy; print(llama_cpp.__version__)";
  try {
    const version = execFileSync(python, ["-c", command], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return { python, version: version.trim() };
  } catch (cause) {
    throw new Error(
      `${python} has no llama_cpp. Make an environment of its own, \`pip install llama-cpp-python\` in it (it is built from ` +
        "source, which takes a while), and name its Python in BASIC_MLLM_LLAMA_PYTHON.",
      { cause },
    );
  }
}

/** Rows of the chosen cases: one for the prompt, one for the tokens after it. `tokens`: how many new ones. */
export async function* rowsAgainstLlama({ filter, rounds, tokens, threads }) {
  const chosen = generationCases.filter(({ name }) => name.includes(filter));
  if (chosen.length === 0) throw new Error(`No generation case contains "${filter}".`);
  const { python, version } = llamaPython();
  for (const { name, file, prompt } of chosen) {
    const path = join(root, ".cache", "gguf", file);
    if (!existsSync(path)) throw new Error(`There is no ${path}. Fetch it with: node scripts/fetch-gguf.mjs`);
    const sides = {
      ours: new Side("ours", [process.execPath, join(folder, "ours-generate.mjs")], { cwd: folder }),
      peer: new Side("llama.cpp", [python, join(folder, "llama_generate.py")], { cwd: folder }),
    };
    const times = await withSides(sides, () => timesOf(sides, { path, prompt, threads, tokens, rounds }));
    yield* rowsOf({ name, version, threads, tokens }, times);
  }
}

async function timesOf(sides, { path, prompt, threads, tokens, rounds }) {
  const { ids } = await sides.ours.ask("open", { path, prompt, threads });
  await sides.peer.ask("open", { path, ids, threads });
  const all = { ours: [], peer: [] };
  for (let round = 0; round < WARM_UP + rounds; round++) {
    for (const [name, side] of Object.entries(sides)) {
      const answer = await side.ask("generate", { tokens });
      if (round >= WARM_UP) all[name].push(answer);
    }
  }
  return { rows: ids.length, ...all };
}

/** Speeds from the median times. Ratio above 1: ours is faster. */
export function rowsOf({ name, version, threads, tokens }, { rows, ours, peer }) {
  const parts = { prefill: rows, decode: tokens - 1 };
  const parting = ours[0].ids.findIndex((id, i) => id !== peer[0].ids[i]);
  return Object.entries(parts).map(([mode, count]) => {
    const speed = (answers) =>
      (1000 * count) / median(answers.map((answer) => timeOf(answer[mode], threads)));
    const [own, other] = [speed(ours), speed(peer)];
    return {
      kind: "generation",
      case: name,
      mode,
      rows,
      tokens,
      peer: `llama-cpp-python ${version}`,
      ours_per_second: Math.round(10 * own) / 10,
      peer_per_second: Math.round(10 * other) / 10,
      ratio: Math.round((1000 * own) / other) / 1000,
      // The peer rounds activations to 8 bits: where answers part.
      equal_tokens: parting < 0 ? tokens : parting,
      rounds: ours.length,
      load: Math.round(10 * loadavg()[0]) / 10,
      threads,
    };
  });
}
