/** Every function of NCCL that we call, as nccl.h declares it. */
export const NCCL_PROTOTYPES = {
  ncclGetVersion: "ncclResult_t ncclGetVersion(int *version)",
  ncclGetUniqueId: "ncclResult_t ncclGetUniqueId(ncclUniqueId *uniqueId)",
  ncclCommInitRank:
    "ncclResult_t ncclCommInitRank(ncclComm_t *comm, int nranks, ncclUniqueId commId, int rank)",
  ncclCommDestroy: "ncclResult_t ncclCommDestroy(ncclComm_t comm)",
  ncclCommAbort: "ncclResult_t ncclCommAbort(ncclComm_t comm)",
  ncclCommGetAsyncError: "ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *asyncError)",
  ncclGetErrorString: "const char * ncclGetErrorString(ncclResult_t result)",
  ncclGetLastError: "const char * ncclGetLastError(ncclComm_t comm)",
  ncclGroupStart: "ncclResult_t ncclGroupStart()",
  ncclGroupEnd: "ncclResult_t ncclGroupEnd()",
  ncclAllReduce:
    "ncclResult_t ncclAllReduce(const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream)",
  ncclBroadcast:
    "ncclResult_t ncclBroadcast(const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, int root, ncclComm_t comm, cudaStream_t stream)",
} as const;

/** A function of NCCL. */
export type NcclFunction = keyof typeof NCCL_PROTOTYPES;

/** Values of nccl.h that we use. */
export const NCCL = {
  ncclSuccess: 0,
  ncclUnhandledCudaError: 1,
  ncclSystemError: 2,
  ncclInternalError: 3,
  ncclInvalidArgument: 4,
  ncclInvalidUsage: 5,
  ncclRemoteError: 6,
  ncclInProgress: 7,
  ncclSum: 0,
  ncclInt32: 2,
  ncclFloat32: 7,
  ncclFloat64: 8,
  NCCL_UNIQUE_ID_BYTES: 128,
} as const;
