/** Which fields of a config.json each dimension of a tensor comes from, by the end of its name. */
type Axes = readonly (readonly [RegExp, readonly string[]])[];

const query = "num_attention_heads × head_dim";
const keyValue = "num_key_value_heads × head_dim";

const languageAxes: Axes = [
  [/(embed_tokens|lm_head)$/, ["vocab_size", "hidden_size"]],
  [/qkv_proj$/, ["(num_attention_heads + 2 × num_key_value_heads) × head_dim", "hidden_size"]],
  [/gate_up_proj$/, ["2 × intermediate_size", "hidden_size"]],
  [/q_proj$/, [query, "hidden_size"]],
  [/[kv]_proj$/, [keyValue, "hidden_size"]],
  [/o_proj$/, ["hidden_size", query]],
  [/(gate|up)_proj$/, ["intermediate_size", "hidden_size"]],
  [/down_proj$/, ["hidden_size", "intermediate_size"]],
  [/[qk]_norm$/, ["head_dim"]],
  [/norm$/, ["hidden_size"]],
];

const positions = "(image_size / patch_size)² + class token";

const visionAxes: Axes = [
  [/patch_embedding(s\.projection)?$/, ["hidden_size", "num_channels", "patch_size", "patch_size"]],
  [/position_embedding$/, [positions, "hidden_size"]],
  [/position_embeddings$/, ["1", positions, "hidden_size"]],
  [/cls_token$/, ["1", "1", "hidden_size"]],
  [/register_tokens$/, ["1", "num_register_tokens", "hidden_size"]],
  [/(_proj|query|key|value|output\.dense)$/, ["hidden_size", "hidden_size"]],
  [/mlp\.fc1$/, ["intermediate_size", "hidden_size"]],
  [/mlp\.fc2$/, ["hidden_size", "intermediate_size"]],
  [/mlp\.weights_in$/, ["2 × ⅔ × intermediate_size", "hidden_size"]],
  [/mlp\.weights_out$/, ["hidden_size", "⅔ × intermediate_size"]],
  [/(norm\w*|class_embedding|lambda1)$/, ["hidden_size"]],
];

const projectorAxes: Axes = [
  [/linear_1$/, ["text_config.hidden_size", "vision_config.hidden_size × basic_projector.options.factor²"]],
  [/linear_\d+$/, ["text_config.hidden_size", "text_config.hidden_size"]],
];

/** A part of a checkpoint. */
export type PartName = "vision" | "projector" | "language";

const axes: Readonly<Record<PartName, Axes>> = {
  vision: visionAxes,
  projector: projectorAxes,
  language: languageAxes,
};

/** How fields of a part are spelled in a config.json. */
export interface FieldStyle {
  /** Whether the parts have configs inside of a LLaVA's. */
  readonly nested: boolean;
  /** Whether the vision tower is a DINOv2, whose inner width is a ratio. */
  readonly ratio: boolean;
}

/**
 * The fields that the dimensions of a tensor follow from, one text a dimension; none for a tensor that is not known.
 *
 * @param name - In the checkpoint, fused or not.
 */
export function fieldsOf(part: PartName, name: string, { nested, ratio }: FieldStyle): readonly string[] {
  const stem = name.replace(/\.(weight|bias)$/, "");
  const [, fields = []] = axes[part].find(([pattern]) => pattern.test(stem)) ?? [];
  const own = part === "vision" && ratio ? fields.map(asRatio) : fields;
  if (!nested || part === "projector") return own;
  const prefix = part === "vision" ? "vision_config" : "text_config";
  return own.map((field) => field.replace(/[a-z]+_[a-z_]+/g, (known) => `${prefix}.${known}`));
}

function asRatio(field: string): string {
  return field.replace("intermediate_size", "hidden_size × mlp_ratio");
}
