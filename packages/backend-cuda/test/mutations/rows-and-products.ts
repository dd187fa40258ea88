import columnSums from "../../src/kernels/column-sums/columns.cuh";
import decode from "../../src/kernels/linear/decode.cu";
import fewRows from "../../src/kernels/linear/few-rows.cu";
import packedProduct from "../../src/kernels/linear/packed-product.cu";
import storage from "../../src/kernels/linear/storage.cuh";
import norm from "../../src/kernels/norm/norm.cu";
import normWeights from "../../src/kernels/norm/norm-weights.cu";
import pack from "../../src/kernels/pack.cuh";
import packedEmbedding from "../../src/kernels/packed-embedding/packed-embedding.cu";
import reduce from "../../src/kernels/reduce.cuh";
import rotary from "../../src/kernels/rotary/rotary.cu";
import rows from "../../src/kernels/rows/rows.cu";
import { type Mutation, mutationsOf } from "./mutation.js";

const FROZEN = ["BasicFrozenLinear"];
const BACKWARD = ["BasicFrozenLinearBackward"];
const NORMS = ["BasicRmsNorm", "BasicLayerNorm"];
const NORMS_BACKWARD = ["BasicRmsNormBackward", "BasicLayerNormBackward"];

/** Defects of kernels that work on rows of matrices. */
export const rowMutations: readonly Mutation[] = [
  ...mutationsOf(packedProduct, FROZEN, [
    [
      "product: strips are read before they are written",
      "    __syncthreads();\n    multiply_strips",
      "    multiply_strips",
    ],
    [
      "product: strips are written while they are read",
      "right_strip, x, y);\n    __syncthreads();",
      "right_strip, x, y);",
    ],
    ["product: one row too many is stored", "if (row >= rows) continue;", "if (row > rows) continue;"],
    [
      "product: one column too many is stored",
      "if (column >= columns) continue;",
      "if (column > columns) continue;",
    ],
    [
      "product: the last strip is left out",
      "first < depth; first += TILE_DEPTH",
      "first + TILE_DEPTH < depth; first += TILE_DEPTH",
    ],
    [
      "product: rows of a thread are not apart",
      "i / together * (16 * together)",
      "i / together * (8 * together)",
    ],
    [
      "product: columns of a thread are not apart",
      "i / 4 * (TILE_COLUMNS / 2)",
      "i / 4 * (TILE_COLUMNS / 4)",
    ],
  ]),
  ...mutationsOf(
    packedProduct,
    ["BasicFrozenLinearBias"],
    [["product: the bias is left out", "bias != nullptr ? sums", "bias == nullptr ? sums"]],
  ),
  ...mutationsOf(packedProduct, BACKWARD, [
    [
      "product: steps beyond the depth count",
      "if (first + k < depth) values",
      "if (first + k <= depth) values",
    ],
    ["product: the strip of W is stored askew", "&strip[k][n + i]", "&strip[k][n + (i ^ 4)]"],
  ]),
  ...mutationsOf(fewRows, FROZEN, [
    [
      "few rows: half of a warp is not added",
      "warp_sum(sums[r][c])",
      "sums[r][c] + __shfl_xor_sync(0xffffffffu, sums[r][c], 1)",
    ],
    ["few rows: blocks of W are left out", "block += 32 / GROUPS", "block += 64 / GROUPS"],
    [
      "few rows: a column too many is stored",
      "column + c >= columns) continue",
      "column + c > columns) continue",
    ],
    ["few rows: a row too many is stored", "r >= rows ||", "r > rows ||"],
    ["few rows: x is read beyond its end", "if (at < depth) values.v[i] = x[at];", "values.v[i] = x[at];"],
  ]),
  ...mutationsOf(storage, FROZEN, [
    [
      "storage: the sign of a byte is lost",
      "static_cast<int>(level << 24) >> 24",
      "static_cast<int>(level & 255u)",
    ],
    ["storage: q4_0 is not centred", "- 8.0f", "- 7.0f"],
    [
      "storage: q4_1 has no minimum",
      "static_cast<float>(level & 15u) + scale.minimum",
      "static_cast<float>(level & 15u)",
    ],
    ["storage: high halves are low ones", ">> (high ? 4 : 0)", ">> (high ? 0 : 0)"],
    ["storage: blocks of q8_0 are a byte too short", "#define BLOCK_BYTES 34", "#define BLOCK_BYTES 33"],
    [
      "storage: words of two values are swapped",
      "values.v[i + 1] = two_byte_value(four.x >> 16);",
      "values.v[i + 1] = two_byte_value(four.y >> 16);",
    ],
    [
      "storage: a row of two-byte values is read beyond its end",
      "if (at + i < length) values.v[i] = two_byte",
      "values.v[i] = two_byte",
    ],
    [
      "storage: f16 is taken for bf16",
      "  return half_to_float(bits);\n#endif",
      "  return bf16_to_float(bits);\n#endif",
    ],
    [
      "storage: the groups of q4 lie elsewhere",
      "i % 2 + (i >= 2 ? BLOCK_VALUES / 2 : 0)",
      "i % 2 + (i >= 2 ? BLOCK_VALUES / 4 : 0)",
    ],
  ]),
  ...mutationsOf(
    storage,
    ["BasicPackedEmbedding"],
    [["decoded rows: a row is overrun", "if (first + i < width) to[first + i]", "to[first + i]"]],
  ),
  ...mutationsOf(decode, FROZEN, [
    ["decode: every row is the first", "decode_values(weight, blockIdx.x,", "decode_values(weight, 0,"],
  ]),
  ...mutationsOf(
    packedEmbedding,
    ["BasicPackedEmbedding"],
    [
      [
        "packed embedding: a row is not finished",
        "(blockIdx.y * THREADS + threadIdx.x) * DECODED",
        "threadIdx.x * DECODED",
      ],
    ],
  ),
  ...mutationsOf(norm, NORMS, [
    [
      "norm: no epsilon",
      "1.0f / sqrtf(row_sum(squares) / width + epsilon);\n  for_columns<N>(lane, width, [&](int d) {\n    Pack<N> v = load<N>(x + d);\n    const Pack<N> w = load<N>(weight + d);\n#pragma unroll\n    for (int i = 0; i < N; i++) v.v[i] = v.v[i] * scale",
      "1.0f / sqrtf(row_sum(squares) / width);\n  for_columns<N>(lane, width, [&](int d) {\n    Pack<N> v = load<N>(x + d);\n    const Pack<N> w = load<N>(weight + d);\n#pragma unroll\n    for (int i = 0; i < N; i++) v.v[i] = v.v[i] * scale",
    ],
    ["norm: 1 is not added to the weight", "v.v[i] * scale * (w.v[i] + offset);", "v.v[i] * scale * w.v[i];"],
    [
      "norm: the variance is not centred",
      "squares += (v.v[i] - centre) * (v.v[i] - centre);",
      "squares += v.v[i] * v.v[i];",
    ],
    ["norm: columns are skipped", "d += ROW_THREADS * N) visit(d)", "d += ROW_THREADS * N * 2) visit(d)"],
    ["norm: the bias is left out", "scale * w.v[i] + b.v[i];", "scale * w.v[i];"],
    [
      "norm: rows are left out",
      "blockIdx.x * rows + threadIdx.x / ROW_THREADS",
      "blockIdx.x * (rows - 1) + threadIdx.x / ROW_THREADS",
    ],
  ]),
  ...mutationsOf(norm, NORMS_BACKWARD, [
    ["norm backward: the mean is left out", "- v.v[i] * scale * mean);", ");"],
    [
      "norm backward: the mean of g is left out",
      "* w.v[i] - mean_g) - n * mean_gn);",
      "* w.v[i]) - n * mean_gn);",
    ],
    ["norm backward: the mean of g n is left out", "- mean_g) - n * mean_gn);", "- mean_g));"],
  ]),
  ...mutationsOf(
    reduce,
    ["BasicLayerNorm"],
    [
      [
        "sums of a block: written while they are read",
        "    // Somebody may still read the sums of the call before.\n    __syncthreads();",
        "",
      ],
      [
        "sums of a block: read before they are written",
        "/ 32] = value;\n    __syncthreads();",
        "/ 32] = value;",
      ],
      [
        "sums of a block: the last warp is left out",
        "i < COUNT / 32; i++) value",
        "i < COUNT / 32 - 1; i++) value",
      ],
      [
        "sums of a warp: half of them",
        "int step = 16; step > 0; step /= 2) value +=",
        "int step = 8; step > 0; step /= 2) value +=",
      ],
    ],
  ),
  ...mutationsOf(columnSums, NORMS_BACKWARD, [
    ["column sums: read before they are written", "  __syncthreads();\n", ""],
    ["column sums: a row too many", "min(first + COLUMN_ROWS, rows)", "min(first + COLUMN_ROWS + 1, rows)"],
    ["column sums: rows are skipped", "row += COLUMN_LANES)", "row += COLUMN_LANES + 1)"],
    ["column sums: a lane is left out", "lane < COLUMN_LANES; lane++", "lane < COLUMN_LANES - 1; lane++"],
    ["column sums: read beyond the last column", "if (column < columns) {", "if (column <= columns) {"],
  ]),
  ...mutationsOf(normWeights, NORMS_BACKWARD, [
    ["norm weights: dbias is dweight", "dbias[to] = sum.v[1];", "dbias[to] = sum.v[0];"],
    ["norm weights: x is not centred", "(x[i] - mean[row]) * inverse[row]", "x[i] * inverse[row]"],
    [
      "norm weights: parts overwrite each other",
      "static_cast<long long>(blockIdx.y) * width + column;",
      "column;",
    ],
  ]),
  ...mutationsOf(
    rotary,
    ["BasicRotary"],
    [
      [
        "rotary: turns the other way",
        "a.v[i] * cosine.v[i] - b.v[i] * sine.v[i]",
        "a.v[i] * cosine.v[i] + b.v[i] * sine.v[i]",
      ],
      ["rotary: quarters are not signed", "quarter >= 2 ?", "quarter >= 3 ?"],
      ["rotary: quarters turn the wrong way", "Turn{-sine, cosine} :", "Turn{sine, -cosine} :"],
      ["rotary: passing columns are left out", "(width - pairs) / each", "pairs / each"],
      ["rotary: heads are overrun", "min(head + HEADS_AT_ONCE, call.heads)", "head + HEADS_AT_ONCE"],
      ["rotary: a row too many", "if (row >= rows) return;", "if (row > rows) return;"],
    ],
  ),
  ...mutationsOf(
    rows,
    ["BasicSplice", "BasicEmbedding"],
    [
      ["gather: visual rows are off by one", "id >= 0 ? id : -1 - id", "id >= 0 ? id : -id"],
      [
        "gather: a row is not finished",
        "const int d = (blockIdx.y * THREADS + threadIdx.x) * 4;\n  if (width % 4 == 0) {\n    if (d < width) store<4>(to + d, load",
        "const int d = threadIdx.x * 4;\n  if (width % 4 == 0) {\n    if (d < width) store<4>(to + d, load",
      ],
      [
        "gather: a row is overrun",
        "i < min(d + 4, width); i++) to[i] = from[i];",
        "i < d + 4; i++) to[i] = from[i];",
      ],
    ],
  ),
  ...mutationsOf(
    rows,
    ["BasicScatterAddRows"],
    [
      [
        "scatter: the last row is left out",
        "const int end = starts[blockIdx.x + 1];",
        "const int end = starts[blockIdx.x + 1] - 1;",
      ],
      [
        "scatter: rows go one after the other",
        "static_cast<long long>(targets[blockIdx.x]) * width",
        "static_cast<long long>(blockIdx.x) * width",
      ],
    ],
  ),
  ...mutationsOf(
    pack,
    ["BasicActivation", "BasicAccumulate"],
    [
      [
        "vectors: two elements are swapped",
        "make_float4(pack.v[0], pack.v[1], pack.v[2], pack.v[3])",
        "make_float4(pack.v[0], pack.v[2], pack.v[1], pack.v[3])",
      ],
      [
        "vectors: every other thread has the same",
        "blockDim.x + threadIdx.x) * 4;",
        "blockDim.x + threadIdx.x / 2 * 2) * 4;",
      ],
    ],
  ),
];
