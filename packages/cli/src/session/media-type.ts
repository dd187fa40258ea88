/** The media type of a picture, by its first bytes: a cell of a table has no extension. */
export function mediaType(bytes: Buffer): string {
  const start = bytes.toString("latin1", 0, 64);
  if (start.startsWith("\xff\xd8")) return "image/jpeg";
  if (start.startsWith("RIFF")) return "image/webp";
  if (start.startsWith("GIF8")) return "image/gif";
  if (start.startsWith("II") || start.startsWith("MM")) return "image/tiff";
  if (start.slice(4, 8) === "ftyp") return "image/avif";
  return /^(\xef\xbb\xbf)?\s*</.test(start) ? "image/svg+xml" : "image/png";
}
