/** Stable, greppable identifiers. Each one has an entry in docs/errors.md. */
export type ErrorCode =
  // shapes, kernels, autodiff
  | "E_SHAPE"
  | "E_INDEX_RANGE"
  | "E_KERNEL_MISSING"
  | "E_KERNEL_DUPLICATE"
  | "E_KERNEL_FAILED"
  | "E_NO_GRADIENT"
  | "E_NESTED_GRADIENT"
  | "E_BACKEND_MISSING"
  | "E_BACKEND_START"
  | "E_BACKEND_CONFLICT"
  | "E_DEVICE_LOST"
  | "E_DEVICE_MEMORY"
  | "E_RANK_LOST"
  | "E_SYNC_READ"
  // recipes, registries, configuration
  | "E_RECIPE_INVALID"
  | "E_RECIPE_UNKNOWN"
  | "E_NAME_UNKNOWN"
  | "E_NAME_DUPLICATE"
  | "E_PLUGIN"
  | "E_CONFIG"
  // data
  | "E_DATA_EMPTY"
  | "E_DATA_FORMAT"
  | "E_IMAGE"
  | "E_IMAGE_TOKENS"
  | "E_LABELS_MASKED"
  | "E_ROW_BUDGET"
  | "E_TOKENIZER"
  // training and runs
  | "E_NOT_FINITE"
  | "E_RESUME_CHANGED"
  | "E_CHECKPOINT_CORRUPT"
  | "E_CHECKPOINT_MISSING"
  | "E_RUN_LOCKED"
  | "E_DISK_FULL"
  | "E_MEMORY_LIMIT"
  | "E_INTERRUPTED"
  // weights
  | "E_WEIGHTS_FORMAT"
  | "E_WEIGHTS_MISSING"
  | "E_DOWNLOAD"
  // command line
  | "E_USAGE";

/** Every error we throw on purpose: what happened, what was expected, what was given, and the fix. */
export class BasicError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(`${message} [${code}]`, options);
    this.name = "BasicError";
    this.code = code;
  }
}
