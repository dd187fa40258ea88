import type { MemoryFiles } from "@basic-mllm/core";

import type { BackendChoice, Message, Picture, Request, RunLength } from "../protocol.js";

/** What the visitor chose to train. */
export interface RunChoice {
  readonly backend: BackendChoice;
  readonly length: RunLength;
}

/** Devices that may be lost one after the other without a checkpoint or an answer between. */
const MOST_LOSSES = 2;

type Ask = Extract<Request, { kind: "ask" }>;

/**
 * The page's side of the worker. A worker has one backend and one device for its life: each run gets a new one, and so does a
 * run whose device was lost, which goes on from its last checkpoint.
 */
export class Client {
  readonly #onMessage: (message: Message) => void;
  #worker: Worker;
  #used = false;
  /** Whether the worker has a model; questions wait for it. */
  #started = false;
  /** Lost devices since the last checkpoint or answer. */
  #losses = 0;
  #choice: RunChoice | undefined;
  #watched: Picture | undefined;
  /** Questions without an answer yet. */
  readonly #open = new Map<number, Ask>();

  constructor(onMessage: (message: Message) => void) {
    this.#onMessage = onMessage;
    this.#worker = this.#startWorker();
  }

  /** Begins a run. */
  start(choice: RunChoice): void {
    this.#choice = choice;
    this.#losses = 0;
    this.#leave("A new run began before the answer. Ask again.");
    this.#begin(choice);
  }

  send(request: Request): void {
    if (request.kind === "watch") this.#watched = request.picture;
    if (request.kind === "ask") {
      this.#open.set(request.id, request);
      if (!this.#started) return;
    }
    this.#worker.postMessage(request);
  }

  /** The run has ended for good. */
  #fail(text: string): void {
    this.#leave("The run ended before the answer.");
    this.#onMessage({ kind: "failed", request: "start", text, deviceLost: false });
  }

  /** Answers every open question with an error. */
  #leave(text: string): void {
    for (const id of this.#open.keys()) {
      this.#onMessage({ kind: "failed", request: "ask", id, text, deviceLost: false });
    }
    this.#open.clear();
  }

  #begin(choice: RunChoice, files?: MemoryFiles): void {
    if (this.#used) {
      this.#worker.terminate();
      this.#worker = this.#startWorker();
    }
    this.#used = true;
    this.#started = false;
    if (this.#watched !== undefined) this.#worker.postMessage({ kind: "watch", picture: this.#watched });
    this.#worker.postMessage({ kind: "start", ...choice, ...(files && { files }) } satisfies Request);
  }

  #startWorker(): Worker {
    const worker = new Worker(new URL("../worker.ts", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }: MessageEvent<Message>) => this.#receive(data));
    worker.addEventListener("error", ({ message }) => {
      this.#fail(`The worker failed: ${message}. Reload the page.`);
    });
    return worker;
  }

  #receive(message: Message): void {
    if (message.kind === "answered") this.#open.delete(message.id);
    if (message.kind === "checkpoint" || message.kind === "answered") this.#losses = 0;
    if (message.kind === "failed" && message.id !== undefined) {
      // Asked again on the next device.
      if (message.deviceLost) return;
      this.#open.delete(message.id);
    }
    if (message.kind === "device-lost") {
      this.#recover(message);
      return;
    }
    this.#onMessage(message);
    if (message.kind === "started") {
      this.#started = true;
      for (const ask of this.#open.values()) this.#worker.postMessage(ask);
    }
  }

  /** Goes on from the last checkpoint on a new device, unless devices are lost again and again. */
  #recover(message: Extract<Message, { kind: "device-lost" }>): void {
    this.#losses++;
    if (this.#choice === undefined || this.#losses > MOST_LOSSES) {
      this.#fail(message.text);
      return;
    }
    this.#onMessage(message);
    this.#begin(this.#choice, message.files);
  }
}
