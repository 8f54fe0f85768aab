// SPDX-License-Identifier: Apache-2.0
// Hardmax: 1 at the first largest element along an axis, 0 elsewhere. {axis=-1}
#include <string.h>

#include "op/tensor/axis.h"

static void single(const Kernels *kernels, const float *x, size_t n, float *y) {
    size_t best = kernels->argmax(x, n);
    memset(y, 0, n * sizeof *y);
    y[best] = 1;
}

static void wide(const double *x, size_t n, double *y) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best] || (x[i] != x[i] && x[best] == x[best]))
            best = i;
    memset(y, 0, n * sizeof *y);
    y[best] = 1;
}

static Status evaluate(Evaluation *run, Error *err) {
    return axis_map(run, &(AxisMap){single, wide}, err);
}

const OpDef op_tensor_hardmax = {.infer = infer_first, .evaluate = evaluate};
