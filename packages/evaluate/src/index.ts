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
export { renderReport } from "./report/report.js";
export { crc32c, fileVersionEvent, scalarEvent } from "./tensorboard.js";
