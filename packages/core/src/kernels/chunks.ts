/** Largest block of logits that a chunked kernel holds at once unless told otherwise: 16 MiB. */
export const DEFAULT_CHUNK_BYTES = 16 * 1024 * 1024;
