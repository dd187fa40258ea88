import { fetchWheels } from "@basic-mllm/cuda-emulator";
import { describe, expect, it } from "vitest";

import { NVRTC, NVRTC_PROTOTYPES } from "../src/compile/prototypes.js";
import { CUDA } from "../src/device/constants.js";
import { DRIVER_PROTOTYPES } from "../src/device/prototypes.js";
import { differencesFromHeader } from "./headers.js";

describe.each(["12.9", "13"] as const)("with the headers of CUDA %s", async (version) => {
  const { include } = await fetchWheels({ nvrtc: version });
  const driver = { header: "cuda.h", include, prototypes: DRIVER_PROTOTYPES, constants: CUDA };
  const compiler = { header: "nvrtc.h", include, prototypes: NVRTC_PROTOTYPES, constants: NVRTC };

  it.each([driver, compiler])("every function and constant of $header is as we call it", (declarations) => {
    expect(differencesFromHeader(declarations)).toEqual([]);
    const { header, prototypes, constants } = declarations;
    const counts = [prototypes, constants].map((list) => Object.keys(list).length);
    process.stdout.write(`${header} of CUDA ${version}: ${counts[0]} prototypes, ${counts[1]} constants\n`);
  });

  it("a wrong declaration would be seen", () => {
    const prototypes = {
      cuMemAlloc: "CUresult cuMemAlloc(CUdeviceptr *dptr, size_t bytesize)",
      cuMemFree: "CUresult cuMemFree_v2(CUdeviceptr *dptr)",
      cuMemcpyHtoDAsync:
        "CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr dstDevice, void *srcHost, size_t ByteCount, CUstream hStream)",
      cuStreamSynchronize: "CUresult cuStreamSynchronize(CUstream hStream, unsigned int flags)",
      cuNothing: "CUresult cuNothing(int device)",
    };
    const found = differencesFromHeader({ ...driver, prototypes, constants: { CUDA_ERROR_NO_DEVICE: 101 } });
    for (const name of [...Object.keys(prototypes), "CUDA_ERROR_NO_DEVICE"]) {
      expect(
        found.some((line) => line.includes(name)),
        `${name} in ${found.join("; ")}`,
      ).toBe(true);
    }
  });
});
