export {
  type AnsweringModel,
  type AnswerOptions,
  answerQuestions,
  type QuestionBatch,
} from "./answers.js";
export { generateBatch } from "./generation/batch.js";
export {
  type Answer,
  type AskOptions,
  type Conversation,
  type Speaker,
  talk,
} from "./generation/conversation.js";
export {
  type ContinueOptions,
  type GeneratedText,
  type GenerateOptions,
  type GenerateTextOptions,
  generate,
  generateText,
  type Prompt,
} from "./generation/generate.js";
export { PromptCache } from "./generation/prompt-cache.js";
export type { SamplingOptions } from "./generation/sampling.js";
export { TextStream } from "./generation/text-stream.js";
export {
  type MatchingBatch,
  type MatchingModel,
  type MatchOptions,
  matchTokens,
  patchAttention,
  replaceWithNearest,
  type TokenMatches,
} from "./matching.js";
export { scorePerplexity } from "./perplexity.js";
export { type Answered, type QuestionItem, type QuestionType, score } from "./questions.js";
export type {
  AnsweredQuestion,
  BlockShare,
  EvaluationPoint,
  MatchedPatch,
  PatchPicture,
  ReportData,
  ReportRun,
  SamplePicture,
  TrainPoint,
} from "./report/data.js";
export { type PreviewPage, renderPreview } from "./report/preview.js";
export { renderReport } from "./report/report.js";
export { crc32c, fileVersionEvent, scalarEvent } from "./tensorboard.js";
