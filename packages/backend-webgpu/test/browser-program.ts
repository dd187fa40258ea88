// The conformance suite in a browser's Worker: browser.slow.ts bundles and serves it. Answers to the page's server.
import { runConformance } from "@basic-mllm/testing";

import { BACKEND_NAME, describe, start, toleranceFactor } from "../src/browser.js";

const answer = await runConformance({
  backend: BACKEND_NAME,
  start: () => start(),
  toleranceFactor,
  device: () => describe(),
}).catch((error: Error) => ({ error: `${error.message}\n${error.stack}` }));
await fetch("/result", { method: "POST", body: JSON.stringify(answer) });
