/** Every function of NVRTC that we call, as nvrtc.h declares it. */
export const NVRTC_PROTOTYPES = {
  nvrtcVersion: "nvrtcResult nvrtcVersion(int *major, int *minor)",
  nvrtcGetNumSupportedArchs: "nvrtcResult nvrtcGetNumSupportedArchs(int *numArchs)",
  nvrtcGetSupportedArchs: "nvrtcResult nvrtcGetSupportedArchs(int *supportedArchs)",
  nvrtcGetErrorString: "const char *nvrtcGetErrorString(nvrtcResult result)",
  nvrtcCreateProgram:
    "nvrtcResult nvrtcCreateProgram(nvrtcProgram *prog, const char *src, const char *name, int numHeaders, const char *const *headers, const char *const *includeNames)",
  nvrtcDestroyProgram: "nvrtcResult nvrtcDestroyProgram(nvrtcProgram *prog)",
  nvrtcCompileProgram:
    "nvrtcResult nvrtcCompileProgram(nvrtcProgram prog, int numOptions, const char *const *options)",
  nvrtcGetProgramLogSize: "nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram prog, size_t *logSizeRet)",
  nvrtcGetProgramLog: "nvrtcResult nvrtcGetProgramLog(nvrtcProgram prog, char *log)",
  nvrtcGetPTXSize: "nvrtcResult nvrtcGetPTXSize(nvrtcProgram prog, size_t *ptxSizeRet)",
  nvrtcGetPTX: "nvrtcResult nvrtcGetPTX(nvrtcProgram prog, char *ptx)",
  nvrtcGetCUBINSize: "nvrtcResult nvrtcGetCUBINSize(nvrtcProgram prog, size_t *cubinSizeRet)",
  nvrtcGetCUBIN: "nvrtcResult nvrtcGetCUBIN(nvrtcProgram prog, char *cubin)",
} as const;

/** Values of nvrtc.h's enumerations that we use. */
export const NVRTC = { NVRTC_SUCCESS: 0, NVRTC_ERROR_COMPILATION: 6 } as const;
