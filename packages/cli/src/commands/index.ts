import type { CliCommand } from "../command.js";
import { ablate } from "./ablate.js";
import { chat } from "./chat.js";
import { check } from "./check.js";
import { convert } from "./convert.js";
import { cp } from "./cp.js";
import { data } from "./data.js";
import { doctor } from "./doctor.js";
import { evaluate } from "./eval.js";
import { ls } from "./ls.js";
import { report } from "./report.js";
import { train } from "./train.js";

/** All verbs, in the order of the overview. */
export const commands: readonly CliCommand[] = [
  ls,
  train,
  evaluate,
  chat,
  ablate,
  report,
  convert,
  check,
  cp,
  data,
  doctor,
];
