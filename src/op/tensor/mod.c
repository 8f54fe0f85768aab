// SPDX-License-Identifier: Apache-2.0
// Mod: what a division leaves: with b's sign, or with fmod with a's; 0 where integers are divided by 0. {fmod=0 | 1}
#include <tgmath.h>

#include "op/tensor/binary.h"

static int64_t rest(int64_t x, int64_t y) {
    return y == 0 || y == -1 ? 0 : x % y;
}

static int64_t floor_rest(int64_t x, int64_t y) {
    int64_t r = rest(x, y);
    return r && (r < 0) != (y < 0) ? r + y : r;
}

static double floor_rest_real(double x, double y) {
    double r = fmod(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

BINARY_REAL_LOOPS(fmod, fmod(x, y))
BINARY_SIGNED_LOOPS(fmod, rest(x, y))
BINARY_REAL_LOOPS(mod, floor_rest_real(x, y))
BINARY_SIGNED_LOOPS(mod, floor_rest(x, y))
BINARY_UNSIGNED_LOOPS(mod, y ? x % y : 0)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary floors = {.loops = {LOOPS_NUMBER(mod)}};
    static const Binary truncates = {.loops = {LOOPS_REAL(fmod), LOOPS_SIGNED(fmod), LOOPS_UNSIGNED(mod)}};
    return binary_evaluate(run, node_int(run->node, "fmod", 0) ? &truncates : &floors, err);
}

const OpDef op_tensor_mod = {.infer = binary_infer, .evaluate = evaluate};
