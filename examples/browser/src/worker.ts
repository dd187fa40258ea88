import { BasicError, trainedParts } from "@basic-mllm/core";
import { projectorPieces } from "@basic-mllm/weights";

import type { Message, Picture, Request, StagePlan } from "./protocol.js";
import { loseDevice, startChosen } from "./worker/backends.js";
import { ask, look } from "./worker/look.js";
import { loadSheet, PictureMaker } from "./worker/pictures.js";
import { openProcessor } from "./worker/processor.js";
import { pageRecipe } from "./worker/recipe.js";
import { openSession, type Session } from "./worker/session.js";
import { Training } from "./worker/training.js";
import { Turns } from "./worker/turns.js";

/** Pictures that the page begins with. */
const FIRST_PICTURES = 4;

const turns = new Turns();
const pictures = openPictures();
let watched: Picture | undefined;
let run: { readonly session: Session; readonly training: Training } | undefined;

function post(message: Message): void {
  self.postMessage(message);
}

async function openPictures(): Promise<PictureMaker> {
  const sheet = await loadSheet(`${import.meta.env.BASE_URL}sprites.webp`);
  const { builder } = pageRecipe("whole").data;
  return new PictureMaker(sheet, builder?.options ?? {}, openProcessor());
}

async function start(request: Extract<Request, { kind: "start" }>): Promise<void> {
  const { device } = await startChosen(request.backend);
  const note = (text: string) => post({ kind: "note", text });
  const session = await openSession(request.length, await pictures, note);
  const { stages: recipeStages } = session.recipe;
  const stages = Object.entries(recipeStages).map(
    ([name, { steps, train }]): StagePlan => ({ name, steps: steps as number, trains: train }),
  );
  const groups = trainedParts(Object.values(recipeStages), session.objective.groups);
  const parameters = Object.fromEntries(Object.entries(groups).map(([name, { size }]) => [name, size]));
  const training = new Training({ session, turns, post, onLook: lookAtWatched }, request.files);
  run = { session, training };
  post({ kind: "started", device, stages, parameters });
  await keepTraining();
}

/** Until the end or a pause. A lost device ends this worker's work: the page begins anew from the last checkpoint. */
async function keepTraining(): Promise<void> {
  const { training } = started();
  try {
    await training.run();
    await turns.do(() => lookAtWatched(training.globalStep));
  } catch (error) {
    if (!isDeviceLost(error)) throw error;
    post({ kind: "device-lost", text: error.message, files: training.files });
  }
}

function started(): NonNullable<typeof run> {
  if (run === undefined)
    throw new BasicError("E_USAGE", "There is no model on a device yet. Start training first.");
  return run;
}

async function lookAtWatched(globalStep: number): Promise<void> {
  if (watched === undefined) return;
  post({ kind: "patches", map: { ...(await look(started().session, watched)), globalStep } });
}

async function answer({ id, ...asked }: Extract<Request, { kind: "ask" }>): Promise<void> {
  const { session } = started();
  const onText = (text: string) => post({ kind: "answer-text", id, text });
  post({ kind: "answered", id, ...(await turns.do(() => ask(session, asked, onText))) });
}

async function exportProjector(): Promise<void> {
  const { session } = started();
  const pieces: BlobPart[] = [];
  await turns.do(async () => {
    for await (const piece of projectorPieces(session.projector)) {
      pieces.push(piece.slice());
    }
  });
  post({ kind: "exported", file: new Blob(pieces, { type: "application/octet-stream" }) });
}

async function watch(picture: Picture): Promise<void> {
  watched = picture;
  const current = run;
  if (current !== undefined) await turns.do(() => lookAtWatched(current.training.globalStep));
}

async function show(picture: Promise<Picture> | Picture): Promise<void> {
  post({ kind: "picture", picture: await picture });
}

async function serve(request: Request): Promise<void> {
  switch (request.kind) {
    case "start":
      return start(request);
    case "pause":
      return started().training.pause();
    case "resume":
      return keepTraining();
    case "lose-device":
      return loseDevice();
    case "watch":
      return watch(request.picture);
    case "ask":
      return answer(request);
    case "draw":
      return show((await pictures).draw(request.order, request.number));
    case "draw-unseen":
      return show((await pictures).unseen(request.number));
    case "open":
      return show((await pictures).open(request.name, request.bytes, request.number));
    case "export":
      return exportProjector();
  }
}

self.addEventListener("message", ({ data: request }: MessageEvent<Request>) => {
  serve(request).catch((error: unknown) => {
    const text = error instanceof Error ? error.message : String(error);
    const lost = isDeviceLost(error);
    // A run that trains finds out by itself.
    if (lost && run !== undefined && !turns.busy) {
      post({ kind: "device-lost", text, files: run.training.files });
      return;
    }
    const id = "id" in request ? { id: request.id } : {};
    post({ kind: "failed", request: request.kind, text, deviceLost: lost, ...id });
  });
});

function isDeviceLost(error: unknown): error is BasicError {
  return error instanceof BasicError && error.code === "E_DEVICE_LOST";
}

pictures.then(
  (maker) => {
    const first = Array.from({ length: FIRST_PICTURES }, (_, index) => maker.unseen(index));
    post({ kind: "ready", choices: maker.choices, pictures: first });
  },
  (error: unknown) =>
    post({
      kind: "failed",
      request: "draw",
      text: error instanceof Error ? error.message : String(error),
      deviceLost: false,
    }),
);
