/** From CLIP's names of modules to DINOv2's, first to last. */
const modules: readonly (readonly [ours: RegExp, theirs: string])[] = [
  [/^vision_model\./, ""],
  [/^embeddings\.class_embedding$/, "embeddings.cls_token"],
  [/^embeddings\.patch_embedding\./, "embeddings.patch_embeddings.projection."],
  [/^embeddings\.position_embedding\.weight$/, "embeddings.position_embeddings"],
  [/^encoder\.layers\./, "encoder.layer."],
  [/\.self_attn\.q_proj\./, ".attention.attention.query."],
  [/\.self_attn\.k_proj\./, ".attention.attention.key."],
  [/\.self_attn\.v_proj\./, ".attention.attention.value."],
  [/\.self_attn\.out_proj\./, ".attention.output.dense."],
  [/\.layer_norm([12])\./, ".norm$1."],
  [/^post_layernorm\./, "layernorm."],
];

/** What Hugging Face's DINOv2 checkpoints call a parameter that CLIP's call `name`. */
export function dinov2Name(name: string): string {
  return modules.reduce((renamed, [ours, theirs]) => renamed.replace(ours, theirs), name);
}
