// onnxruntime's side: an ONNX model of one matrix product, written by hand. Numbers of fields: onnx/onnx.proto.
import { InferenceSession, Tensor } from "onnxruntime-node";

const IR_VERSION = 8;
const OPSET = 13;
const FLOAT = 1;
const INTEGER_ATTRIBUTE = 2;

const VARINT = 0;
const BYTES = 2;

/** A whole number in groups of seven bits, lowest first. */
function varint(value) {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 128);
  }
}

/** A field of a protobuf message: a number, a text, or the bytes of another message. */
function field(number, value) {
  if (typeof value === "number") return [...varint(number * 8 + VARINT), ...varint(value)];
  const bytes = typeof value === "string" ? [...Buffer.from(value)] : value;
  return [...varint(number * 8 + BYTES), ...varint(bytes.length), ...bytes];
}

const message = (...fields) => fields.flat();

/** ValueInfoProto of a float32 matrix. */
function matrix(name, shape) {
  const dimensions = shape.flatMap((size) => field(1, field(1, size)));
  const tensor = message(field(1, FLOAT), field(2, dimensions));
  return message(field(1, name), field(2, field(1, tensor)));
}

function flag(name, on) {
  return message(field(1, name), field(3, on ? 1 : 0), field(20, INTEGER_ATTRIBUTE));
}

/** ModelProto of `c [m, n] = a b`, where `a` lies as [k, m] if `transposeA`, and `b` as [n, k] if `transposeB`. */
function productModel({ sizes: [m, n, k], transposeA, transposeB }) {
  const node = message(
    field(1, "a"),
    field(1, "b"),
    field(2, "c"),
    field(4, "Gemm"),
    field(5, flag("transA", transposeA)),
    field(5, flag("transB", transposeB)),
  );
  const graph = message(
    field(1, node),
    field(2, "product"),
    field(11, matrix("a", transposeA ? [k, m] : [m, k])),
    field(11, matrix("b", transposeB ? [n, k] : [k, n])),
    field(12, matrix("c", [m, n])),
  );
  return Uint8Array.from(message(field(1, IR_VERSION), field(7, graph), field(8, field(2, OPSET))));
}

/** Opens a product of `a` and `b`, each with values and shape. The result goes into an array that is there already. */
export async function openOnnxProduct({ sizes, a, b, transposeA, transposeB }, threads) {
  const [m, n] = sizes;
  const session = await InferenceSession.create(productModel({ sizes, transposeA, transposeB }), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
  });
  const tensor = ({ values, shape }) => new Tensor("float32", values, shape);
  const inputs = { a: tensor(a), b: tensor(b) };
  const outputs = { c: tensor({ values: new Float32Array(m * n), shape: [m, n] }) };
  return {
    run: () => session.run(inputs, outputs),
    result: async () => (await session.run(inputs, outputs)).c.data,
  };
}
