// For child processes of tests: Node 20 runs no TypeScript.
import { register } from "node:module";

register("./typescript-hooks.mjs", import.meta.url);
