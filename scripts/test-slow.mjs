// npm run test:slow: kill tests, packed tarballs in an empty folder, large fuzzing.
import { fetchGguf } from "./fetch-gguf.mjs";
import { build, finish, install, vitest } from "./steps.mjs";

await install();
await fetchGguf();
await build();
finish(await vitest(["--config", "vitest.slow.config.ts", ...process.argv.slice(2)]));
