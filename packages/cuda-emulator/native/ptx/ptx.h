// Everything that translated kernels use.
#pragma once
#include "../kernel_abi.h"

#include <cmath>
#include <cstring>
#include <limits>

#define PTX_INLINE static inline __attribute__((always_inline))

#include "values.h"
#include "integer.h"
#include "float.h"
#include "half.h"
#include "memory.h"
#include "warp.h"
#include "matrix.h"
