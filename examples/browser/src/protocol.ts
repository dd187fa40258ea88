// What the page and its worker tell each other.
import type { EvaluationResult, LinePosition, MemoryFiles, TrainLine } from "@basic-mllm/core";

/** Where training computes: the visitor's choice. */
export type BackendChoice = "webgpu" | "cpu";

/** How much of the recipe to train; a trial is for software adapters, on which a step takes seconds. */
export type RunLength = "whole" | "quarter" | "taste" | "trial";

/** A picture as the model sees it: `[height, width, 3]`. */
export interface Picture {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
  /** What is drawn, for people; absent for the visitor's own pictures. */
  readonly caption?: string;
}

/** A scene that the visitor puts together. Indices into {@link SceneChoices}. */
export interface SceneOrder {
  readonly concept: number;
  readonly style: number;
  readonly cell: number;
  readonly background: number;
}

/** What scenes can show. */
export interface SceneChoices {
  readonly concepts: readonly { readonly name: string; readonly heldOut: boolean }[];
  readonly styles: readonly { readonly name: string; readonly author: string; readonly unseen: boolean }[];
  readonly cells: readonly string[];
  readonly backgrounds: readonly string[];
}

/** What supervision sees of a picture. Lists are row by row over the grid. */
export interface PatchMap {
  readonly picture: string;
  readonly globalStep: number;
  readonly grid: readonly [rows: number, columns: number];
  /** Attention that the question pays to each patch. */
  readonly weights: readonly number[];
  /** The vocabulary word nearest to each visual embedding. */
  readonly words: readonly string[];
}

/** One stage of the run. */
export interface StagePlan {
  readonly name: string;
  readonly steps: number;
  readonly trains: readonly string[];
}

/** From the page to the worker. */
export type Request =
  | {
      readonly kind: "start";
      readonly backend: BackendChoice;
      readonly length: RunLength;
      /** Of an interrupted run: goes on from its last checkpoint. */
      readonly files?: MemoryFiles;
    }
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  /** Ends the WebGPU device, to see what happens. */
  | { readonly kind: "lose-device" }
  | { readonly kind: "watch"; readonly picture: Picture }
  | { readonly kind: "ask"; readonly id: number; readonly picture: Picture; readonly question: string }
  /** `number` makes the names of pictures differ. */
  | { readonly kind: "draw"; readonly number: number; readonly order: SceneOrder }
  | { readonly kind: "draw-unseen"; readonly number: number }
  | { readonly kind: "open"; readonly number: number; readonly name: string; readonly bytes: Uint8Array }
  | { readonly kind: "export" };

/** From the worker to the page. */
export type Message =
  | { readonly kind: "ready"; readonly choices: SceneChoices; readonly pictures: readonly Picture[] }
  | {
      readonly kind: "started";
      readonly device: string;
      readonly stages: readonly StagePlan[];
      readonly parameters: Readonly<Record<string, number>>;
    }
  | { readonly kind: "note"; readonly text: string }
  | ({ readonly kind: "step"; readonly steps: number } & LinePosition)
  | { readonly kind: "metrics"; readonly line: TrainLine }
  | ({ readonly kind: "evaluated"; readonly results: readonly EvaluationResult[] } & LinePosition)
  | { readonly kind: "checkpoint"; readonly globalStep: number }
  | { readonly kind: "patches"; readonly map: PatchMap }
  | { readonly kind: "paused"; readonly globalStep: number }
  | { readonly kind: "finished"; readonly globalStep: number }
  | { readonly kind: "device-lost"; readonly text: string; readonly files: MemoryFiles }
  | { readonly kind: "picture"; readonly picture: Picture }
  | { readonly kind: "answer-text"; readonly id: number; readonly text: string }
  | {
      readonly kind: "answered";
      readonly id: number;
      readonly answer: string;
      readonly unknown: readonly string[];
    }
  | { readonly kind: "exported"; readonly file: Blob }
  | {
      readonly kind: "failed";
      readonly request: Request["kind"];
      readonly text: string;
      readonly deviceLost: boolean;
      readonly id?: number;
    };
