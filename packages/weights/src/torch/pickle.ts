import { BasicError } from "@basic-mllm/core";

import type { DType } from "../dtypes.js";
import { Cursor } from "./cursor.js";
import { quote } from "./zip.js";

/** Flat memory of a tensor file. */
export class PickledStorage {
  /** Name under `data/`. */
  readonly key: string;
  readonly dtype: DType;
  /** Number of values. */
  readonly size: number;

  constructor(key: string, dtype: DType, size: number) {
    this.key = key;
    this.dtype = dtype;
    this.size = size;
  }
}

/** A view of a storage; offset and strides count values. */
export class PickledTensor {
  readonly storage: PickledStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(
    storage: PickledStorage,
    offset: number,
    { shape, strides }: { readonly shape: readonly number[]; readonly strides: readonly number[] },
  ) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/** The only things that a pickle may name; nothing of them is ever run. */
const storages: Readonly<Record<string, DType>> = {
  "torch.FloatStorage": "F32",
  "torch.DoubleStorage": "F64",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.LongStorage": "I64",
  "torch.IntStorage": "I32",
  "torch.ShortStorage": "I16",
  "torch.CharStorage": "I8",
  "torch.ByteStorage": "U8",
  "torch.BoolStorage": "BOOL",
};
const ORDERED_DICT = "collections.OrderedDict";
const TENSOR = "torch._utils._rebuild_tensor_v2";
const PARAMETER = "torch._utils._rebuild_parameter";
const allowed = new Set([...Object.keys(storages), ORDERED_DICT, TENSOR, PARAMETER]);

class Global {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** Stack mark. */
const MARK = Symbol("mark");
const MAX_DIMENSIONS = 32;
/** Each tensor takes some forty opcodes; a dictionary for every byte of a pickle would fill all memory. */
const MAX_OPCODES = 2_000_000;

/**
 * Runs a pickle that may hold dictionaries of tensors, and nothing else: a small machine with the opcodes that
 * `torch.save` writes (protocols 2 to 5), which calls no code, whatever the file names.
 *
 * Source: the opcode table of CPython's `pickletools`.
 *
 * @param location - For messages.
 * @returns The object on top of the stack at the end: Maps, arrays, numbers, texts, {@link PickledTensor}.
 * @throws `BasicError` `E_WEIGHTS_FORMAT`, by name where a class or function is asked for that tensors do not need.
 */
export function readPickle(bytes: Uint8Array, location: string): unknown {
  return new PickleMachine(bytes, location).run();
}

class PickleMachine {
  readonly #code: Cursor;
  readonly #location: string;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();

  constructor(bytes: Uint8Array, location: string) {
    this.#code = new Cursor(bytes, () => this.#invalid("its object ends too early"));
    this.#location = location;
  }

  run(): unknown {
    for (let count = 0; count < MAX_OPCODES; count++) {
      const opcode = this.#code.byte();
      if (opcode === 0x2e) return this.#pop();
      if (!(this.#pushes(opcode) || this.#collects(opcode) || this.#builds(opcode))) {
        throw this.#invalid(`opcode 0x${opcode.toString(16)} is none that tensors need`);
      }
    }
    throw this.#invalid(`it has more than ${MAX_OPCODES} opcodes, which no dictionary of tensors needs`);
  }

  /** Opcodes that push a value or note one. */
  #pushes(opcode: number): boolean {
    const simple = constants.get(opcode);
    if (simple !== undefined) return this.#push(simple());
    switch (opcode) {
      case 0x80: // PROTO
        this.#code.byte();
        return true;
      case 0x95: // FRAME
        this.#code.take(8);
        return true;
      case 0x4b: // BININT1
        return this.#push(this.#code.byte());
      case 0x4d: // BININT2
        return this.#push(this.#code.take(2).getUint16(0, true));
      case 0x4a: // BININT
        return this.#push(this.#code.take(4).getInt32(0, true));
      case 0x8a: // LONG1
        return this.#push(this.#code.long());
      case 0x47: // BINFLOAT
        return this.#push(this.#code.take(8).getFloat64(0));
      case 0x58: // BINUNICODE
        return this.#push(this.#code.text(this.#code.take(4).getUint32(0, true)));
      case 0x8c: // SHORT_BINUNICODE
        return this.#push(this.#code.text(this.#code.byte()));
      case 0x71: // BINPUT
        return this.#note(this.#code.byte());
      case 0x72: // LONG_BINPUT
        return this.#note(this.#code.take(4).getUint32(0, true));
      case 0x94: // MEMOIZE
        return this.#note(this.#memo.size);
      case 0x68: // BINGET
        return this.#recall(this.#code.byte());
      case 0x6a: // LONG_BINGET
        return this.#recall(this.#code.take(4).getUint32(0, true));
      default:
        return false;
    }
  }

  /** Opcodes of tuples, lists and dictionaries. */
  #collects(opcode: number): boolean {
    switch (opcode) {
      case 0x74: // TUPLE
        return this.#push(this.#popToMark());
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.#push(this.#popMany(opcode - 0x84));
      case 0x61: // APPEND
        return this.#append(this.#popMany(1));
      case 0x65: // APPENDS
        return this.#append(this.#popToMark());
      case 0x73: // SETITEM
        return this.#setItems(this.#popMany(2));
      case 0x75: // SETITEMS
        return this.#setItems(this.#popToMark());
      default:
        return false;
    }
  }

  /** Opcodes that would run code in Python. */
  #builds(opcode: number): boolean {
    switch (opcode) {
      case 0x63: // GLOBAL
        return this.#push(this.#global(this.#code.line(), this.#code.line()));
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = this.#popMany(2);
        // Only texts: lists may hold one list many times, and printing them would not end.
        if (typeof module !== "string" || typeof name !== "string") {
          throw this.#invalid("it names a class by something that is no text");
        }
        return this.#push(this.#global(module, name));
      }
      case 0x51: // BINPERSID
        return this.#push(this.#storage(this.#pop()));
      case 0x52: {
        // REDUCE
        const [callee, args] = this.#popMany(2);
        return this.#push(this.#call(callee, args));
      }
      case 0x62: // BUILD: attributes of a dictionary, such as versions of its layers
        this.#pop();
        this.#top(Map, "sets attributes of");
        return true;
      default:
        return false;
    }
  }

  #global(module: string, name: string): Global {
    const full = `${module}.${name}`;
    if (allowed.has(full)) return new Global(full);
    throw this.#invalid(
      `it asks for ${quote(full)}, and a file of tensors needs no such code. ` +
        "It may be malicious: never open it with pickle. Files with other objects must be saved again as a plain dictionary of tensors",
    );
  }

  /** `("storage", class, key, device, size)`. */
  #storage(id: unknown): PickledStorage {
    if (Array.isArray(id) && id.length === 5 && id[0] === "storage") {
      const [, kind, key, , size] = id as unknown[];
      const dtype = kind instanceof Global ? storages[kind.name] : undefined;
      if (dtype !== undefined && typeof key === "string" && isSize(size)) {
        return new PickledStorage(key, dtype, size);
      }
    }
    throw this.#invalid("it refers to a storage in a way that torch.save does not");
  }

  #call(callee: unknown, args: unknown): unknown {
    if (callee instanceof Global && Array.isArray(args)) {
      const values = args as readonly unknown[];
      if (callee.name === ORDERED_DICT && values.length === 0) return new Map();
      if (callee.name === PARAMETER && values[0] instanceof PickledTensor) return values[0];
      if (callee.name === TENSOR) return this.#tensor(values);
    }
    throw this.#invalid("it calls something with arguments that torch.save does not write");
  }

  /** `(storage, offset, shape, strides, requires_grad, hooks)`. */
  #tensor([storage, offset, shape, strides]: readonly unknown[]): PickledTensor {
    if (storage instanceof PickledStorage && isSize(offset) && isSizes(shape) && isSizes(strides)) {
      // Copies: the pickle may append to its own lists after this check.
      const layout = { shape: [...shape], strides: [...strides] };
      if (shape.length === strides.length) return new PickledTensor(storage, offset, layout);
    }
    throw this.#invalid("it describes a tensor in a way that torch.save does not");
  }

  #push(value: unknown): true {
    this.#stack.push(value);
    return true;
  }

  #pop(): unknown {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK) throw this.#invalid("it takes a value that is not there");
    return value;
  }

  #popMany(count: number): unknown[] {
    return Array.from({ length: count }, () => this.#pop()).reverse();
  }

  #popToMark(): unknown[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark === -1) throw this.#invalid("it takes values that are not there");
    return this.#stack.splice(mark).slice(1);
  }

  #top<T>(kind: new () => T, action: string): T {
    const value = this.#stack.at(-1);
    if (value instanceof kind) return value;
    throw this.#invalid(`it ${action} what is no ${kind === (Map as unknown) ? "dictionary" : "list"}`);
  }

  #append(values: readonly unknown[]): true {
    const list = this.#top<unknown[]>(Array, "appends to");
    for (const value of values) list.push(value);
    return true;
  }

  #setItems(values: readonly unknown[]): true {
    const map = this.#top<Map<unknown, unknown>>(Map, "puts items into");
    if (values.length % 2 === 1) throw this.#invalid("a key of a dictionary has no value");
    for (let i = 0; i < values.length; i += 2) map.set(values[i], values[i + 1]);
    return true;
  }

  #note(key: number): true {
    if (this.#stack.length === 0) throw this.#invalid("it notes a value that is not there");
    this.#memo.set(key, this.#stack.at(-1));
    return true;
  }

  #recall(key: number): true {
    if (!this.#memo.has(key)) throw this.#invalid("it recalls a value that was never noted");
    return this.#push(this.#memo.get(key));
  }

  #invalid(problem: string): BasicError {
    return new BasicError("E_WEIGHTS_FORMAT", `${this.#location} is not a file of tensors: ${problem}.`);
  }
}

/** Opcodes that push a constant. */
const constants: ReadonlyMap<number, () => unknown> = new Map<number, () => unknown>([
  [0x28, () => MARK],
  [0x7d, () => new Map()],
  [0x5d, () => []],
  [0x29, () => []],
  [0x88, () => true],
  [0x89, () => false],
  [0x4e, () => null],
]);

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= MAX_DIMENSIONS && value.every(isSize);
}
