// The conformance suite in a browser's Worker: browser.slow.ts bundles and serves it. Answers to the page's server.
import { runConformance } from "@basic-mllm/testing";

import { describe, start } from "../src/browser.js";

async function check(): Promise<unknown> {
  const result = await runConformance({
    backend: "basiccpu",
    start: () => start({ threads: 2 }),
    device: () => describe(),
  });
  const again = await start({ threads: 2 });
  const refusal = await start({ threads: 3 }).catch((error: Error) => error.message);
  return { ...result, again, refusal };
}

const answer = await check().catch((error: Error) => ({ error: `${error.message}\n${error.stack}` }));
await fetch("/result", { method: "POST", body: JSON.stringify(answer) });
