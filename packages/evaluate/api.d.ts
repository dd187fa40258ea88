import { PackedRows, LanguageModel, TrainingData, BatchWords } from '@basic-mllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { TextTokenizer, Template, PreviewRecord } from '@basic-mllm/data';

/** What a test question is about; `yes`, `no-random` and `no-adversarial` are "is there a …" questions; `answer` is any other. */
type QuestionType = "name" | "kind" | "where" | "color" | "count" | "yes" | "no-random" | "no-adversarial" | "answer";
/** One test question, in the order of the evaluation data. */
interface QuestionItem {
    readonly id: string;
    readonly type: QuestionType;
    readonly question: string;
    readonly truth: string;
}
/** How one question was answered. */
interface Answered extends QuestionItem {
    /** Decoded answer, by teacher-forced argmax: equal to greedy decoding wherever it is right. */
    readonly answer: string;
    /** Every answer token, end of sequence included, was right. */
    readonly correct: boolean;
    /** Summed negative log-likelihood of the answer, in nats, and its number of tokens. */
    readonly nll: number;
    readonly tokens: number;
    /** For yes/no questions: whether "yes" was likelier than "no". */
    readonly saysYes?: boolean;
}
/**
 * Accuracy per question type.
 *
 * `yesno` is the mean of balanced accuracies against random and adversarial negatives, `f1…` POPE's F1, `vqa` the mean
 * over the types that were asked (`yesno` as one of them), `nll` nats per answer token.
 */
declare function score(answers: readonly Answered[]): Readonly<Record<string, number>>;

/** What {@link answerQuestions} reads of a batch. */
interface QuestionBatch {
    readonly packed: PackedRows;
}
/** A model that answers, and the words of its answers. */
interface AnsweringModel<Batch extends QuestionBatch> {
    readonly language: LanguageModel;
    /** Visual embeddings `[N, D]` of a batch; null for text only. Called inside of `tf.tidy`. */
    readonly embed: (batch: Batch) => tf.Tensor2D | null;
    /** Text of token ids. */
    readonly decode: (ids: readonly number[]) => string;
    /** Token ids of "yes" and "no"; absent where yes/no questions are not asked. */
    readonly yesNo?: readonly [yes: number, no: number];
    /** Not part of an answer when it is decoded. */
    readonly endOfSequence: number;
}
/** Which questions, and how many samples at a time. */
interface AnswerOptions {
    readonly batchSize: number;
    /** First n questions only. */
    readonly limit?: number;
    /** Called after each batch, and awaited; what it throws ends the answers. */
    readonly onProgress?: (done: number, total: number) => void | Promise<void>;
}
/**
 * Answers test questions by teacher forcing: one forward pass per batch, no generation loop.
 *
 * A question is right when the likeliest token is the true one at every position of the answer, the end of sequence
 * included; greedy decoding gives the same verdict.
 *
 * @param data - One sample per question: its labels are the answer. In the order of `items`.
 */
declare function answerQuestions<Batch extends QuestionBatch>(model: AnsweringModel<Batch>, data: TrainingData<Batch>, items: readonly QuestionItem[], options: AnswerOptions): Promise<readonly Answered[]>;

/**
 * Keys and values of the rows that a model has seen, with the ids of these rows: a prompt that begins as the one before is
 * run from where they part. For one conversation with one picture; visual rows are taken for equal where their numbers are.
 */
declare class PromptCache {
    #private;
    constructor(language: LanguageModel);
    /** Rows that are held. */
    get length(): number;
    /** Forgets what `prompt` does not begin with, and gives its other rows: at least the last one. */
    remainder(prompt: Prompt): Prompt;
    /** Runs rows that follow on those held. @returns Logits `[V]` after the last one. */
    run(input: Prompt): Promise<Float32Array>;
    /** Frees what is held; the next prompt begins anew. */
    dispose(): void;
}

/** How a token is drawn from logits. Order and meaning are those of Hugging Face's logits processors. */
interface SamplingOptions {
    /** 0 (default): the likeliest token. Otherwise draws from the distribution at this temperature. */
    readonly temperature?: number;
    /** Draws from the k likeliest tokens only, and those equal to the last of them. Default: from all. */
    readonly topK?: number;
    /** Draws from the fewest likeliest tokens whose probability reaches p, above 0 and up to 1. Default 1: from all. */
    readonly topP?: number;
    /**
     * Divides positive and multiplies negative logits of tokens that occur in the prompt or the answer (Keskar et al.
     * 2019, arXiv 1909.05858). Default 1: none.
     */
    readonly repetitionPenalty?: number;
    /** Of the draws. Default 0. */
    readonly seed?: number;
}

/** How {@link generate} picks tokens and when it stops. */
interface GenerateOptions extends SamplingOptions {
    readonly maxTokens: number;
    /** Stops before this token, or the first of these; `null`: never. */
    readonly endOfSequence: number | readonly number[] | null;
    /** Stops before the next token once it is aborted; what came so far is kept. */
    readonly signal?: AbortSignal;
    /** Called with each token as it comes. */
    readonly onToken?: (id: number) => void;
}
/** What {@link generate} may take over from a call before. */
interface ContinueOptions {
    /** Rows that the prompt shares with the one before are not run again. Default: a cache for this call alone. */
    readonly cache?: PromptCache;
}
/** How {@link generateText} makes text of tokens and when it stops. */
interface GenerateTextOptions extends GenerateOptions, ContinueOptions {
    /** Text of token ids. */
    readonly decode: (ids: readonly number[]) => string;
    /** Stops before the first of these texts; it may begin and end inside of tokens. Default: none. */
    readonly stopStrings?: readonly string[];
    /** Called with each new piece of text: whole characters, and nothing of a stop string. */
    readonly onText?: (text: string) => void;
}
/** What {@link generateText} gives back. */
interface GeneratedText {
    /** Up to the stop string. */
    readonly text: string;
    /** All new tokens, those of a stop string included. */
    readonly ids: readonly number[];
    /** Why it ended: a stop token, a stop string, `maxTokens` or the signal. */
    readonly ended: "stop-token" | "stop-string" | "length" | "aborted";
    /** Seconds until the first token was picked: the forward pass over the prompt. */
    readonly prefillSeconds: number;
    /** Seconds for the forward passes after that, one for each further token. */
    readonly decodeSeconds: number;
    /** How many forward passes `decodeSeconds` holds. */
    readonly decodeSteps: number;
    /** Rows of the prompt that `prefillSeconds` ran; the others were in the cache. */
    readonly prefillRows: number;
}
/** One sample to continue. */
interface Prompt {
    /** Rows of one sample. */
    readonly packed: PackedRows;
    /** Visual embeddings `[N, D]`. */
    readonly visual: tf.Tensor2D | null;
}
/**
 * Continues one prompt token by token, with a key-value cache.
 *
 * @returns The new token ids.
 * @throws `BasicError` `E_CONFIG` for options out of range, `E_NOT_FINITE` for logits that are not finite.
 */
declare function generate(language: LanguageModel, prompt: Prompt, options: GenerateOptions & ContinueOptions): Promise<readonly number[]>;
/**
 * Continues one prompt and gives text as soon as it is whole.
 *
 * @throws As {@link generate}.
 */
declare function generateText(language: LanguageModel, prompt: Prompt, options: GenerateTextOptions): Promise<GeneratedText>;

/**
 * Continues several prompts of any lengths together: one forward pass over all of them, then one for each token, with a row
 * for every prompt that goes on. Weights are read once for all of them.
 *
 * Each prompt draws as {@link generate} would draw for it alone.
 *
 * @returns The new token ids of each prompt.
 * @throws `BasicError` As {@link generate}.
 */
declare function generateBatch(language: LanguageModel, prompts: readonly Prompt[], options: Omit<GenerateOptions, "onToken">): Promise<readonly (readonly number[])[]>;

/** How {@link Conversation.ask} answers. */
interface AskOptions extends SamplingOptions {
    readonly maxTokens: number;
    /** Ends the answer early; what was said so far stays in the conversation. */
    readonly signal?: AbortSignal;
    /** Called with each new piece of text. */
    readonly onText: (text: string) => void;
}
/** What {@link Conversation.ask} gives back. */
interface Answer extends Omit<GeneratedText, "text" | "ids"> {
    readonly answer: string;
    readonly tokens: number;
    /** Rows of the prompt: its tokens and those of the picture. */
    readonly promptRows: number;
}
/** Questions and answers, about one picture or about none. */
interface Conversation {
    /** The answer, with everything said before as context: what is equal to the last prompt is not run again. */
    ask(question: string, options: AskOptions): Promise<Answer>;
    /** Starts again with the same picture. */
    forget(): void;
    /** Frees what is kept of the rows seen. */
    dispose(): void;
}
/** Who answers. */
interface Speaker {
    readonly language: LanguageModel;
    readonly tokenizer: TextTokenizer;
    readonly template: Template;
    /** The picture that is talked about, and its rows; absent: none. */
    readonly picture?: {
        readonly name: string;
        readonly rows: number;
        /** Its visual embeddings `[N, D]`. */
        embed(packed: PackedRows): tf.Tensor2D;
    };
}
/** A conversation that has not begun. */
declare function talk({ language, tokenizer, template, picture }: Speaker): Conversation;

/**
 * Text of tokens as they come, without decoding all of them again each time.
 *
 * A token's text may depend on the ones before (a leading space, bytes of one character), so a few tokens that were shown
 * already are decoded with the new ones, and the difference is the new text. Text that ends in the middle of a character
 * waits for the rest of it.
 */
declare class TextStream {
    #private;
    /** @param decode - Text of token ids; bytes of half a character are U+FFFD in it. */
    constructor(decode: (ids: readonly number[]) => string);
    /** @returns Text that is whole now; often that of this token. */
    push(id: number): string;
    /** @returns What still waits: half a character, as U+FFFD. */
    end(): string;
}

/** One line of `metrics.jsonl` of kind `train`. */
interface TrainPoint {
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
interface EvaluationPoint {
    readonly stage: string;
    readonly globalStep: number;
    readonly split: string;
    readonly metrics: Readonly<Record<string, number>>;
}
/** A question about a picture, the model's answer and the truth. */
interface AnsweredQuestion {
    readonly type: string;
    readonly question: string;
    readonly answer: string;
    readonly truth: string;
    readonly correct: boolean;
}
/** A picture with its questions. */
interface SamplePicture {
    /** `data:` address of the picture. */
    readonly image: string;
    readonly questions: readonly AnsweredQuestion[];
}
/** One visual embedding and the word it points at. */
interface MatchedPatch {
    readonly word: string;
    /** The word belongs to the scene. */
    readonly meaningful: boolean;
}
/** A picture with what supervision saw of it. Arrays are row-major over the patch grid. */
interface PatchPicture {
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
interface BlockShare {
    readonly block: number;
    /** Share of visual embeddings whose nearest word belongs to the scene. */
    readonly meaningful: number;
    /** The same, with the words of what is drawn under that patch. */
    readonly strict: number;
    /** Number of different nearest words. */
    readonly distinct: number;
}
/** Everything the report shows of one run. */
interface ReportRun {
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
    readonly shares: {
        readonly before: readonly BlockShare[];
        readonly after: readonly BlockShare[];
    };
    /** Accuracy when each visual embedding is replaced by that of its nearest word. */
    readonly replacement?: Readonly<Record<string, number>>;
}
/** One report: one run in depth, or several compared. */
interface ReportData {
    readonly title: string;
    /** Date of writing, `YYYY-MM-DD`. */
    readonly date: string;
    readonly runs: readonly ReportRun[];
}

/** A batch whose visual rows are matched with words. */
interface MatchingBatch {
    readonly packed: PackedRows;
    readonly words?: BatchWords;
}
/** A model whose visual rows are matched. */
interface MatchingModel<Batch extends MatchingBatch> {
    readonly language: LanguageModel;
    /** Visual embeddings `[N, D]`. Called inside of `tf.tidy`. */
    readonly embed: (batch: Batch) => tf.Tensor2D;
    /** Text of token ids. */
    readonly decode: (ids: readonly number[]) => string;
}
/** How {@link matchTokens} goes on. */
interface MatchOptions {
    /** Called after each block of each batch with how many are done, and awaited; what it throws ends the matching. */
    readonly onProgress?: (done: number, total: number) => void | Promise<void>;
}
/** What {@link matchTokens} found. */
interface TokenMatches {
    /** Block 0 is the projector's output. */
    readonly shares: readonly BlockShare[];
    /** Matches of the projector's output, one list per image in order of appearance. */
    readonly initial: readonly (readonly MatchedPatch[])[];
}
/**
 * The paper's analysis: the vocabulary word nearest (cosine) to each visual embedding, at the input and after each block.
 *
 * @param batches - Each sample with its words; samples without an image are passed over.
 */
declare function matchTokens<Batch extends MatchingBatch>(model: MatchingModel<Batch>, batches: readonly Batch[], { onProgress }?: MatchOptions): Promise<TokenMatches>;
/**
 * Raw patch weights a_j of each image: the attention that question and answer pay to its rows in the first k blocks.
 *
 * @param depth - k.
 * @returns One list per image, in order of appearance.
 */
declare function patchAttention<Batch extends MatchingBatch>(model: MatchingModel<Batch>, batch: Batch, depth: number): Promise<readonly (readonly number[])[]>;
/** The paper's replacement test: each visual embedding `[N, D]` becomes the vocabulary row nearest to it by cosine. */
declare function replaceWithNearest(visual: tf.Tensor2D, vocabulary: tf.Tensor2D): tf.Tensor2D;

/**
 * Mean loss of a language model on documents, weighted as in training.
 *
 * @returns `nll`: nats per weighted token; `perplexity`: its exponential.
 */
declare function scorePerplexity(language: LanguageModel, data: TrainingData<{
    readonly packed: PackedRows;
}>, batchSize: number): Promise<{
    readonly nll: number;
    readonly perplexity: number;
}>;

/** What {@link renderPreview} shows. */
interface PreviewPage {
    readonly title: string;
    /** Name of the template that made the tokens. */
    readonly template: string;
    /** Records of the whole data set. */
    readonly size: number;
    readonly records: readonly PreviewRecord[];
}
/** A contact sheet of a data set as one HTML file: no other file, no network, no script. */
declare function renderPreview({ title, template, size, records }: PreviewPage): string;

/**
 * The report as one HTML file: no other file, no network.
 *
 * @param data - One run (shown in depth) or several (compared: runs without visual losses come first, pictures are those
 *   of the first run that has some).
 */
declare function renderReport(data: ReportData): string;

/** CRC-32C of `bytes`. */
declare function crc32c(bytes: Uint8Array): number;
/** First record of every event file. @param wallTime - Seconds since 1970. */
declare function fileVersionEvent(wallTime: number): Uint8Array;
/**
 * One record of a TensorBoard event file with scalars.
 *
 * Source: tensorflow/core/util/event.proto and framework/summary.proto.
 *
 * @param wallTime - Seconds since 1970.
 */
declare function scalarEvent(wallTime: number, step: number, scalars: Readonly<Record<string, number>>): Uint8Array;

export { type Answer, type AnswerOptions, type Answered, type AnsweredQuestion, type AnsweringModel, type AskOptions, type BlockShare, type ContinueOptions, type Conversation, type EvaluationPoint, type GenerateOptions, type GenerateTextOptions, type GeneratedText, type MatchOptions, type MatchedPatch, type MatchingBatch, type MatchingModel, type PatchPicture, type PreviewPage, type Prompt, PromptCache, type QuestionBatch, type QuestionItem, type QuestionType, type ReportData, type ReportRun, type SamplePicture, type SamplingOptions, type Speaker, TextStream, type TokenMatches, type TrainPoint, answerQuestions, crc32c, fileVersionEvent, generate, generateBatch, generateText, matchTokens, patchAttention, renderPreview, renderReport, replaceWithNearest, scalarEvent, score, scorePerplexity, talk };
