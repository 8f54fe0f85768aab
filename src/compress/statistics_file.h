// SPDX-License-Identifier: Apache-2.0
// What calibration found out, as a safetensors file, so that scales can be chosen again without running the model. For
// each value that linears read, W being the first of their weights:
//
//     W.input.weights    U8: the names of all of them, one a line
//     W.input.rows       U64 [1]
//     W.input.extremes   F32 [5]: least, most, their moving averages, the histogram's range
//     W.input.histogram  U64 [bins]
//     W.input.absmax     F32 [columns]
//     W.input.sums       F64 [columns]
//     W.input.squares    F64 [columns]
//
// Gram matrices are not kept: they are larger than the model.
#pragma once

#include "base/file.h"
#include "measure/calibration.h"

MUST_CHECK Status statistics_write(Arena *arena, const char *path, const Calibration *calibration, Error *err);

// Points into `file`, which must outlive it (name begins messages). ERR_FORMAT names the tensor that is missing or not
// as above, and statistics that cannot be: not finite, of no rows.
MUST_CHECK Status statistics_read(Arena *arena, const char *name, Bytes file, Calibration *ret_calibration, Error *err);
