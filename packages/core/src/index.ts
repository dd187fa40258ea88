import "./register.js";

export {
  type CheckpointPass,
  checkpoint,
  detach,
  inputsThatNeedGradient,
  valueAndGradients,
} from "./autodiff.js";
export {
  type BackendThreads,
  type Precision,
  type StartBackendOptions,
  type StartedBackend,
  startBackend,
} from "./backend.js";
export { explainDiskFull } from "./disk-full.js";
export { BasicError, type ErrorCode } from "./errors.js";
export { explainIssues } from "./explain-issues.js";
export { registerStockGradients } from "./gradients.js";
export { isDeviceImagined } from "./imagined.js";
export { type AccumulateAttrs, accumulate } from "./kernels/accumulate.js";
export {
  type ActivationAttrs,
  type ActivationKind,
  activation,
  activationBackward,
  activationKinds,
  type FusedActivation,
  fusedActivations,
} from "./kernels/activation.js";
export type { AdamwInput } from "./kernels/adamw.js";
export { type AdamwAttrs, adamw } from "./kernels/adamw.js";
export type { AttentionBackwardInput, AttentionInput } from "./kernels/attention.js";
export {
  type AttentionAttrs,
  type AttentionReceivedAttrs,
  attention,
  attentionBackward,
  attentionReceived,
} from "./kernels/attention.js";
export {
  type CachedAttentionAttrs,
  type CachedAttentionInput,
  cachedAttention,
} from "./kernels/cached-attention.js";
export { DEFAULT_CHUNK_BYTES } from "./kernels/chunks.js";
export {
  type Attributes,
  findGradient,
  findKernel,
  type InputSpec,
  type Inputs,
  implementKernel,
  type KernelCase,
  type KernelContract,
  type KernelImplementation,
  registerContractGradient,
  type Tolerance,
} from "./kernels/contract.js";
export {
  type DecoderBlockAttrs,
  type DecoderBlockInput,
  type DecoderBlockMatrix,
  type DecoderBlockStorage,
  decoderBlock,
} from "./kernels/decoder-block.js";
export type { DirectionInput } from "./kernels/direction.js";
export {
  type DirectionAttrs,
  type DirectionBackwardAttrs,
  direction,
  directionBackward,
} from "./kernels/direction.js";
export { DROPOUT_STEPS, type DropoutAttrs, dropoutKernel } from "./kernels/dropout.js";
export { type EmbeddingAttrs, embedding } from "./kernels/embedding.js";
export {
  type FrozenLinearAttrs,
  frozenLinear,
  frozenLinearBackward,
  frozenLinearBias,
} from "./kernels/frozen-linear.js";
export {
  type GatedActivationAttrs,
  gatedActivation,
  gatedActivationBackward,
} from "./kernels/gated-activation.js";
export { bfloatOfBits, floatToHalf, halfOfBits, halfToFloat, halfValues } from "./kernels/halves.js";
export { allContracts } from "./kernels/index.js";
export { checkIndices, type IndexCheck } from "./kernels/index-range.js";
export type { LayerNormInput } from "./kernels/layer-norm.js";
export {
  type LayerNormAttrs,
  type LayerNormBackwardAttrs,
  layerNorm,
  layerNormBackward,
} from "./kernels/layer-norm.js";
export type { LinearInput } from "./kernels/linear.js";
export { type LinearAttrs, linear, linearBias } from "./kernels/linear.js";
export {
  IGNORED_LABEL,
  type LinearCrossEntropyAttrs,
  type LinearCrossEntropyBackwardAttrs,
  linearCrossEntropy,
  linearCrossEntropyBackward,
} from "./kernels/linear-cross-entropy.js";
export {
  type LinearBackwardInput,
  type LinearGroupAttrs,
  type LinearGroupInput,
  linearBackward,
  linearPair,
  linearTriple,
} from "./kernels/linear-group.js";
export type { LinearKlBackwardInput, LinearKlInput } from "./kernels/linear-kl.js";
export {
  type LinearKlAttrs,
  type LinearKlBackwardAttrs,
  linearKl,
  linearKlBackward,
} from "./kernels/linear-kl.js";
export {
  type MomentCode,
  type MomentStorage,
  momentBytes,
  packMoment,
  unpackMoment,
} from "./kernels/moments.js";
export { type PackedEmbeddingAttrs, packedEmbedding } from "./kernels/packed-embedding.js";
export {
  isBlocked,
  type PackedStorage,
  packBf16,
  packers,
  packF16,
  packQ4_0,
  packQ4_1,
  packQ8_0,
  type Storage,
  storages,
  unpack,
  wordCount,
} from "./kernels/quantised.js";
export {
  type RmsNormAttrs,
  type RmsNormBackwardAttrs,
  rmsNorm,
  rmsNormBackward,
} from "./kernels/rms-norm.js";
export { type RotaryAttrs, rotary, rotaryTable } from "./kernels/rotary.js";
export {
  type RowGatherAttrs,
  rowGather,
  type ScatterAddRowsAttrs,
  scatterAddRows,
} from "./kernels/row-gather.js";
export { type Fallback, runKernel, setFallback } from "./kernels/run.js";
export { type SpliceAttrs, splice } from "./kernels/splice.js";
export { type SquaredNormAttrs, type SquaredNormInput, squaredNorm } from "./kernels/squared-norm.js";
export type { RandomValueOptions } from "./layers/builder.js";
export {
  Builder,
  parameterShapes,
  type Role,
  randomValues,
  type ValueSource,
  valuesOf,
} from "./layers/builder.js";
export { type DropoutKey, type DropoutOptions, dropout, dropoutKey, withDropout } from "./layers/dropout.js";
export type { Linear, LinearAdapter, LinearShape } from "./layers/linear.js";
export { type AdaptableModel, attachLora, Lora, type LoraOptions } from "./layers/lora.js";
export type { GateActivation } from "./layers/mlp.js";
export {
  type RotaryConfig,
  type RotaryScaling,
  type RotaryTable,
  rotaryFrequencies,
} from "./layers/rotary.js";
export { ALL_LINEAR, chooseTargets } from "./layers/targets.js";
export { lossOptions, type SupervisionOptions, visualLosses } from "./losses/built-in.js";
export { createDasNceLoss, type DasNceOptions, type Negatives } from "./losses/das-nce.js";
export { createDirectionLoss, type DirectionOptions } from "./losses/direction.js";
export {
  createDistributionLoss,
  type DistributionOptions,
  type VocabularySource,
} from "./losses/distribution.js";
export { createEmuL2Loss, type EmuL2Options } from "./losses/emu-l2.js";
export { type LabelledRows, languageLoss, supervisedTokens } from "./losses/language.js";
export { type LayerWeightScheme, layerWeights, supervisedDepth } from "./losses/layer-weights.js";
export { normalisePatchWeights } from "./losses/patch-weights.js";
export { createSmoothL1Loss, type SmoothL1Options } from "./losses/smooth-l1.js";
export { createViralCosLoss, type ViralCosOptions } from "./losses/viral-cos.js";
export { createViralGramLoss } from "./losses/viral-gram.js";
export type {
  Needs,
  Normalise,
  VisualLoss,
  VisualLossResult,
  VisualSpan,
  VisualView,
} from "./losses/visual-loss.js";
export { createVwKlLoss } from "./losses/vw-kl.js";
export {
  addImageNewline,
  arrangeRows,
  IMAGE_NEWLINE,
  NEWLINE_ROW,
  type RowArrangement,
} from "./models/image-newline.js";
export type {
  FeatureSource,
  Grid,
  Head,
  HostVisualRows,
  ImageBatch,
  ImageSpan,
  KeyValueCache,
  LanguageInput,
  LanguageModel,
  Observe,
  Observed,
  PackedRows,
  Projector,
  VisionEncoder,
  VisualRows,
} from "./models/interfaces.js";
export type { DecoderSizes } from "./models/language/config.js";
export { type DecoderConfig, decoderConfig } from "./models/language/config.js";
export { createDecoder, Decoder, type DecoderOptions } from "./models/language/decoder.js";
export { planVisualRows, type VisualPlan } from "./models/language/packed.js";
export { resizeVocabulary } from "./models/language/resize-vocabulary.js";
export { mlpProjectors, projectorFactories } from "./models/projector/built-in.js";
export {
  BuiltInProjector,
  type ImageRows,
  type ProjectorPlace,
  type ProjectorSetup,
} from "./models/projector/built-in-projector.js";
export { type CAbstractorOptions, CAbstractorProjector } from "./models/projector/c-abstractor.js";
export { LdpProjector, type Ldpv2Options, Ldpv2Projector } from "./models/projector/ldp.js";
export { matchVocabulary } from "./models/projector/match-vocabulary.js";
export { type MlpName, type MlpOptions, MlpProjector } from "./models/projector/mlp.js";
export {
  copyProjector,
  createProjector,
  type ProjectorOptions,
  projectorNames,
} from "./models/projector/projector.js";
export { type ResamplerOptions, ResamplerProjector } from "./models/projector/resampler.js";
export { type VocabularyOptions, VocabularyProjector } from "./models/projector/vocabulary.js";
export type { VitSizes } from "./models/vision/config.js";
export { clipConfig, dinov2Config, siglipConfig, type VitConfig } from "./models/vision/config.js";
export { createFeatureSource, fingerprint } from "./models/vision/feature-source.js";
export { bicubicWeights } from "./models/vision/interpolate.js";
export { createVit, type FeatureSelection, Vit, type VitOptions } from "./models/vision/vit.js";
export { didYouMean, nearestName } from "./nearest.js";
export {
  createOptimizer,
  type Health,
  type HostMoment,
  type LazyMoment,
  type LazyOptimizerState,
  type Optimizer,
  type OptimizerOptions,
  type OptimizerState,
  type ParameterGroup,
  type UpdateResult,
} from "./optim/adamw.js";
export { clipFactor, globalNorm } from "./optim/clip.js";
export {
  learningRateFactor,
  resolveWarmup,
  type Schedule,
  type ScheduleKind,
  type Warmup,
} from "./optim/schedule.js";
export { type PackedValues, Parameter, ParameterSet } from "./parameters.js";
export { createRandom, philox, type Random, randomWords, type Words4 } from "./random.js";
export {
  defineRecipe,
  type LanguageRecipe,
  type LossWeight,
  parseRecipe,
  type Recipe,
  type RecipeInput,
  type RecipeStage,
  type RecipeTask,
  type RegionTextRecipe,
  recipeJsonSchema,
  resolveSteps,
  type VlmRecipe,
} from "./recipe.js";
export { applyOverrides, diffRecipes, formatDifferences, type RecipeDifference } from "./recipe-diff.js";
export { languageSchema, regionTextSchema, vlmSchema } from "./recipe-schema.js";
export {
  type ComponentOptions,
  defineEncoder,
  defineLanguageModel,
  defineLoss,
  defineProjector,
  type EncoderFactory,
  encoders,
  type LanguageModelFactory,
  type LossContext,
  type LossFactory,
  languageModels,
  loadPlugins,
  losses,
  type ModelContext,
  type NameFamily,
  type ProjectorContext,
  type ProjectorFactory,
  projectors,
  Registry,
} from "./registry.js";
export { bindShapes, formatShape } from "./shape.js";
export { requireEqualShares } from "./train/batches.js";
export {
  CHECKPOINT_FOLDER,
  type Checkpoint,
  type CheckpointChoice,
  type Groups,
  listCheckpoints,
  loadCheckpoint,
  type RunPosition,
  restoreParameters,
} from "./train/checkpoint.js";
export {
  collapseWarning,
  type DiagnosticHistory,
  type DiagnosticWarning,
  strengthWarning,
} from "./train/collapse-warning.js";
export { type Collective, singleProcess } from "./train/collective.js";
export {
  type BatchWords,
  centredGram,
  type DiagnosticRows,
  effectiveRank,
  meaningfulWords,
  visualDiagnostics,
} from "./train/diagnostics.js";
export { freezeGroups, trainedGroups } from "./train/freeze.js";
export { checkSameFrozen, frozenFingerprints } from "./train/frozen.js";
export { createLanguageObjective, type LanguageBatch } from "./train/language-objective.js";
export { train } from "./train/loop.js";
export { createMemoryStore, type MemoryFiles } from "./train/memory-store.js";
export {
  type EvaluationLine,
  type LinePosition,
  METRICS_FILE,
  type MetricsLine,
  readMetrics,
  type StageLine,
  type TrainLine,
  type WarningLine,
} from "./train/metrics.js";
export { nearestTokens } from "./train/nearest-tokens.js";
export type {
  Counts,
  Denominator,
  LossPart,
  Objective,
  SampleSizes,
  StepPosition,
  TrainingData,
} from "./train/objective.js";
export { RECIPE_FILE } from "./train/open-run.js";
export { createOrder, type OrderOptions, type SampleOrder } from "./train/order.js";
export { packStep, type RowPacking } from "./train/pack-rows.js";
export type { PreparingBackend } from "./train/prepare.js";
export {
  createRegionTextObjective,
  type RegionTextBatch,
  type RegionTextOptions,
} from "./train/region-text-objective.js";
export { type RehearsalInput, type RehearsingBackend, rehearseStages } from "./train/rehearse.js";
export type { FileContent, RunStore } from "./train/run-store.js";
export {
  frozenParts,
  type Selected,
  selectParameters,
  type TrainedShare,
  trainedParts,
  trainedShare,
} from "./train/selection.js";
export {
  decodeTensors,
  encodeTensors,
  type HostTensor,
  type LazyHostTensor,
  type TensorFile,
  tensorPieces,
} from "./train/state.js";
export {
  disposeStep,
  type LossReduction,
  type PartValue,
  type StepGradients,
  type StepInput,
  stepGradients,
  trainStep,
} from "./train/step.js";
export type {
  EvaluationMoment,
  EvaluationResult,
  TrainEvent,
  TrainOptions,
  TrainResult,
} from "./train/train-options.js";
export { untaped } from "./train/untaped.js";
export { samplesWithImage, type VlmBatch, visualSpans } from "./train/vlm-batch.js";
export { projectBatch, type SupervisionSettings, type VlmObjectiveOptions } from "./train/vlm-forward.js";
export { createVlmObjective } from "./train/vlm-objective.js";
export {
  createWeightedLosses,
  type LossSetting,
  languageWeight,
  type WeightedLoss,
  type WeightedLossOptions,
  weightAtStep,
} from "./train/weighted-losses.js";
