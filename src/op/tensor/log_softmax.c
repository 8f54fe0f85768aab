// SPDX-License-Identifier: Apache-2.0
// LogSoftmax: x less the logarithm of the sum of all e^x along an axis. {axis=-1}
#include <math.h>

#include "op/tensor/axis.h"

static void single(const Kernels *kernels, const float *x, size_t n, float *y) {
    kernels->log_softmax(x, n, y);
}

static void wide(const double *x, size_t n, double *y) {
    double max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (size_t i = 0; i < n; i++)
        sum += exp(x[i] - max);
    double normalizer = log(sum);
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] - max - normalizer;
}

static Status evaluate(Evaluation *run, Error *err) {
    return axis_map(run, &(AxisMap){single, wide}, err);
}

const OpDef op_tensor_log_softmax = {.infer = infer_first, .evaluate = evaluate};
