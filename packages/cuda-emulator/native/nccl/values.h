// Values of nccl.h, by its names. A script compares them with the header.
#pragma once

namespace nccl {

enum Result : int {
  ncclSuccess = 0,
  ncclUnhandledCudaError = 1,
  ncclSystemError = 2,
  ncclInternalError = 3,
  ncclInvalidArgument = 4,
  ncclInvalidUsage = 5,
  ncclRemoteError = 6,
  ncclInProgress = 7
};

enum DataType : int { ncclInt32 = 2, ncclFloat32 = 7, ncclFloat64 = 8 };

enum Reduction : int { ncclSum = 0 };

}  // namespace nccl
