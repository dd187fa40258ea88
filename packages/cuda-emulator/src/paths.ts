import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** This package: above `src/` as above `dist/`. */
export const PACKAGE = fileURLToPath(new URL("..", import.meta.url));

/** C++ sources. */
export const NATIVE = join(PACKAGE, "native");

/** What is fetched and built, kept between runs and out of version control. */
export const CACHE = join(PACKAGE, "..", "..", ".cache");
