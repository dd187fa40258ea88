import attention from "../../src/kernels/attention/attention.cu";
import keyGradient from "../../src/kernels/attention/key-gradient.cu";
import places from "../../src/kernels/attention/places.cu";
import queryGradient from "../../src/kernels/attention/query-gradient.cu";
import received from "../../src/kernels/attention/received.cu";
import scores from "../../src/kernels/attention/scores.cuh";
import tiles from "../../src/kernels/attention/tiles.cuh";
import cachedAttention from "../../src/kernels/cached-attention/cached-attention.cu";
import direction from "../../src/kernels/direction/direction.cu";
import crossEntropy from "../../src/kernels/linear-cross-entropy/linear-cross-entropy.cu";
import kl from "../../src/kernels/linear-kl/linear-kl.cu";
import logits from "../../src/kernels/vocabulary/logits.cuh";
import vocabulary from "../../src/kernels/vocabulary/vocabulary.cu";
import { type Mutation, mutationsOf } from "./mutation.js";

const ATTENTION = ["BasicAttention"];
const RECEIVED = ["BasicAttentionReceived"];
const BACKWARD = ["BasicAttentionBackward", "BasicAttention"];
const CROSS_ENTROPY = ["BasicLinearCrossEntropy"];
const CROSS_ENTROPY_BACKWARD = ["BasicLinearCrossEntropyBackward"];
const KL = ["BasicLinearKl"];

const inTiles = [
  ...mutationsOf(tiles, ATTENTION, [
    [
      "attention: tiles are read before they are written",
      "load<TILE_COLUMNS>(shared.right, right, column, chunk);\n    __syncthreads();",
      "load<TILE_COLUMNS>(shared.right, right, column, chunk);",
    ],
    [
      "attention: tiles are written while they are read",
      "    __syncthreads();\n  }\n}\n\n// `sums` += `shared.weights`",
      "  }\n}\n\n// `sums` += `shared.weights`",
    ],
    [
      "attention: weights are read before they are written",
      "load<TILE_COLUMNS>(shared.right, rows, first, blockIdx.z * CHUNKS + chunk);\n    __syncthreads();",
      "load<TILE_COLUMNS>(shared.right, rows, first, blockIdx.z * CHUNKS + chunk);",
    ],
    [
      "attention: values are written while they are read",
      "    __syncthreads();\n  }\n}\n\n// Stores a thread's sums",
      "  }\n}\n\n// Stores a thread's sums",
    ],
    ["attention: one row too many is read", "< rows.count && column", "<= rows.count && column"],
    ["attention: one unaligned row too many is read", "< rows.count) four", "<= rows.count) four"],
    ["attention: one vector too many is read", "&& column < width)", "&& column <= width)"],
  ]),
  ...mutationsOf(scores, ATTENTION, [
    ["attention: one column too many is read", "if (column + 3 < width)", "if (column + 3 <= width)"],
    ["attention: a row does not see itself", "min(tile.keys, position + 1)", "min(tile.keys, position)"],
    [
      "attention: the window is one row too long",
      ": position - scores.window + 1",
      ": position - scores.window",
    ],
    ["attention: one key too many is seen", "key < range.to", "key <= range.to"],
    ["attention: the last key of a tile is left out", "ahead + last + 1)", "ahead + last)"],
    ["attention: the first key of a window is left out", "- scores.window + 1;", "- scores.window + 2;"],
    [
      "attention: heads of a group are the first one",
      "(long long)(row - t * group)",
      "(long long)(0 * group)",
    ],
    [
      "attention: all log-sum-exps of a group are the first head's",
      "scores.group + pair - t * scores.group",
      "scores.group",
    ],
    ["attention: there is no cap", "scores.softcap * tanhf(score / scores.softcap)", "score"],
  ]),
  ...mutationsOf(tiles, ATTENTION, [
    [
      "attention: blocks of a wide head store the same columns",
      "(blockIdx.z * CHUNKS + chunk) * CHUNK +",
      "chunk * CHUNK +",
    ],
    ["attention: chunks of sums are stored in one place", "* CHUNKS + chunk) * CHUNK", "* CHUNKS) * CHUNK"],
    [
      "attention: totals miss half of the threads",
      "float row_sum(float value) {\n  for (int step = 8;",
      "float row_sum(float value) {\n  for (int step = 4;",
    ],
    [
      "attention: threads of a row have other largest scores",
      "float row_max(float value) {\n  for (int step = 8;",
      "float row_max(float value) {\n  for (int step = 4;",
    ],
  ]),
  ...mutationsOf(scores, BACKWARD, [
    [
      "attention: the first row that sees a key is left out",
      "tile.first - ahead);",
      "tile.first - ahead + 1);",
    ],
    [
      "attention: the last row whose window has a key is left out",
      "TILE_ROWS - 1 - ahead + scores.window",
      "TILE_ROWS - 2 - ahead + scores.window",
    ],
    ["attention: the cap has no slope", "return 1.0f - t * t;", "return 1.0f;"],
    ["attention: gradients of scores miss the mean", "(dp - statistics.y)", "dp"],
    [
      "attention: gradients of scores miss the scale",
      "slope_of(scores, score) * scores.scale",
      "slope_of(scores, score)",
    ],
  ]),
];

const inAttention = [
  ...mutationsOf(attention, ATTENTION, [
    ["attention: totals are not corrected", "      totals[i] *= factor;\n", ""],
    ["attention: sums are not corrected", "        sums[i][chunk].x *= factor;\n", ""],
    ["attention: parts of the keys overlap", "min(own.to, to)", "min(own.to, to + 1)"],
    ["attention: parts without keys count", "empty ? nothing :", "empty ? 0.0f :"],
    ["attention: parts are written over each other", "y_parts + blockIdx.y * places * width", "y_parts"],
    ["attention: only one part has log-sum-exps", "log_sum_exp[blockIdx.y * places + ", "log_sum_exp["],
    [
      "attention: the last keys are not weighted",
      "min(TILE_COLUMNS, to - key)",
      "min(TILE_COLUMNS, to - key - 1)",
    ],
    ["attention: keys do not move on", "key += TILE_COLUMNS", "key += 2 * TILE_COLUMNS"],
  ]),
  ...mutationsOf(places, ATTENTION, [
    ["attention: the first part counts alone", "y_parts[part * places * width + i]", "y_parts[i]"],
    [
      "attention: parts count alike",
      "const float weight = expf(",
      "const float weight = 1.0f + 0.0f * expf(",
    ],
  ]),
  ...mutationsOf(places, BACKWARD, [
    ["attention: sums of dy y miss half of the threads", "step = LANES / 2", "step = LANES / 4"],
  ]),
  ...mutationsOf(places, RECEIVED, [
    ["received: the last head is left out", "head < heads; head++", "head + 1 < heads; head++"],
  ]),
  ...mutationsOf(received, RECEIVED, [
    ["received: every row counts", "      if (counts_as_text[row] != 1) continue;\n", ""],
    ["received: rows count one too late", "row < receive_from", "row <= receive_from"],
    ["received: heads are written over each other", "received[tile.kv_head * keys_in_all + ", "received["],
    ["received: query rows are those of the first sample", "tile.q_start + pair / group", "pair / group"],
    ["received: the next rows are left out", "first += TILE_COLUMNS", "first += 2 * TILE_COLUMNS"],
  ]),
  ...mutationsOf(queryGradient, BACKWARD, [
    ["query gradient: weighted by probabilities", "dp[i][j]).y : 0.0f", "dp[i][j]).x : 0.0f"],
    ["query gradient: the next keys are left out", "key += TILE_COLUMNS", "key += 2 * TILE_COLUMNS"],
    ["query gradient: the last keys are not weighted", "seen.to - key))", "seen.to - key - 1))"],
  ]),
  ...mutationsOf(keyGradient, BACKWARD, [
    ["key gradient: values are weighted by the gradient of scores", "= both.x;", "= both.y;"],
    ["key gradient: the next rows are left out", "first += TILE_COLUMNS", "first += 2 * TILE_COLUMNS"],
    [
      "key gradient: one key too many is stored",
      "if (key >= tile.keys) continue;",
      "if (key > tile.keys) continue;",
    ],
  ]),
  ...mutationsOf(
    cachedAttention,
    ["BasicCachedAttention"],
    [
      ["cached attention: new values go to the keys", "values[place] = v[i]", "keys[place] = v[i]"],
      [
        "cached attention: new rows go to the first ones",
        "(long long)targets[i / width] * width",
        "i / width * width",
      ],
    ],
  ),
];

const inLosses = [
  ...mutationsOf(
    direction,
    ["BasicDirection", "BasicDirectionBackward"],
    [
      ["direction: the last columns are left out", "d += AT_ONCE * THREADS", "d += 2 * AT_ONCE * THREADS"],
      ["direction: zero rows have a gradient", "lengths.v > SHORTEST ? factor", "lengths.v > 0.0f ? factor"],
      ["direction: gradients do not stay on the sphere", "(r_unit - cosine * v_unit)", "(r_unit - v_unit)"],
      ["direction: rows share a weight", "a[row] * sum", "a[0] * sum"],
    ],
  ),
  ...mutationsOf(logits, CROSS_ENTROPY, [
    [
      "logits: largest values are read before they are written",
      "__syncthreads();\n  value = parts[0];",
      "value = parts[0];",
    ],
    [
      "logits: the last warps have no largest value",
      "for (int i = 1; i < THREADS / 32",
      "for (int i = 1; i < THREADS / 64",
    ],
    ["logits: the cap has no slope", "return 1.0f - t * t;", "return 1.0f;"],
    ["logits: a vector's words have one number", "use(w + 1, four.y)", "use(w, four.y)"],
    ["logits: a vector is changed out of order", "change(w + 2, four.z)", "change(w + 2, four.w)"],
  ]),
  ...mutationsOf(crossEntropy, CROSS_ENTROPY, [
    ["cross entropy: earlier sums are not corrected", "sum_before * factor +", "sum_before +"],
    ["cross entropy: earlier chunks are forgotten", "first_word == 0 ? 0.0f : own[1]", "0.0f"],
    ["cross entropy: the label's logit has no cap", "own[2] = capped;", "own[2] = logit;"],
    ["cross entropy: slopes miss the label", "e / total - (word == label ? 1.0f : 0.0f)", "e / total"],
    ["cross entropy: losses stay in order", "loss[rows[i]] =", "loss[i] ="],
    [
      "cross entropy: slopes stay in order",
      "slope[rows[row] * (long long)width +",
      "slope[row * (long long)width +",
    ],
    [
      "cross entropy: labels of slopes have no cap",
      "cap_slope(state[3 * row + 2], softcap) * label_rows",
      "label_rows",
    ],
  ]),
  ...mutationsOf(crossEntropy, CROSS_ENTROPY_BACKWARD, [
    ["cross entropy backward: rows share a factor", "factor = dloss[at]", "factor = dloss[0]"],
    ["cross entropy backward: no label", "(p - (word == label ? 1.0f : 0.0f))", "p"],
  ]),
  ...mutationsOf(kl, KL, [
    ["kl: earlier cross sums do not move", "(cross_before + r_sum_before * moved)", "cross_before"],
    ["kl: earlier sums of v are not corrected", "v_sum_before * v_factor +", "v_sum_before +"],
    ["kl: sums of r are those of v", "r_sum += r_exponential", "r_sum += expf(v_gap)"],
    [
      "kl: the difference is not normalised",
      "expf(logit - v_largest) / v_sum -",
      "expf(logit - v_largest) -",
    ],
    ["kl: rows share a weight", "(double)a[row] * divergence", "(double)a[0] * divergence"],
    [
      "kl: runs of rows start at the first one",
      "const long long row = (long long)first + i;",
      "const long long row = i;",
    ],
  ]),
  ...mutationsOf(
    kl,
    ["BasicLinearKlBackward"],
    [
      ["kl backward: gradients of r miss the divergence", "(log_q - log_p - divergence)", "(log_q - log_p)"],
      ["kl backward: gradients of v miss those of r", "v[word] = factor * (p - q)", "v[word] = factor * p"],
    ],
  ),
  ...mutationsOf(vocabulary, CROSS_ENTROPY, [
    ["vocabulary: rows share a factor", "factors[i / width]", "factors[0]"],
    ["vocabulary: rows stay in order", "(long long)rows[i / width] * width", "i / width * width"],
  ]),
];

/** Defects of attention and the losses. */
export const attentionMutations: readonly Mutation[] = [...inTiles, ...inAttention, ...inLosses];
