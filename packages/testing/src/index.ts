export { type AnyCase, checkCase } from "./case-check.js";
export { type Difference, describeDifference, worstDifference } from "./compare.js";
export {
  type ConformanceFailure,
  type ConformanceOptions,
  type ConformanceResult,
  type KnownGap,
  type PlannedCase,
  planCases,
  runConformance,
  runPlannedCase,
} from "./conformance.js";
export { inFloat64 } from "./float64.js";
export type { Regions } from "./projector-regions.js";
export { type HostTensor, hostTensor, normalValues } from "./random-values.js";
export { implementByReference, REFERENCE_BACKEND, startReferenceBackend } from "./reference-backend.js";
export { testBackend } from "./test-backend.js";
export { type EncoderSuite, testEncoder } from "./test-encoder.js";
export { type LanguageModelSuite, testLanguageModel } from "./test-language-model.js";
export { type LossField, type LossSuite, testLoss } from "./test-loss.js";
export { type ProjectorSuite, testProjector } from "./test-projector.js";
