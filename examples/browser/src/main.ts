import "uplot/dist/uPlot.min.css";

import { chosenBackend, offerBackends } from "./page/backend-choice.js";
import { Chat } from "./page/chat.js";
import { Client } from "./page/client.js";
import { find } from "./page/elements.js";
import { Gallery } from "./page/gallery.js";
import { keepForOffline } from "./page/keep.js";
import { Progress } from "./page/progress.js";
import { Viewer } from "./page/viewer.js";
import type { Message, RunLength } from "./protocol.js";

const progress = new Progress();
const viewer = new Viewer();
const client = new Client(receive);
const send = (request: Parameters<Client["send"]>[0]): void => client.send(request);
const gallery = new Gallery((picture) => {
  viewer.show(picture);
  send({ kind: "watch", picture });
}, send);
const chat = new Chat(() => viewer.picture, send);

const form = find("start-form", HTMLFormElement);
const pause = find("pause", HTMLButtonElement);
const loseDevice = find("lose-device", HTMLButtonElement);
const exportButton = find("export", HTMLButtonElement);
let opened = false;
let lastCheckpoint = 0;
let lost: string | undefined;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const backend = chosenBackend();
  if (backend === null) return;
  setRunning(true);
  progress.clear();
  lastCheckpoint = 0;
  exportButton.disabled = true;
  progress.say(`Starting ${backend === "webgpu" ? "WebGPU" : "the CPU kernels"}.`);
  client.start({ backend, length: new FormData(form).get("length") as RunLength });
});
pause.addEventListener("click", () => {
  const pausing = pause.textContent === "Pause";
  send({ kind: pausing ? "pause" : "resume" });
  pause.disabled = pausing;
  if (!pausing) setPaused(false);
});
loseDevice.addEventListener("click", () => send({ kind: "lose-device" }));
exportButton.addEventListener("click", () => send({ kind: "export" }));

type Of<Kind extends Message["kind"]> = Extract<Message, { kind: Kind }>;

const handlers: { readonly [Kind in Message["kind"]]: (message: Of<Kind>) => void } = {
  ready: ({ choices, pictures }) => {
    // Later workers draw the same pictures again.
    if (opened) return;
    opened = true;
    gallery.open(choices, pictures);
    progress.say("Ready. Choose where to compute, and start.");
  },
  started: onStarted,
  note: ({ text }) => progress.say(`${text}.`),
  step: (message) => progress.step(message),
  metrics: ({ line }) => progress.metrics(line),
  evaluated: ({ globalStep, results }) => progress.evaluated(globalStep, results[0]?.metrics["vqa"]),
  patches: ({ map }) => viewer.showMap(map),
  picture: ({ picture }) => gallery.add(picture),
  "answer-text": ({ id, text }) => chat.append(id, text),
  answered: ({ id, answer, unknown }) => chat.finish(id, answer, unknown),
  exported: ({ file }) => download(file),
  checkpoint: ({ globalStep }) => {
    lastCheckpoint = globalStep;
  },
  paused: ({ globalStep }) => {
    setPaused(true);
    progress.say(`Paused after step ${counted(globalStep)}. Its state is kept in memory.`);
  },
  finished: ({ globalStep }) => {
    setRunning(false);
    progress.say(`Done: ${counted(globalStep)} steps. Ask it something, or download the projector.`);
  },
  "device-lost": () => {
    const place =
      lastCheckpoint === 0 ? "the beginning" : `the checkpoint at step ${counted(lastCheckpoint)}`;
    lost = `The GPU device was lost. Training goes on from ${place}, on a new device.`;
    setRunning(true);
    exportButton.disabled = true;
    progress.say(lost, "warning");
  },
  failed: onFailed,
};

function receive(message: Message): void {
  const handle = handlers[message.kind] as (message: Message) => void;
  handle(message);
}

function counted(steps: number): string {
  return steps.toLocaleString("en");
}

function onStarted({ device, stages, parameters }: Of<"started">): void {
  progress.plan(stages);
  setReady(true);
  chat.enable();
  exportButton.disabled = false;
  const sizes = Object.entries(parameters).filter(([, count]) => count > 0);
  const trained = sizes.map(([name, count]) => `${name} ${(count / 1e6).toFixed(2)} M`);
  const text = `Training ${trained.join(", ")} on ${device}.`;
  if (lost === undefined) progress.say(text);
  else progress.say(`${lost} ${text}`, "warning");
  lost = undefined;
}

function onFailed({ request, text, id }: Of<"failed">): void {
  if (request === "ask" && id !== undefined) {
    chat.fail(id, text);
    return;
  }
  if (request === "start" || request === "resume") setRunning(false);
  progress.say(text, "error");
}

function setRunning(running: boolean): void {
  find("setup", HTMLElement).classList.toggle("running", running);
  find("start", HTMLButtonElement).hidden = running;
  pause.hidden = !running;
  setPaused(false);
  loseDevice.hidden = !running || chosenBackend() !== "webgpu";
  setReady(false);
}

/** Whether the worker has a run that can be paused. */
function setReady(ready: boolean): void {
  pause.disabled = !ready;
  loseDevice.disabled = !ready;
}

function setPaused(paused: boolean): void {
  pause.disabled = false;
  pause.textContent = paused ? "Go on" : "Pause";
}

/** For tests on a software adapter, and for the patient on a slow one. */
function offerTrial(): void {
  const trial = find("trial", HTMLOptionElement);
  [trial.hidden, trial.disabled, trial.selected] = [false, false, true];
}

function download(file: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = "mm_projector.safetensors";
  link.click();
  // Some browsers begin to read after the click has returned.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

if (new URLSearchParams(location.search).has("trial")) offerTrial();
await keepForOffline();
await offerBackends();
