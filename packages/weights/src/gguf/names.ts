import { fusedPlaces } from "../hf-fused.js";
import { type PlaceOf, wholePlaces } from "../places.js";
import type { GgufArchitecture, GgufConfig } from "./config.js";

/** Parts of a block: ours and GGUF's. Phi 3's fused matrices have Hugging Face's names. */
const blockParts: readonly (readonly [ours: string, gguf: string])[] = [
  ["self_attn.q_proj", "attn_q"],
  ["self_attn.k_proj", "attn_k"],
  ["self_attn.v_proj", "attn_v"],
  ["self_attn.qkv_proj", "attn_qkv"],
  ["self_attn.o_proj", "attn_output"],
  ["self_attn.q_norm", "attn_q_norm"],
  ["self_attn.k_norm", "attn_k_norm"],
  ["mlp.gate_proj", "ffn_gate"],
  ["mlp.up_proj", "ffn_up"],
  ["mlp.gate_up_proj", "ffn_up"],
  ["mlp.down_proj", "ffn_down"],
  ["input_layernorm", "attn_norm"],
];

/** Norms whose name depends on whether there is a norm after attention as well. */
const plainNorms = [["post_attention_layernorm", "ffn_norm"]] as const;
const sandwichNorms = [
  ["post_attention_layernorm", "post_attention_norm"],
  ["pre_feedforward_layernorm", "ffn_norm"],
  ["post_feedforward_layernorm", "post_ffw_norm"],
] as const;

/** GGUF's name of one of our decoder's parameters, for example `blk.3.attn_q.weight`. */
export function ggufName(name: string, architecture: GgufArchitecture): string {
  switch (name) {
    case "model.embed_tokens.weight":
      return "token_embd.weight";
    case "model.norm.weight":
      return "output_norm.weight";
    case "lm_head.weight":
      return "output.weight";
  }
  const [, block = "", part = "", kind = ""] = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
  const norms = architecture === "gemma2" ? sandwichNorms : plainNorms;
  const [, found] = [...blockParts, ...norms].find(([ours]) => ours === part) ?? [];
  return found === undefined ? name : `blk.${block}.${found}.${kind}`;
}

/** Where the values of our decoder's parameters lie in a GGUF file. */
export function ggufPlaces({ architecture, config }: GgufConfig): PlaceOf {
  const place = wholePlaces((name) => [ggufName(name, architecture)]);
  return config.fusedProducts ? fusedPlaces(place, config) : place;
}
