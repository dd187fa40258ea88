// Our side of a generation: driven by lines of JSON (see turns.mjs).
import { start } from "@basic-mllm/backend-cpu";
import { createTokenizer } from "@basic-mllm/data";
import { generate } from "@basic-mllm/evaluate";
import { loadGguf } from "@basic-mllm/weights";

import { serve } from "./serve.mjs";

let opened;

function now() {
  const { user, system } = process.cpuUsage();
  return { wall: performance.now(), cpu: (user + system) / 1000 };
}

const since = (from, to) => ({ wall_ms: to.wall - from.wall, cpu_ms: to.cpu - from.cpu });

await serve({
  async open({ path, prompt, threads }) {
    await start({ threads });
    const { language, tokenizer } = await loadGguf(path, { storage: "file", table: "file" });
    const ids = createTokenizer(tokenizer.tokenizer, tokenizer.config).encode(prompt);
    const rows = Int32Array.from(ids);
    const packed = {
      ids: rows,
      offsets: Int32Array.of(0, rows.length),
      positions: rows.map((_, i) => i),
      images: [],
      countsAsText: rows.map(() => 1),
      labels: rows.map(() => -100),
    };
    opened = { language, prompt: { packed, visual: null } };
    return { ids: [...ids] };
  },
  /** Greedy tokens; the end of a sequence does not end them. */
  async generate({ tokens }) {
    const begin = now();
    let first;
    const onToken = () => {
      first ??= now();
    };
    const options = { maxTokens: tokens, endOfSequence: null, onToken };
    const ids = await generate(opened.language, opened.prompt, options);
    return { ids, prefill: since(begin, first), decode: since(first, now()) };
  },
});
