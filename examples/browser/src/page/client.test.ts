import { beforeEach, describe, expect, it, vi } from "vitest";

import type { Message, Picture, Request } from "../protocol.js";
import { Client } from "./client.js";

/** A worker that only remembers what it is told. */
class SilentWorker extends EventTarget {
  static made: SilentWorker[] = [];
  readonly told: Request[] = [];
  ended = false;

  constructor() {
    super();
    SilentWorker.made.push(this);
  }

  postMessage(request: Request): void {
    this.told.push(request);
  }

  terminate(): void {
    this.ended = true;
  }

  say(data: Message): void {
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }
}

const PICTURE: Picture = { name: "cat", width: 1, height: 1, pixels: new Uint8Array(3) };
const LOST: Message = { kind: "device-lost", text: "lost", files: new Map() };
const STARTED: Message = { kind: "started", device: "a GPU", stages: [], parameters: {} };

describe("Client", () => {
  const received: Message[] = [];
  let client: Client;
  const worker = (): SilentWorker => SilentWorker.made.at(-1) as SilentWorker;
  const ask = (id: number): Request => ({ kind: "ask", id, picture: PICTURE, question: "what?" });

  beforeEach(() => {
    received.length = 0;
    SilentWorker.made = [];
    vi.stubGlobal("Worker", SilentWorker);
    client = new Client((message) => received.push(message));
    client.start({ backend: "webgpu", length: "trial" });
  });

  it("keeps questions for the time when there is a model", () => {
    client.send(ask(1));
    expect(worker().told.map(({ kind }) => kind)).toEqual(["start"]);
    worker().say(STARTED);
    client.send(ask(2));
    expect(worker().told.slice(1)).toEqual([ask(1), ask(2)]);
  });

  it("goes on after a lost device in a new worker, and asks again what was not answered", () => {
    client.send(ask(1));
    client.send(ask(2));
    worker().say({ kind: "answered", id: 1, answer: "a cat", unknown: [] });
    worker().say({ kind: "failed", request: "ask", id: 2, text: "lost", deviceLost: true });
    worker().say(LOST);
    expect(SilentWorker.made.map(({ ended }) => ended)).toEqual([true, false]);
    expect(worker().told).toEqual([{ kind: "start", backend: "webgpu", length: "trial", files: new Map() }]);
    worker().say(STARTED);
    expect(worker().told.slice(1)).toEqual([ask(2)]);
    expect(received.map(({ kind }) => kind)).toEqual(["answered", "device-lost", "started"]);
  });

  it("gives up after three devices without a checkpoint between, and says so of every open question", () => {
    client.send(ask(1));
    for (let i = 0; i < 3; i++) worker().say(LOST);
    expect(received.slice(2)).toEqual([
      { kind: "failed", request: "ask", id: 1, text: "The run ended before the answer.", deviceLost: false },
      { kind: "failed", request: "start", text: "lost", deviceLost: false },
    ]);
  });

  it.each<Message>([
    { kind: "checkpoint", globalStep: 1 },
    { kind: "answered", id: 0, answer: "a cat", unknown: [] },
  ])("counts lost devices anew after one that worked: $kind", (sign) => {
    for (let i = 0; i < 4; i++) {
      worker().say(LOST);
      worker().say(sign);
    }
    expect(received.map(({ kind }) => kind)).not.toContain("failed");
  });

  it("leaves no question of the last run without an end", () => {
    client.send(ask(1));
    client.start({ backend: "cpu", length: "trial" });
    const text = "A new run began before the answer. Ask again.";
    expect(received).toEqual([{ kind: "failed", request: "ask", id: 1, text, deviceLost: false }]);
    worker().say(STARTED);
    expect(worker().told).toEqual([{ kind: "start", backend: "cpu", length: "trial" }]);
  });
});
