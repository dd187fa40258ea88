import { type ImageProcessor, parseImageProcessor } from "@basic-mllm/data";
import config from "@basic-mllm/tiny/weights/encoder/preprocessor_config.json";

/** How a picture becomes the encoder's input. */
export function openProcessor(): ImageProcessor {
  return parseImageProcessor(config);
}
