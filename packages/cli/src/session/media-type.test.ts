import { expect, it } from "vitest";

import { mediaType } from "./media-type.js";

it.each([
  ["image/png", "\x89PNG\r\n\x1a\n"],
  ["image/jpeg", "\xff\xd8\xff\xe0"],
  ["image/webp", "RIFF\x10\0\0\0WEBPVP8 "],
  ["image/gif", "GIF89a"],
  ["image/tiff", "II*\0"],
  ["image/tiff", "MM\0*"],
  ["image/avif", "\0\0\0\x1cftypavif"],
  ["image/svg+xml", '\xef\xbb\xbf <?xml version="1.0"?><svg/>'],
])("finds %s", (type, start) => {
  expect(mediaType(Buffer.from(start, "latin1"))).toBe(type);
});
