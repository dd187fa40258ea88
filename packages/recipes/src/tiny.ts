/** Shapes of the quickstart's models: a SigLIP encoder of 0.9 M parameters and a Llama of about 1.1 M. */
export const TINY_ENCODER = {
  model_type: "siglip_vision_model",
  hidden_size: 128,
  intermediate_size: 512,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_channels: 3,
  image_size: 64,
  patch_size: 16,
  hidden_act: "gelu_pytorch_tanh",
  layer_norm_eps: 1e-6,
} as const;

/** The vocabulary size comes with the tokenizer. */
export const TINY_LANGUAGE = {
  model_type: "llama",
  hidden_size: 128,
  intermediate_size: 384,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 4,
  max_position_embeddings: 256,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  hidden_act: "silu",
  tie_word_embeddings: true,
} as const;
