// SPDX-License-Identifier: Apache-2.0
#include "pass/levels.h"

typedef enum LevelTarget { LEVEL_ANY, LEVEL_PLAIN, LEVEL_ORT, LEVEL_INT8, LEVEL_FP16 } LevelTarget;

static const struct {
    int level;
    LevelTarget target;
    const char *pass;
    int64_t opset;
} levels[] = {
#define LEVEL(level, target, pass) LEVEL_SINCE(level, target, pass, 0)
#define LEVEL_SINCE(level, target, pass, opset) {level, LEVEL_##target, #pass, opset},
#include "pass/levels.def"
#undef LEVEL
#undef LEVEL_SINCE
};

_Static_assert(sizeof levels / sizeof *levels <= LEVEL_MOST_PASSES, "room for all passes");

size_t level_passes(LevelWish wish, const char *ret_names[LEVEL_MOST_PASSES]) {
    const bool wanted[] = {[LEVEL_ANY] = true,
                           [LEVEL_PLAIN] = wish.only_onnx,
                           [LEVEL_ORT] = !wish.only_onnx,
                           [LEVEL_INT8] = wish.int8,
                           [LEVEL_FP16] = wish.fp16};
    size_t count = 0;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (levels[i].level <= wish.level && wanted[levels[i].target] && (!wish.opset || levels[i].opset <= wish.opset))
            ret_names[count++] = levels[i].pass;
    return count;
}
