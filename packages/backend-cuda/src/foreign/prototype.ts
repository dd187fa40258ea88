/** A C function as its header declares it. */
export interface Prototype {
  /** The symbol that a library exports: with the suffix `_v2` where the header renames the function. */
  readonly symbol: string;
  readonly result: string;
  /** Types, in order. */
  readonly parameters: readonly string[];
}

/** Reads `CUresult cuMemGetInfo_v2(size_t *free, size_t *total)`. */
export function parsePrototype(declaration: string): Prototype {
  const match = /^(.+?)\s*\b(\w+)\((.*)\)$/.exec(declaration);
  const [, result, symbol, list] = match ?? [];
  if (result === undefined || symbol === undefined || list === undefined) {
    throw new TypeError(`Not a prototype: ${declaration}`);
  }
  const parameters = list === "" ? [] : list.split(",").map((parameter) => typeOf(parameter.trim()));
  return { symbol, result, parameters };
}

/** Without the parameter's name: `const char **` of `const char **pStr`. */
function typeOf(parameter: string): string {
  return parameter.replace(/\s*\b\w+$/, "").trim();
}

/** Integers and enumerations, by what passes them. */
const SCALARS: Readonly<Record<string, string>> = {
  int: "int32_t",
  "unsigned int": "uint32_t",
  "unsigned char": "uint8_t",
  "unsigned short": "uint16_t",
  size_t: "size_t",
  uint64_t: "uint64_t",
  int64_t: "int64_t",
  CUdeviceptr: "uint64_t",
  CUdevice: "int32_t",
};

/** Enumerations: as an int in C. */
const ENUMERATIONS: ReadonlySet<string> = new Set([
  "CUresult",
  "CUdevice_attribute",
  "CUfunction_attribute",
  "CUmemPool_attribute",
  "nvrtcResult",
  "cublasStatus_t",
  "cublasComputeType_t",
  "cudaDataType_t",
  "cudaDataType",
  "cublasLtMatmulDescAttributes_t",
  "cublasLtMatrixLayoutAttribute_t",
  "cublasLtMatmulPreferenceAttributes_t",
  "ncclResult_t",
  "ncclDataType_t",
  "ncclRedOp_t",
]);

/** Pointers to structures that only the library looks into. */
const HANDLES: ReadonlySet<string> = new Set([
  "CUcontext",
  "CUstream",
  "CUevent",
  "CUmodule",
  "CUfunction",
  "CUmemoryPool",
  "nvrtcProgram",
  "cublasLtHandle_t",
  "cublasLtMatmulDesc_t",
  "cublasLtMatrixLayout_t",
  "cublasLtMatmulPreference_t",
  "cudaStream_t",
  "ncclComm_t",
]);

/** Structures that are passed by value, and their bytes. */
export const STRUCTURES: Readonly<Record<string, number>> = { ncclUniqueId: 128 };

/**
 * The type of koffi that passes a C type, or the name of one of {@link STRUCTURES}. Addresses of memory are `void *`, which takes typed arrays in place.
 *
 * @throws TypeError for a type that is not listed here.
 */
export function koffiTypeOf(type: string): string {
  if (type === "const char *") return "const char *";
  if (type === "const char *const *") return "const char **";
  if (type.endsWith("*")) return "void *";
  const scalar = SCALARS[type];
  if (scalar !== undefined) return scalar;
  if (ENUMERATIONS.has(type)) return "int32_t";
  if (HANDLES.has(type)) return "uint64_t";
  if (Object.hasOwn(STRUCTURES, type)) return type;
  throw new TypeError(`No way to pass the C type "${type}".`);
}

const SMALL: Readonly<Record<string, number>> = { uint8_t: 1, uint16_t: 2 };

/** Bytes of a C type where pointers have eight. */
export function sizeOfType(type: string): number {
  const passed = koffiTypeOf(type);
  const structure = STRUCTURES[passed];
  if (structure !== undefined) return structure;
  if (passed.endsWith("*") || /64|size_t/.test(passed)) return 8;
  return SMALL[passed] ?? 4;
}
