// SPDX-License-Identifier: Apache-2.0
#include "pass/levels.h"

typedef enum LevelTarget { LEVEL_ANY, LEVEL_ORT } LevelTarget;

static const struct {
    int level;
    LevelTarget target;
    const char *pass;
} levels[] = {
#define LEVEL(level, target, pass) {level, LEVEL_##target, #pass},
#include "pass/levels.def"
#undef LEVEL
};

_Static_assert(sizeof levels / sizeof *levels <= LEVEL_MOST_PASSES, "room for all passes");

size_t level_passes(int level, bool only_onnx, const char *ret_names[LEVEL_MOST_PASSES]) {
    size_t count = 0;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (levels[i].level <= level && !(only_onnx && levels[i].target == LEVEL_ORT))
            ret_names[count++] = levels[i].pass;
    return count;
}
