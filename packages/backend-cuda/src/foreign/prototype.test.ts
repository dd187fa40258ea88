import { describe, expect, it } from "vitest";
import { NVRTC_PROTOTYPES } from "../compile/prototypes.js";
import { CUBLASLT_PROTOTYPES } from "../cublaslt/prototypes.js";
import { DRIVER_PROTOTYPES } from "../device/prototypes.js";
import { NCCL_PROTOTYPES } from "../nccl/prototypes.js";
import { koffiTypeOf, parsePrototype, sizeOfType } from "./prototype.js";

describe("a prototype", () => {
  it("is read as its header has it", () => {
    expect(parsePrototype("CUresult cuMemHostAlloc(void **pp, size_t bytesize, unsigned int Flags)")).toEqual(
      {
        symbol: "cuMemHostAlloc",
        result: "CUresult",
        parameters: ["void **", "size_t", "unsigned int"],
      },
    );
    expect(parsePrototype("const char *nvrtcGetErrorString(nvrtcResult result)")).toMatchObject({
      symbol: "nvrtcGetErrorString",
      result: "const char *",
    });
    expect(parsePrototype("size_t cublasLtGetVersion()").parameters).toEqual([]);
  });

  it("is refused where it is none", () => {
    expect(() => parsePrototype("cuInit")).toThrowErrorMatchingInlineSnapshot(
      `[TypeError: Not a prototype: cuInit]`,
    );
  });

  it.each([
    ["CUdeviceptr", "uint64_t", 8],
    ["CUstream", "uint64_t", 8],
    ["CUdevice_attribute", "int32_t", 4],
    ["unsigned int", "uint32_t", 4],
    ["unsigned char", "uint8_t", 1],
    ["unsigned short", "uint16_t", 2],
    ["const char *", "const char *", 8],
    ["const char *const *", "const char **", 8],
    ["const char **", "void *", 8],
    ["void *", "void *", 8],
    ["ncclUniqueId *", "void *", 8],
    ["ncclUniqueId", "ncclUniqueId", 128],
  ])("passes %s as %s", (type, passed, size) => {
    expect(koffiTypeOf(type)).toBe(passed);
    expect(sizeOfType(type)).toBe(size);
  });

  it("has only types that are known", () => {
    expect(() => koffiTypeOf("struct cudaUUID")).toThrowErrorMatchingInlineSnapshot(
      `[TypeError: No way to pass the C type "struct cudaUUID".]`,
    );
    for (const prototypes of [DRIVER_PROTOTYPES, NVRTC_PROTOTYPES, CUBLASLT_PROTOTYPES, NCCL_PROTOTYPES]) {
      for (const [name, declaration] of Object.entries(prototypes)) {
        const { symbol, result, parameters } = parsePrototype(declaration);
        expect(symbol.replace(/_v\d$/, "")).toBe(name);
        for (const type of [result, ...parameters]) expect(koffiTypeOf(type)).not.toBe("");
      }
    }
  });
});
