import type { Program } from "../program.js";
import { castPrograms } from "./creation.js";
import { elementwisePrograms } from "./elementwise/elementwise.js";
import { selectPrograms } from "./elementwise/select.js";
import { copyPrograms } from "./movement/copy.js";
import { transposePrograms } from "./movement/transpose.js";
import { axisPrograms } from "./reduction/along-axis.js";
import { reductionPrograms } from "./reduction/reduce.js";
import { stockRowPrograms } from "./rows/rows.js";

/** Every kernel of the stock operations, with its variants. */
export const stockPrograms: readonly Program[] = [
  ...castPrograms,
  ...elementwisePrograms,
  ...selectPrograms,
  ...copyPrograms,
  ...transposePrograms,
  ...axisPrograms,
  ...reductionPrograms,
  ...stockRowPrograms,
];
