// SPDX-License-Identifier: Apache-2.0
// Recursive least squares over three terms.
#include "engine/cost.h"

#include <math.h>

// A step that many steps back counts for a third: FORGET^50.
static const double FORGET = 0.98;
// How little is known at the start, relative to terms of about 1 ms.
static const double UNKNOWN = 1e3;
// Least squares answer one wild piece (a page fault, another process) with wild terms: what lies further off than this
// many times its prediction is learned as if it lay there.
static const double WILD = 4;
enum { UNTRUSTED_PIECES = 8 };

void cost_init(Cost *cost) {
    *cost = (Cost){0};
    for (int i = 0; i < COST_TERMS; i++)
        cost->spread[i][i] = UNKNOWN;
}

static double at(const Cost *cost, const double *x) {
    double ns = 0;
    for (int i = 0; i < COST_TERMS; i++)
        ns += cost->terms[i] * x[i];
    return ns;
}

double cost_predict(const Cost *cost, CostInput input) {
    const double x[COST_TERMS] = {1, input.first, input.second};
    double ns = 0;
    for (int i = 0; i < COST_TERMS; i++)
        ns += fmax(cost->terms[i], 0) * x[i];
    return ns;
}

void cost_learn(Cost *cost, CostInput input, uint64_t spent_ns) {
    const double x[COST_TERMS] = {1, input.first, input.second};
    double ns = (double)spent_ns, predicted = cost_predict(cost, input);
    cost->predicted_ns += cost->seen ? predicted : ns;
    cost->actual_ns += ns;
    if (cost->seen >= UNTRUSTED_PIECES)
        ns = fmin(ns, WILD * predicted);
    double gain[COST_TERMS], power = FORGET, trace = 0;
    for (int i = 0; i < COST_TERMS; i++) {
        gain[i] = 0;
        for (int j = 0; j < COST_TERMS; j++)
            gain[i] += cost->spread[i][j] * x[j];
        power += gain[i] * x[i];
        trace += cost->spread[i][i];
    }
    double error = ns - at(cost, x);
    for (int i = 0; i < COST_TERMS; i++)
        cost->terms[i] += gain[i] / power * error;
    // Work that is always the same says nothing about the other directions: forgetting there would grow without end.
    double forget = trace < COST_TERMS * UNKNOWN ? FORGET : 1;
    for (int i = 0; i < COST_TERMS; i++)
        for (int j = 0; j < COST_TERMS; j++)
            cost->spread[i][j] = (cost->spread[i][j] - gain[i] * gain[j] / power) / forget;
    cost->seen++;
}

CostInput cost_encode_input(double tokens, double squares) {
    return (CostInput){tokens / 512, squares / (512.0 * 512.0)};
}

CostInput cost_decode_input(double rows, double keys) {
    return (CostInput){rows / 32, keys / 8192};
}
