// What kernels call.
#pragma once
#include "../kernel_abi.h"

namespace emulator {

extern const ptx::Runtime SERVICES;

}  // namespace emulator
