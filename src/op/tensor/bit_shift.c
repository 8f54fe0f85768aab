// SPDX-License-Identifier: Apache-2.0
// BitShift: unsigned integers shifted, 0 where by their width or more. {direction=LEFT | RIGHT}
#include <string.h>

#include "op/tensor/binary.h"

#define SHIFT(x, operator, y) ((y) < sizeof(x) * 8 ? (uint64_t)(x) operator(y) : 0)
BINARY_UNSIGNED_LOOPS(left, SHIFT(x, <<, y))
BINARY_UNSIGNED_LOOPS(right, SHIFT(x, >>, y))

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary left = {.loops = {LOOPS_UNSIGNED(left)}}, right = {.loops = {LOOPS_UNSIGNED(right)}};
    const char *direction = node_text(run->node, "direction", "missing");
    if (strcmp(direction, "LEFT") != 0 && strcmp(direction, "RIGHT") != 0)
        return FAIL(err, ERR_FORMAT, "%s: direction is %s, expected LEFT or RIGHT", evaluate_name(run), direction);
    return binary_evaluate(run, strcmp(direction, "LEFT") == 0 ? &left : &right, err);
}

const OpDef op_tensor_bit_shift = {.infer = binary_infer, .evaluate = evaluate};
