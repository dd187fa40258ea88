import type { ImageProcessor } from "@basic-mllm/data";
import type { PatchPicture } from "@basic-mllm/evaluate";

interface Size {
  readonly width: number;
  readonly height: number;
}

/** The part of a picture that its encoder gets, by the steps of the processor: pad, resize, crop. */
export function seenPart(picture: Size, processor: ImageProcessor): NonNullable<PatchPicture["seen"]> {
  const side = Math.max(picture.width, picture.height);
  const padded = processor.pad ? { width: side, height: side } : picture;
  const resized = resizedSize(padded, processor);
  const crop = processor.crop ?? resized;
  // Pixels of the picture that the crop covers, at the scale before the resize.
  const width = (crop.width / resized.width) * padded.width;
  const height = (crop.height / resized.height) * padded.height;
  return {
    left: (picture.width - width) / 2 / picture.width,
    top: (picture.height - height) / 2 / picture.height,
    width: width / picture.width,
    height: height / picture.height,
    aspect: width / height,
  };
}

function resizedSize(size: Size, { resize }: ImageProcessor): Size {
  if (resize === null) return size;
  if ("height" in resize) return resize;
  const scale = resize.shortestEdge / Math.min(size.width, size.height);
  return { width: size.width * scale, height: size.height * scale };
}
