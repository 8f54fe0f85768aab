// SPDX-License-Identifier: Apache-2.0
// Kernels over rows and elements: simd/rows.inc on this set's vectors.
#include "kernel/neon/v16.inc"

#include "kernel/simd/rows.inc"
