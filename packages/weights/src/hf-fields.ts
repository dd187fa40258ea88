import { BasicError } from "@basic-mllm/core";

/** Blocks of a model, at most. */
const MOST_BLOCKS = 1024;

/** Fields of any Hugging Face config that do not change what we compute. */
const harmless = new Set([
  "_attn_implementation_autoset",
  "_commit_hash",
  "_name_or_path",
  "add_cross_attention",
  "architectures",
  "attention_dropout",
  "attention_probs_dropout_prob",
  "auto_map",
  "bos_token_id",
  "cache_implementation",
  "chunk_size_feed_forward",
  "cross_attention_hidden_size",
  "decoder_start_token_id",
  "dropout",
  "dtype",
  "embd_pdrop",
  "eos_token_id",
  "finetuning_task",
  "gradient_checkpointing",
  "head_layer_norm_eps",
  "hidden_dropout_prob",
  "id2label",
  "ignore_index",
  "initializer_factor",
  "initializer_range",
  "is_decoder",
  "is_encoder_decoder",
  "is_llama_config",
  "label2id",
  "max_position_embeddings",
  "max_sequence_length",
  "model_type",
  "output_attentions",
  "output_hidden_states",
  "output_scores",
  "pad_token_id",
  "prefix",
  "pretraining_tp",
  "problem_type",
  "projection_dim",
  "remove_invalid_values",
  "resid_pdrop",
  "return_dict",
  "return_dict_in_generate",
  "sep_token_id",
  "task_specific_params",
  "tf_legacy_loss",
  "tie_encoder_decoder",
  "tokenizer_class",
  "torch_compile",
  "torch_dtype",
  "torchscript",
  "transformers.js_config",
  "transformers_version",
  "unk_token_id",
  "use_bfloat16",
  "use_cache",
  "use_return_dict",
  "vision_use_head",
  "vocab_size",
  // Of generation; older files repeat them in every part.
  "bad_words_ids",
  "begin_suppress_tokens",
  "diversity_penalty",
  "do_sample",
  "early_stopping",
  "encoder_no_repeat_ngram_size",
  "exponential_decay_length_penalty",
  "forced_bos_token_id",
  "forced_eos_token_id",
  "length_penalty",
  "max_length",
  "min_length",
  "no_repeat_ngram_size",
  "num_beam_groups",
  "num_beams",
  "num_return_sequences",
  "repetition_penalty",
  "suppress_tokens",
  "temperature",
  "top_k",
  "top_p",
  "typical_p",
]);

/**
 * Reads a config.json field by field and remembers which were read, so that a field that we do not know
 * cannot change the maths unnoticed.
 */
export class ConfigFields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #where: string;
  readonly #read = new Set<string>();

  /** @param where - What is read, for messages: `config.json`, `config.json: text_config`. */
  constructor(values: unknown, where: string) {
    if (typeof values !== "object" || values === null || Array.isArray(values)) {
      throw new BasicError("E_CONFIG", `${where} must be a JSON object, got ${JSON.stringify(values)}.`);
    }
    this.#values = values as Record<string, unknown>;
    this.#where = where;
  }

  /** Whether the field is there and not null. */
  has(name: string): boolean {
    return this.#values[name] !== undefined && this.#values[name] !== null;
  }

  /** `{}` and `[]` say nothing, whatever their name. */
  #isEmpty(name: string): boolean {
    const value = this.#values[name];
    return typeof value === "object" && value !== null && Object.keys(value).length === 0;
  }

  /** A number, or the default where the field is absent or null. */
  number(name: string, byDefault: number): number {
    const value = this.raw(name) ?? byDefault;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw this.unsupported(name, "a number");
  }

  /** A number of blocks: damaged files claim billions, which would take all memory. */
  blocks(name: string, byDefault: number): number {
    const value = this.number(name, byDefault);
    if (Number.isInteger(value) && value > 0 && value <= MOST_BLOCKS) return value;
    throw this.unsupported(name, `a whole number from 1 to ${MOST_BLOCKS}`);
  }

  /** A boolean, or the default. */
  flag(name: string, byDefault: boolean): boolean {
    const value = this.raw(name) ?? byDefault;
    if (typeof value === "boolean") return value;
    throw this.unsupported(name, "true or false");
  }

  /** A string, or the default. */
  text(name: string, byDefault: string): string {
    const value = this.raw(name) ?? byDefault;
    if (typeof value === "string") return value;
    throw this.unsupported(name, "a string");
  }

  /** What the string of a field stands for, or the default's. */
  choice<T>(name: string, byDefault: string, choices: Readonly<Record<string, T>>): T {
    const text = this.text(name, byDefault);
    if (Object.hasOwn(choices, text)) return choices[text] as T;
    throw this.unsupported(name, `one of ${Object.keys(choices).join(", ")}`);
  }

  /** A list, or null where the field is absent. */
  list(name: string): readonly unknown[] | null {
    const value = this.raw(name) ?? null;
    if (value === null || Array.isArray(value)) return value;
    throw this.unsupported(name, "a list");
  }

  /** A nested object, or null where the field is absent. */
  object(name: string): ConfigFields | null {
    const value = this.raw(name) ?? null;
    return value === null ? null : new ConfigFields(value, `${this.#where}: ${name}`);
  }

  /** The value as it is. */
  raw(name: string): unknown {
    this.#read.add(name);
    return this.#values[name];
  }

  /** `E_CONFIG` for a field whose value we cannot use. */
  unsupported(name: string, expected: string): BasicError {
    const given = JSON.stringify(this.#values[name]);
    return new BasicError("E_CONFIG", `${this.#where}: \`${name}\` must be ${expected}, got ${given}.`);
  }

  /** Marks fields as known without a use here. */
  ignore(...names: string[]): void {
    for (const name of names) this.#read.add(name);
  }

  /**
   * Ends the reading.
   *
   * @throws `BasicError` `E_CONFIG` naming the first field that nothing has read and that is not known
   *   to be harmless.
   */
  finish(): void {
    const unknown = Object.keys(this.#values).find(
      (name) => this.has(name) && !this.#isEmpty(name) && !this.#read.has(name) && !harmless.has(name),
    );
    if (unknown === undefined) return;
    throw new BasicError(
      "E_CONFIG",
      `${this.#where}: the field \`${unknown}\` (${JSON.stringify(this.#values[unknown])}) is not known and may change what the model computes. ` +
        "Remove it from the file if it does not matter.",
    );
  }
}
