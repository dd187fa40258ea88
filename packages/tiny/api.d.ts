/** Which of the shipped models. */
type TinyPart = "encoder" | "language";
/**
 * Folder of a shipped model in the Hugging Face layout: config.json, model.safetensors (bf16), provenance.json; the
 * language model's also has tokenizer.json, the encoder's preprocessor_config.json.
 */
declare function tinyWeights(part: TinyPart): string;

export { type TinyPart, tinyWeights };
