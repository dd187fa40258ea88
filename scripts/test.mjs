// npm test: the fast lane. Arguments go to vitest, for example `npm test -- packages/core`.
import { buildNative, finish, install, vitest } from "./steps.mjs";

await install();
await buildNative();
finish(await vitest(process.argv.slice(2)));
