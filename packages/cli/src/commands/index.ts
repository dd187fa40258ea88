import type { CliCommand } from "../command.js";
import { cp } from "./cp.js";
import { doctor } from "./doctor.js";
import { ls } from "./ls.js";
import { train } from "./train.js";

/** All verbs, in the order of the overview. */
export const commands: readonly CliCommand[] = [ls, train, cp, doctor];
