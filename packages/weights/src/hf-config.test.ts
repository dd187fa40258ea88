import { describe, expect, it } from "vitest";

import {
  type LlavaConfig,
  parseHuggingFaceConfig,
  writeDecoderConfig,
  writeLlavaConfig,
  writeVitConfig,
} from "./hf-config.js";

const llama = {
  model_type: "llama",
  hidden_size: 32,
  intermediate_size: 64,
  num_attention_heads: 4,
  num_hidden_layers: 2,
  num_key_value_heads: 4,
  vocab_size: 128,
};

describe("parseHuggingFaceConfig", () => {
  it("gives the published LLaVA-1.5 config the sizes of Vicuna-7B and CLIP-L, which it leaves out", () => {
    const parsed = parseHuggingFaceConfig({
      architectures: ["LlavaForConditionalGeneration"],
      ignore_index: -100,
      image_token_index: 32_000,
      model_type: "llava",
      pad_token_id: 32_001,
      projector_hidden_act: "gelu",
      text_config: {
        _name_or_path: "lmsys/vicuna-7b-v1.5",
        architectures: ["LlamaForCausalLM"],
        max_position_embeddings: 4096,
        model_type: "llama",
        rms_norm_eps: 1e-5,
        torch_dtype: "float16",
        vocab_size: 32_064,
      },
      vision_config: {
        hidden_size: 1024,
        image_size: 336,
        intermediate_size: 4096,
        model_type: "clip_vision_model",
        num_attention_heads: 16,
        num_hidden_layers: 24,
        patch_size: 14,
        projection_dim: 768,
        vocab_size: 32_000,
      },
      vision_feature_layer: -2,
      vision_feature_select_strategy: "default",
      vocab_size: 32_064,
    });
    expect(parsed).toMatchObject({
      kind: "llava",
      config: {
        featureLayer: -2,
        featureSelection: "patch",
        imageTokenId: 32_000,
        projector: { name: "mlp2x_gelu", options: { bias: true } },
        language: { width: 4096, depth: 32, heads: 32, keyValueHeads: 32, inner: 11_008, normEpsilon: 1e-5 },
        vision: { width: 1024, depth: 24, activation: "quick-gelu", classToken: true, normEpsilon: 1e-5 },
      },
    });
  });

  it("reads and writes LLaVA-1.6 with the sizes that pictures are brought to", () => {
    const next = {
      model_type: "llava_next",
      image_grid_pinpoints: [
        [336, 672],
        [672, 336],
      ],
      use_image_newline_parameter: true,
      vision_config: { model_type: "clip_vision_model" },
      text_config: llama,
    };
    const parsed = parseHuggingFaceConfig(next);
    expect(parsed).toMatchObject({ kind: "llava", config: { gridPinpoints: next.image_grid_pinpoints } });
    expect(writeLlavaConfig(parsed.config as LlavaConfig, 576)).toMatchObject({
      architectures: ["LlavaNextForConditionalGeneration"],
      model_type: "llava_next",
      image_grid_pinpoints: next.image_grid_pinpoints,
    });
    expect(() => parseHuggingFaceConfig({ ...next, image_grid_pinpoints: [[336]] })).toThrow(
      /`image_grid_pinpoints`.*pairs \[height, width\] in pixels/,
    );
  });

  it("reads both spellings of the rotary embedding alike", () => {
    const scaling = {
      rope_type: "llama3",
      factor: 4,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 16,
    };
    const four = parseHuggingFaceConfig({ ...llama, rope_theta: 500_000, rope_scaling: scaling });
    const five = parseHuggingFaceConfig({ ...llama, rope_parameters: { ...scaling, rope_theta: 500_000 } });
    expect(five).toEqual(four);
    expect(four.config).toMatchObject({ rotary: { base: 500_000, scaling: { kind: "llama3", factor: 4 } } });
  });

  it("gives windows to the blocks that have one", () => {
    const windows = (fields: object) =>
      (parseHuggingFaceConfig({ ...llama, ...fields }).config as { windows?: unknown }).windows;
    expect(windows({ model_type: "mistral", sliding_window: 5 })).toEqual([5, 5]);
    expect(windows({ model_type: "mistral", sliding_window: null })).toEqual([0, 0]);
    expect(windows({ model_type: "qwen2", sliding_window: 5 })).toEqual([0, 0]);
    expect(
      windows({ model_type: "qwen2", sliding_window: 5, use_sliding_window: true, max_window_layers: 1 }),
    ).toEqual([0, 5]);
    expect(windows({ model_type: "gemma2", sliding_window: 4, head_dim: 8 })).toEqual([4, 0]);
    expect(
      windows({
        model_type: "qwen3",
        sliding_window: 4,
        layer_types: ["full_attention", "sliding_attention"],
      }),
    ).toEqual([0, 4]);
  });

  it.each([
    [
      "llama",
      { attention_bias: true, tie_word_embeddings: true, rope_scaling: { type: "linear", factor: 2 } },
    ],
    ["mistral", { sliding_window: 5, num_key_value_heads: 2 }],
    ["qwen2", { tie_word_embeddings: true }],
    ["qwen3", { head_dim: 12, rms_norm_eps: 1e-5 }],
    ["gemma", { head_dim: 8 }],
    ["phi3", { partial_rotary_factor: 0.5, sliding_window: 5 }],
    [
      "phi3",
      {
        max_position_embeddings: 64,
        original_max_position_embeddings: 16,
        rope_scaling: { type: "su", short_factor: [1, 1, 1, 2], long_factor: [1, 2, 3, 4] },
      },
    ],
    ["gemma2", { head_dim: 8, query_pre_attn_scalar: 16, sliding_window: 4, final_logit_softcapping: null }],
  ])("writes a %s config that reads back the same", (model_type, fields) => {
    const parsed = parseHuggingFaceConfig({ ...llama, model_type, ...fields });
    if (parsed.kind !== "language") throw new Error("not a language model");
    const written = writeDecoderConfig(parsed.config);
    expect(written["model_type"]).toBe(model_type);
    expect(parseHuggingFaceConfig(written)).toEqual(parsed);
  });

  it.each(["llama", "clip_vision_model"])(
    "refuses a %s of four billion blocks before it makes any",
    (model_type) => {
      const config = { ...llama, model_type, num_hidden_layers: 4e9 };
      expect(() => parseHuggingFaceConfig(config)).toThrow(
        "config.json: `num_hidden_layers` must be a whole number from 1 to 1024, got 4000000000. [E_CONFIG]",
      );
    },
  );

  it.each(["clip_vision_model", "siglip_vision_model"])(
    "writes a %s config that reads back the same",
    (model_type) => {
      const parsed = parseHuggingFaceConfig({
        model_type,
        hidden_size: 32,
        num_attention_heads: 4,
        image_size: 64,
      });
      if (parsed.kind !== "vision") throw new Error("not a vision tower");
      expect(parseHuggingFaceConfig(writeVitConfig(parsed.config))).toEqual(parsed);
    },
  );

  it.each([
    ["dinov2", { mlp_ratio: 2, qkv_bias: false }],
    ["dinov2", { use_swiglu_ffn: true, hidden_size: 1536, num_attention_heads: 24, patch_size: 14 }],
    ["dinov2_with_registers", { num_register_tokens: 2, image_size: 518, patch_size: 14 }],
  ])("writes a %s config that reads back the same", (model_type, fields) => {
    const parsed = parseHuggingFaceConfig({ model_type, hidden_size: 48, num_attention_heads: 4, ...fields });
    if (parsed.kind !== "vision") throw new Error("not a vision tower");
    const written = writeVitConfig(parsed.config);
    expect(written["model_type"]).toBe(model_type);
    expect(parseHuggingFaceConfig(written)).toEqual(parsed);
  });

  it("gives DINOv2's giant the inner width of its SwiGLU, and refuses to write one that has no ratio", () => {
    const parsed = parseHuggingFaceConfig({
      model_type: "dinov2",
      hidden_size: 1536,
      num_attention_heads: 24,
      num_hidden_layers: 40,
      use_swiglu_ffn: true,
    });
    if (parsed.kind !== "vision") throw new Error("not a vision tower");
    expect(parsed.config).toMatchObject({ inner: 4096, swiglu: true, layerScale: true });
    expect(() => writeVitConfig({ ...parsed.config, inner: 4097 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: writeVitConfig: an inner width of 4097 is no whole \`mlp_ratio\` of width 1536, which is how DINOv2's config gives it. Choose a multiple. [E_CONFIG]]`,
    );
  });

  it("takes longrope's attention factor from how much longer the texts are", () => {
    const scaling = { type: "longrope", short_factor: [1, 1, 1, 1], long_factor: [1, 2, 3, 4] };
    const parsed = parseHuggingFaceConfig({
      ...llama,
      model_type: "phi3",
      max_position_embeddings: 131_072,
      rope_scaling: scaling,
    });
    const expected = Math.sqrt(1 + Math.log(32) / Math.log(4096));
    expect(parsed.config).toMatchObject({
      rotary: { scaling: { originalPositions: 4096, attentionFactor: expected } },
    });
  });

  it("reads the configs of SmolLM2 and of CLIP as their authors published them", () => {
    const smol = parseHuggingFaceConfig({
      ...llama,
      is_llama_config: true,
      rope_interleaved: false,
      rope_theta: 100_000,
      tie_word_embeddings: true,
      "transformers.js_config": { dtype: "q4" },
    });
    expect(smol.config).toMatchObject({ tiedHead: true, rotary: { base: 100_000 } });
    const clip = parseHuggingFaceConfig({
      model_type: "clip_vision_model",
      pruned_heads: {},
      num_beams: 1,
      tie_encoder_decoder: false,
      tie_word_embeddings: true,
    });
    expect(clip.kind).toBe("vision");
  });

  it("reads a SigLIP 2 of fixed size as a SigLIP, whatever it calls itself", () => {
    const vision_config = { image_size: 256, patch_size: 16, hidden_size: 96, intermediate_size: 128 };
    const siglip = parseHuggingFaceConfig({ model_type: "siglip_vision_model", ...vision_config });
    for (const json of [
      { model_type: "siglip2_vision_model", ...vision_config },
      { model_type: "siglip2", vision_config: { model_type: "siglip2_vision_model", ...vision_config } },
      { model_type: "siglip2", vision_config },
    ]) {
      expect(parseHuggingFaceConfig(json)).toEqual(siglip);
    }
  });

  it.each([
    { model_type: "constructor" },
    { ...llama, hidden_act: "toString" },
    { model_type: "clip_vision_model", hidden_act: "valueOf" },
    { model_type: "clip", vision_config: { model_type: "hasOwnProperty" } },
  ])("takes no name from what every object has: %j", (config) => {
    expect(() => parseHuggingFaceConfig(config)).toThrow(/Supported|must be one of/);
  });

  it.each([
    ["without a model type", {}],
    ["of an unknown model", { model_type: "mamba", architectures: ["MambaForCausalLM"] }],
    [
      "of LLaVA around an unknown model",
      {
        model_type: "llava",
        vision_config: { model_type: "clip_vision_model" },
        text_config: { model_type: "mamba" },
      },
    ],
    ["with a field that may change the maths", { ...llama, residual_multiplier: 0.5 }],
    ["with another activation", { ...llama, hidden_act: "relu2" }],
    ["with another rotary scaling", { ...llama, rope_scaling: { rope_type: "yarn", factor: 4 } }],
    [
      "with a rotary field that nothing reads",
      { ...llama, rope_scaling: { type: "linear", factor: 4, beta_fast: 2 } },
    ],
    ["with a number that is none", { ...llama, hidden_size: "32" }],
    ["with heads that do not share", { ...llama, num_key_value_heads: 3 }],
    ["with rotary pairs side by side", { ...llama, rope_interleaved: true }],
    ["of a SigLIP 2 with NaFlex", { model_type: "siglip2", vision_config: { num_patches: 256 } }],
    ["of a SigLIP 2 without a size", { model_type: "siglip2", vision_config: {} }],
    ["of a vision tower with pruned heads", { model_type: "clip_vision_model", pruned_heads: { 0: [1] } }],
    [
      "of LLaVA that would hand on registers as patches",
      {
        model_type: "llava",
        vision_config: { model_type: "dinov2_with_registers" },
        text_config: llama,
      },
    ],
    ["of a quantised model", { ...llama, quantization_config: { bits: 4 } }],
    ["of a vision tower with one colour", { model_type: "clip_vision_model", num_channels: 1 }],
    [
      "of LLaVA without a text config",
      { model_type: "llava", vision_config: { model_type: "clip_vision_model" } },
    ],
    [
      "of LLaVA that would drop a patch of SigLIP",
      {
        model_type: "llava",
        vision_feature_select_strategy: "default",
        vision_config: { model_type: "siglip_vision_model" },
        text_config: llama,
      },
    ],
    [
      "of LLaVA whose projector's options say what the models say",
      {
        model_type: "llava",
        vision_config: { model_type: "clip_vision_model" },
        text_config: llama,
        basic_projector: { name: "vocabulary", options: { vocabulary: 5 } },
      },
    ],
    [
      "of LLaVA with several feature layers",
      {
        model_type: "llava",
        vision_feature_layer: [-2, -5],
        vision_config: { model_type: "clip_vision_model" },
        text_config: llama,
      },
    ],
  ])("refuses a config %s, naming the field", (_, config) => {
    expect(() => parseHuggingFaceConfig(config)).toThrowErrorMatchingSnapshot();
  });
});
