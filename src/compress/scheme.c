// SPDX-License-Identifier: Apache-2.0
// Names of weight schemes, and rules by pattern.
#include "compress/scheme.h"

#include <string.h>

#include "pass/pattern.h"

static const struct {
    const char *name;
    DType dtype;
} schemes[STORE_COUNT] = {
    [STORE_AS_IS] = {"stored", DTYPE_COUNT}, [STORE_FP32] = {"fp32", DTYPE_F32},
    [STORE_FP16] = {"fp16", DTYPE_F16},      [STORE_BF16] = {"bf16", DTYPE_BF16},
    [STORE_INT8] = {"int8", DTYPE_I8},       [STORE_INT4] = {"int4", DTYPE_I32},
    [STORE_NF4] = {"nf4", DTYPE_U8},         [STORE_INT8_STATIC] = {"int8-static", DTYPE_I8},
};

const char *weight_scheme_name(WeightScheme scheme) {
    return schemes[scheme].name;
}

DType weight_scheme_dtype(WeightScheme scheme) {
    return schemes[scheme].dtype;
}

bool weight_scheme_packs(WeightScheme scheme) {
    return scheme >= STORE_INT8 && scheme < STORE_COUNT;
}

Status weight_scheme_parse(const char *option, const char *name, WeightScheme *ret_scheme, Error *err) {
    for (WeightScheme s = STORE_FP32; s < STORE_COUNT; s++)
        if (strcmp(schemes[s].name, name) == 0) {
            *ret_scheme = s;
            return OK;
        }
    return FAIL(err, ERR_USAGE, "%s: '%s' is no scheme, expected fp32, fp16, bf16, int8, int8-static, int4 or nf4",
                option, name);
}

Status keep_rule_parse(Arena *arena, const char *text, KeepRule *ret_rule, Error *err) {
    const char *equals = strrchr(text, '=');
    if (!equals || equals == text)
        return FAIL(err, ERR_USAGE, "--keep is '%s', expected PATTERN=SCHEME as in '*.decoder.*.fc2=fp16'", text);
    KeepRule rule = {0};
    TRY(weight_scheme_parse("--keep", equals + 1, &rule.scheme, err));
    TRY_NEW(rule.pattern = arena_copy_text(arena, text, (size_t)(equals - text), err));
    *ret_rule = rule;
    return OK;
}

char *module_name(Arena *arena, const char *tensor_name, Error *err) {
    const char *dot = strrchr(tensor_name, '.');
    return arena_copy_text(arena, tensor_name, dot ? (size_t)(dot - tensor_name) : strlen(tensor_name), err);
}

static Status matches_with_prefix(const char *pattern, const char *name, bool *ret_matches, Error *err) {
    TRY(pattern_matches(pattern, name, ret_matches, err));
    if (*ret_matches || strncmp(name, "model.", 6) != 0)
        return OK;
    return pattern_matches(pattern, name + 6, ret_matches, err);
}

Status keep_rule_matches(const KeepRule *rule, const char *tensor_name, bool *ret_matches, Error *err) {
    TRY(matches_with_prefix(rule->pattern, tensor_name, ret_matches, err));
    if (*ret_matches)
        return OK;
    Arena arena;
    arena_init(&arena, 0);
    char *module = module_name(&arena, tensor_name, err);
    Status status = module ? matches_with_prefix(rule->pattern, module, ret_matches, err) : err->status;
    arena_done(&arena);
    return status;
}
