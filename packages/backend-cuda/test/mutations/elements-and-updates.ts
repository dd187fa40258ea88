import accumulate from "../../src/kernels/accumulate/accumulate.cu";
import activation from "../../src/kernels/activation/activation.cu";
import activationFunctions from "../../src/kernels/activation.cuh";
import adamw from "../../src/kernels/adamw/adamw.cu";
import dropout from "../../src/kernels/dropout/dropout.cu";
import philox from "../../src/kernels/dropout/philox.cuh";
import squaredNorm from "../../src/kernels/squared-norm/squared-norm.cu";
import tensors from "../../src/kernels/tensors/tensors.cuh";
import { type Mutation, mutationsOf } from "./mutation.js";

const ACTIVATIONS = ["BasicActivation", "BasicActivationBackward"];

/** Defects of kernels that work on elements, and of those that update parameters. */
export const elementMutations: readonly Mutation[] = [
  ...mutationsOf(activationFunctions, ACTIVATIONS, [
    ["activation: sigmoid of the negative", "expf(-x))", "expf(x))"],
    ["activation: half of gelu's cubic term", "0.044715f", "0.0223575f"],
    ["activation: quick gelu is silu", "return x * sigmoid(1.702f * x);", "return x * sigmoid(x);"],
    ["activation: slope of relu at 0", "x > 0.0f ? 1.0f : 0.0f", "x >= 0.0f ? 1.0f : 0.0f"],
    ["activation: density of another deviation", "expf(-0.5f * x * x)", "expf(-x * x)"],
  ]),
  ...mutationsOf(
    activation,
    ["BasicActivation", "BasicGatedActivation", "BasicGatedActivationBackward"],
    [
      ["gated: up is left out", "result.v[i] *= factor.v[i];", ""],
      [
        "gated backward: gate and up are swapped",
        "store<N>(dgate, of_gate);\n  store<N>(dup, of_up);",
        "store<N>(dgate, of_up);\n  store<N>(dup, of_gate);",
      ],
      ["gated backward: no slope", "d.v[i] * u.v[i] * slope(g.v[i])", "d.v[i] * u.v[i]"],
      [
        "activation: the last vector is overrun",
        "if (i + 4 <= count) {\n    store<4>(y + i, activated",
        "if (i < count) {\n    store<4>(y + i, activated",
      ],
    ],
  ),
  ...mutationsOf(
    activation,
    ["BasicLinear"],
    [["activation in place: the rest is left out", "for (; i < count; i++) x[i] = activate(x[i]);", ""]],
  ),
  ...mutationsOf(
    accumulate,
    ["BasicAccumulate"],
    [
      ["accumulate: the term alone", "sums.v[i] += terms.v[i];", "sums.v[i] = terms.v[i];"],
      ["accumulate: the end is overrun", "i + 4 <= count", "i < count"],
    ],
  ),
  ...mutationsOf(
    philox,
    ["BasicDropout"],
    [
      ["philox: nine rounds", "round < 10", "round < 9"],
      ["philox: the keys stay", "key.x += 0x9e3779b9u;", ""],
      [
        "philox: words are swapped",
        "make_uint4(high_b ^ counter.y ^ key.x, low_b,",
        "make_uint4(low_b, high_b ^ counter.y ^ key.x,",
      ],
    ],
  ),
  ...mutationsOf(
    dropout,
    ["BasicDropout"],
    [
      ["dropout: the threshold itself is dropped", "drawn >= threshold", "drawn > threshold"],
      ["dropout: halves of words are swapped", "(16 * (i % 2))", "(16 * (1 - i % 2))"],
      ["dropout: the rest is overrun", "if (first + i < count) y[first + i]", "y[first + i]"],
      ["dropout: another stream", "stream_low, stream_high),", "stream_high, stream_low),"],
    ],
  ),
  ...mutationsOf(
    tensors,
    ["BasicSquaredNorm", "BasicAdamw"],
    [
      ["tensors: a block of the tensor before", "block < table[middle].end", "block <= table[middle].end"],
      [
        "tensors: blocks count from 0 in every tensor",
        "block - (low == 0 ? 0 : table[low - 1].end)",
        "block",
      ],
      [
        "tensors: the last chunk is whole",
        "min((number + 1) * CHUNK, table[low].count)",
        "(number + 1) * CHUNK",
      ],
    ],
  ),
  ...mutationsOf(
    squaredNorm,
    ["BasicSquaredNorm"],
    [
      [
        "squared norm: sums of threads are read too early",
        "    __syncthreads();\n    if (threadIdx.x < half)",
        "    if (threadIdx.x < half)",
      ],
      [
        "squared norm: the rest is left out",
        "for (long long at = i; at < chunk.last; at++) sum += x[at] * x[at];",
        "",
      ],
      [
        "squared norm: half of the partial sums",
        "i < count; i += THREADS) sum += sums[i]",
        "i < count; i += 2 * THREADS) sum += sums[i]",
      ],
      ["squared norm: a value counts twice", "four.v[1] * four.v[1])", "four.v[0] * four.v[0])"],
    ],
  ),
  ...mutationsOf(
    adamw,
    ["BasicAdamw"],
    [
      ["adamw: updates always", "if (!(control[1] > 0.0f)) return;", ""],
      ["adamw: the gradient is not scaled", "next(__fmul_rn(gradients.v[j], scale),", "next(gradients.v[j],"],
      ["adamw: no weight decay", "__fmul_rn(parameter, tensor.decay)", "parameter"],
      ["adamw: the first moment is not corrected", "moments.m / by.correction1 / root", "moments.m / root"],
      [
        "adamw: epsilon within the root",
        "__fadd_rn(sqrtf(moments.v / by.correction2), by.epsilon)",
        "sqrtf(__fadd_rn(moments.v / by.correction2, by.epsilon))",
      ],
      [
        "adamw: moments are swapped",
        "store<N>(m, ms);\n  store<N>(v, vs);",
        "store<N>(m, vs);\n  store<N>(v, ms);",
      ],
      [
        "adamw: bfloat16 is rounded down",
        "(__float_as_uint(moments.m) + (random >> 16)) >> 16",
        "__float_as_uint(moments.m) >> 16",
      ],
      [
        "adamw: both moments have the same noise",
        "(__float_as_uint(moments.v) + (random & 0xffffu)) >> 16",
        "(__float_as_uint(moments.v) + (random >> 16)) >> 16",
      ],
      [
        "adamw: int8 rounds to nearest",
        "return static_cast<unsigned>(below) + (up ? 1u : 0u);",
        "return static_cast<unsigned>(below + 0.5f);",
      ],
      ["adamw: second moments become 0", "value > 0.0f ? 1u : 0u);\n}", "0u);\n}"],
      ["adamw: the sign of m is lost", "(value < 0.0f ? 0u - code : code) & 255u", "code & 255u"],
      ["adamw: the scale is rounded down", "+ 0xffffu) & 0xffff0000u", ") & 0xffff0000u"],
      ["adamw: words of the last block are overrun", "if (i - 3 < mine) {", "{"],
      ["adamw: other noise", "x ^= x >> 15;", "x ^= x >> 14;"],
    ],
  ),
];
