import { BasicError, type Lora } from "@basic-mllm/core";

import { ConfigFields } from "./hf-fields.js";

/** What we use of an adapter_config.json. */
export interface PeftConfig {
  readonly rank: number;
  readonly alpha: number;
  readonly dropout: number;
  readonly rankStabilised: boolean;
}

/** Fields that change nothing about a saved adapter: which products it has, its tensors say. */
const harmless = new Set([
  "auto_mapping",
  "base_model_name_or_path",
  // How EVA chose the first values.
  "eva_config",
  "exclude_modules",
  "inference_mode",
  "layers_pattern",
  "layers_to_transform",
  "megatron_core",
  "peft_version",
  "qalora_group_size",
  "revision",
  "runtime_config",
  "target_modules",
  "task_type",
]);

/** First values that leave the base model as it is; others (pissa, olora, loftq ...) store changed base weights elsewhere. */
const plainStarts: readonly unknown[] = [undefined, null, true, false, "gaussian", "orthogonal", "eva"];

/**
 * Reads PEFT's adapter_config.json of a LoRA.
 *
 * @param json - The parsed file.
 * @throws `BasicError` `E_CONFIG` naming the field that is missing, of another type, or not supported: DoRA, trained
 *   biases, other ranks for some products, anything unknown that is switched on.
 */
export function readPeftConfig(json: unknown, where = "adapter_config.json"): PeftConfig {
  const fields = new ConfigFields(json, where);
  if (fields.text("peft_type", "") !== "LORA") throw fields.unsupported("peft_type", '"LORA"');
  if (fields.text("bias", "none") !== "none") throw fields.unsupported("bias", '"none"');
  const start = fields.raw("init_lora_weights");
  if (!plainStarts.includes(start)) {
    throw fields.unsupported("init_lora_weights", 'true, false, "gaussian", "orthogonal" or "eva"');
  }
  const config = {
    rank: fields.number("r", Number.NaN),
    alpha: fields.number("lora_alpha", Number.NaN),
    dropout: fields.number("lora_dropout", 0),
    rankStabilised: fields.flag("use_rslora", false),
  };
  const read = ["peft_type", "bias", "init_lora_weights", "r", "lora_alpha", "lora_dropout", "use_rslora"];
  checkNothingElse(json as Readonly<Record<string, unknown>>, new Set([...read, ...harmless]), where);
  return config;
}

function checkNothingElse(
  json: Readonly<Record<string, unknown>>,
  known: ReadonlySet<string>,
  where: string,
): void {
  const field = Object.keys(json).find((name) => !known.has(name) && isOn(json[name]));
  if (field === undefined) return;
  throw new BasicError(
    "E_CONFIG",
    `${where}: the field \`${field}\` (${JSON.stringify(json[field])}) is not supported: it may change what the adapter computes. ` +
      "Train the adapter without it, or merge it into its model with PEFT (merge_and_unload) and load that.",
  );
}

/** Anything but null, false, and empty lists, objects and texts. */
function isOn(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === "") return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

/**
 * The adapter_config.json of an adapter.
 *
 * @param products - Names of all products of its model.
 * @param baseModel - Name or folder of the model that it was trained on.
 */
export function writePeftConfig(
  { options, targets }: Lora,
  products: readonly string[],
  baseModel: string | null,
): Record<string, unknown> {
  return {
    alpha_pattern: {},
    auto_mapping: null,
    base_model_name_or_path: baseModel,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: options.alpha,
    lora_dropout: options.dropout,
    modules_to_save: null,
    peft_type: "LORA",
    r: options.rank,
    rank_pattern: {},
    revision: null,
    target_modules: targetModules(targets, products),
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: options.rankStabilised,
  };
}

/** Ends of names where all products of that end are adapted; whole names of the others. PEFT compares ends. */
function targetModules(targets: readonly string[], products: readonly string[]): readonly string[] {
  const adapted = new Set(targets);
  const endOf = (name: string) => name.slice(name.lastIndexOf(".") + 1);
  const partly = new Set(products.filter((name) => !adapted.has(name)).map(endOf));
  return [...new Set(targets.map((name) => (partly.has(endOf(name)) ? name : endOf(name))))];
}
