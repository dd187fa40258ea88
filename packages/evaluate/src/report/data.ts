/** One line of `metrics.jsonl` of kind `train`. */
export interface TrainPoint {
  readonly stage: string;
  /** Optimizer step over all stages, from 0. */
  readonly globalStep: number;
  readonly loss: number;
  /** Unweighted loss parts, for example `language` and `direction`. */
  readonly parts: Readonly<Record<string, number>>;
  readonly learningRate: number;
  readonly gradientNorm: number;
  readonly tokensPerSecond: number;
  readonly diagnostics?: Readonly<Record<string, number>>;
}

/** One evaluation during training. */
export interface EvaluationPoint {
  readonly stage: string;
  readonly globalStep: number;
  readonly split: string;
  readonly metrics: Readonly<Record<string, number>>;
}

/** A question about a picture, the model's answer and the truth. */
export interface AnsweredQuestion {
  readonly type: string;
  readonly question: string;
  readonly answer: string;
  readonly truth: string;
  readonly correct: boolean;
}

/** A picture with its questions. */
export interface SamplePicture {
  /** `data:` address of the picture. */
  readonly image: string;
  readonly questions: readonly AnsweredQuestion[];
}

/** One visual embedding and the word it points at. */
export interface MatchedPatch {
  readonly word: string;
  /** The word belongs to the scene. */
  readonly meaningful: boolean;
}

/** A picture with what supervision saw of it. Arrays are row-major over the patch grid. */
export interface PatchPicture {
  readonly image: string;
  readonly grid: readonly [rows: number, columns: number];
  /**
   * The part of the picture that the grid covers, in shares of the picture's sides: beyond it where the picture was padded
   * (a negative corner), less where it was cropped. `aspect` is the width of that part by its height, in pixels of the
   * picture. Default: all of it.
   */
  readonly seen?: {
    readonly left: number;
    readonly top: number;
    readonly width: number;
    readonly height: number;
    readonly aspect: number;
  };
  readonly question: string;
  /** a_j: attention that text pays to each patch, before normalisation. */
  readonly weights: readonly number[];
  /** Words of the projector's output before training. */
  readonly before: readonly MatchedPatch[];
  /** Words of the projector's output after training. */
  readonly after: readonly MatchedPatch[];
}

/** Token matching over a test set, for the projector's output (block 0) or after a block. */
export interface BlockShare {
  readonly block: number;
  /** Share of visual embeddings whose nearest word belongs to the scene. */
  readonly meaningful: number;
  /** The same, with the words of what is drawn under that patch. */
  readonly strict: number;
  /** Number of different nearest words. */
  readonly distinct: number;
}

/** Everything the report shows of one run. */
export interface ReportRun {
  readonly name: string;
  readonly description: string;
  /** Wall time of training, in seconds. */
  readonly seconds: number;
  /** Rows of "label, value" about machine, backend and versions. */
  readonly environment: readonly (readonly [label: string, value: string])[];
  /** Parts of the model: name, parameters, stages in which it trains. */
  readonly parts: readonly {
    readonly name: string;
    readonly parameters: number;
    readonly trains: readonly string[];
  }[];
  readonly recipe: unknown;
  readonly train: readonly TrainPoint[];
  readonly evaluations: readonly EvaluationPoint[];
  readonly warnings: readonly string[];
  /** Final metrics by split. The first split is the headline. */
  readonly final: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** The same questions answered by a model that never saw a picture. */
  readonly blind?: Readonly<Record<string, number>>;
  readonly samples: readonly SamplePicture[];
  readonly patches: readonly PatchPicture[];
  readonly shares: { readonly before: readonly BlockShare[]; readonly after: readonly BlockShare[] };
  /** Accuracy when each visual embedding is replaced by that of its nearest word. */
  readonly replacement?: Readonly<Record<string, number>>;
}

/** One report: one run in depth, or several compared. */
export interface ReportData {
  readonly title: string;
  /** Date of writing, `YYYY-MM-DD`. */
  readonly date: string;
  readonly runs: readonly ReportRun[];
}
