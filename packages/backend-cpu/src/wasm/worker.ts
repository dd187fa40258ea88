import { answerThreadMessages } from "./module.js";

if (typeof process === "object" && process.versions?.node !== undefined) {
  const { parentPort } = await import("node:worker_threads");
  const postMessage = (message: unknown) => parentPort?.postMessage(message);
  // The module's runtime looks for what a browser's worker has.
  Object.assign(globalThis, { self: globalThis, postMessage });
  const answer = answerThreadMessages({});
  parentPort?.on("message", (data) => answer({ data }));
} else {
  globalThis.onmessage = answerThreadMessages({});
}
