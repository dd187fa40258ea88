import binary from "../../src/operations/elementwise/binary.cu";
import numbers from "../../src/operations/elementwise/numbers.cuh";
import select from "../../src/operations/elementwise/select.cu";
import unary from "../../src/operations/elementwise/unary.cu";
import copy from "../../src/operations/movement/copy.cu";
import transpose from "../../src/operations/movement/transpose.cu";
import argReduce from "../../src/operations/reduction/arg-reduce.cu";
import cumulate from "../../src/operations/reduction/cumulate.cu";
import lanes from "../../src/operations/reduction/lanes.cuh";
import reduce from "../../src/operations/reduction/reduce.cu";
import topK from "../../src/operations/reduction/top-k.cu";
import gather from "../../src/operations/rows/gather.cu";
import oneHot from "../../src/operations/rows/one-hot.cu";
import scatterAdd from "../../src/operations/rows/scatter-add.cu";
import softmax from "../../src/operations/rows/softmax.cu";
import { type Mutation, mutationsOf } from "./mutation.js";

/** Defects of the kernels of stock operations. */
export const operationMutations: readonly Mutation[] = [
  ...mutationsOf(
    unary,
    ["BasicStockUnary"],
    [
      ["unary: the end is overrun", "first + 4 <= count", "first < count"],
      [
        "unary: the rest is left out",
        "for (long long i = first; i < count; i++)",
        "for (long long i = count; i < count; i++)",
      ],
      [
        "unary: parameters are swapped",
        "apply((ARGUMENT)from.at[i], p0, p1)",
        "apply((ARGUMENT)from.at[i], p1, p0)",
      ],
    ],
  ),
  ...mutationsOf(
    binary,
    ["BasicStockBinary"],
    [
      ["binary: the end is overrun", "first + 4 <= count", "first < count"],
      ["binary: a scalar is read as a vector", "if (step == 1) return", "if (step >= 0) return"],
      [
        "binary: operands are swapped",
        "to.at[i] = apply(a.at[i], b.at[i])",
        "to.at[i] = apply(b.at[i], a.at[i])",
      ],
      ["binary: strides of the other operand", "at.b += position * loop[2]", "at.b += position * loop[1]"],
      ["binary: the outer index is the position", "index = outer;", "index = (unsigned)position;"],
      ["binary rows: the column is left out", "a + at.a + column * inner[1]", "a + at.a"],
      ["binary strided: one element too many", "if (i >= count) return;", "if (i > count) return;"],
    ],
  ),
  ...mutationsOf(
    numbers,
    ["BasicStockFloorDivide", "BasicStockFloorModulo", "BasicStockCast"],
    [
      ["numbers: a quotient is cut", "quotient - (a % b != 0 && (a < 0) != (b < 0))", "quotient"],
      [
        "numbers: a rest keeps its sign",
        "rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;\n}\n\n// Remainder with the sign of the divisor.\n",
        "rest;\n}\n\n// Remainder with the sign of the divisor.\n",
      ],
      ["numbers: floats saturate", "(int)(long long)x", "(int)x"],
      [
        "numbers: large floats have no remainder",
        "fabsf(x) < 9223372036854775808.0f",
        "fabsf(x) < 2147483648.0f",
      ],
    ],
  ),
  ...mutationsOf(
    select,
    ["BasicStockSelect"],
    [
      ["select: a condition is missed", "is.w ? yes.w : no.w", "is.z ? yes.w : no.w"],
      ["select: the end is overrun", "first + 4 <= count", "first < count"],
    ],
  ),
  ...mutationsOf(
    copy,
    ["BasicStockCopy", "BasicStockReverse"],
    [
      ["copy: strides of x for y", "target += position * loop[2]", "target += position * loop[1]"],
      ["copy: the first element of x is left out", "long long source = from;", "long long source = 0;"],
      ["copy: the first element of y is left out", "long long target = to;", "long long target = 0;"],
      ["copy: the last word is left out", "if (i >= count) return;", "if (i >= count - 1) return;"],
    ],
  ),
  ...mutationsOf(
    transpose,
    ["BasicStockTranspose"],
    [
      ["transpose: a tile is read before it is written", "  __syncthreads();\n", ""],
      [
        "transpose: rows of the edge are read",
        "if (row < rows && column < columns) tile",
        "if (column < columns) tile",
      ],
      ["transpose: the tile is not turned", "tile[threadIdx.x][i];", "tile[i][threadIdx.x];"],
      [
        "transpose: batches are mixed up",
        "(long long)batch * rows * columns",
        "(long long)batch * rows * rows",
      ],
    ],
  ),
  ...mutationsOf(
    lanes,
    ["BasicStockSum", "BasicStockArgMax"],
    [
      ["lanes: results of a block overlap", "blockIdx.x * results", "blockIdx.x * (results - 1)"],
      [
        "lanes: neighbours are lanes of one column",
        "thread % results, thread / results, results}",
        "thread / lanes, thread % lanes, results}",
      ],
    ],
  ),
  ...mutationsOf(
    reduce,
    ["BasicStockSum", "BasicStockMean"],
    [
      ["reduce: a chunk runs into the next one", "begin + chunk < length ? begin + chunk : length", "length"],
      [
        "reduce: the last chunk is overrun",
        "begin + chunk < length ? begin + chunk : length",
        "begin + chunk",
      ],
      ["reduce: lanes read the same values", "row = begin + place.lane;", "row = begin;"],
      ["reduce: halves are added without waiting", "    __syncthreads();\n", ""],
      [
        "reduce: the other half is left out",
        "combine(partial[threadIdx.x], partial[threadIdx.x + half * place.step])",
        "partial[threadIdx.x]",
      ],
      [
        "reduce: chunks divide, too",
        "finish(partial[threadIdx.x], divisor)",
        "finish(partial[threadIdx.x], length)",
      ],
      [
        "reduce: results beyond the last are written",
        "place.lane == 0 && place.result < results",
        "place.lane == 0",
      ],
    ],
  ),
  ...mutationsOf(
    argReduce,
    ["BasicStockArgMax"],
    [
      ["arg: the last of equal ones", "value == best && at < index", "value == best && at > index"],
      ["arg: indices stay behind", "    indices[thread] = indices[other];\n", ""],
      ["arg: halves are compared without waiting", "    __syncthreads();\n", ""],
    ],
  ),
  ...mutationsOf(
    cumulate,
    ["BasicStockCumsum", "BasicStockCumsumBefore"],
    [
      ["cumsum: no carry", "carry += sums", "carry = sums"],
      [
        "cumsum: sums are read before they are complete",
        "    __syncthreads();\n    const TOTAL before",
        "    const TOTAL before",
      ],
      ["cumsum: the next round starts early", "lanes - 1];\n    __syncthreads();", "lanes - 1];"],
      ["cumsum: never exclusive", "exclusive ? before : sums[thread]", "sums[thread]"],
      ["cumsum: never reversed", "reverse ? length - 1 - i : i", "i"],
    ],
  ),
  ...mutationsOf(
    topK,
    ["BasicStockTopK"],
    [
      ["topk: the last of equal ones", "a == b && i < j", "a == b && i > j"],
      ["topk: the same value again", "!before(last, last_place, value, i)", "last < value"],
      [
        "topk: halves are compared without waiting",
        "    for (int half = lanes / 2; half > 0; half /= 2) {\n      __syncthreads();",
        "    for (int half = lanes / 2; half > 0; half /= 2) {",
      ],
    ],
  ),
  ...mutationsOf(
    softmax,
    ["BasicStockSoftmax"],
    [
      ["softmax: the maximum is one lane's", "largest[thread - place.lane]", "largest[thread]"],
      ["softmax: no maximum", "sum += expf(from[i] - most)", "sum += expf(from[i])"],
      ["softmax: sums are one lane's", "(float)sums[thread - place.lane]", "(float)sums[thread]"],
    ],
  ),
  ...mutationsOf(
    gather,
    ["BasicStockGather"],
    [
      ["gather: the column is left out", "* inner + column]", "* inner]"],
      [
        "gather: rows of another group",
        "(long long)group * height + index",
        "(long long)group * picks + index",
      ],
      ["gather: one word too many", "if (i >= count) return;", "if (i > count) return;"],
    ],
  ),
  ...mutationsOf(
    oneHot,
    ["BasicStockOneHot"],
    [
      ["one-hot: on and off are swapped", "? on : off", "? off : on"],
      ["one-hot: one value too many", "if (i >= count) return;", "if (i > count) return;"],
    ],
  ),
  ...mutationsOf(
    scatterAdd,
    ["BasicStockSegmentSum", "BasicStockScatterNd"],
    [
      ["scatter: rows replace each other", "] += update;", "] = update;"],
      [
        "scatter: the total is the last row",
        "if (each == 1) total += update;",
        "if (each == 1) total = update;",
      ],
      ["scatter: nothing is cleared", "if (each > 1) {", "if (each > height) {"],
      [
        "scatter: rows beyond the last are cleared",
        "first + each < height ? first + each : height",
        "first + each",
      ],
    ],
  ),
];
