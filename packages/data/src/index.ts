export { type PackOptions, packSamples, type UnpackedSample, unpackRows } from "./packing.js";
export { IMAGE_PLACEHOLDER, parseSamples, type Sample, type Turn } from "./samples.js";
export { encodeSegments, IMAGE_SLOT, type Segment, type TokenSample } from "./segments.js";
export {
  conversationSegments,
  encodePrompt,
  encodeSample,
  findTemplate,
  TEMPLATES,
  type Template,
} from "./templates.js";
export { createTokenizer, type SpecialTokens, type TextTokenizer } from "./tokenizer.js";
