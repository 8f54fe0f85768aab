// SPDX-License-Identifier: Apache-2.0
// Accepting compressed-tensors' W8A8 (dynamic, static) and W4A16, bitsandbytes' 8 and 4 bits, and GPTQ's layout
// in 4 bits; refusing the rest by name.
#include "model/quantization.h"

#include <string.h>

// One of config_groups' argument objects: all named members must have these values.
typedef struct Expected {
    const char *key, *value;
} Expected;

static Status check_arguments(const json_t *arguments, const char *name, const char *which, const Expected *expected,
                              size_t count, Error *err) {
    for (size_t i = 0; i < count; i++) {
        const json_t *found = json_object_get(arguments, expected[i].key);
        char text[96] = "absent";
        if (found) {
            size_t length = json_dumpb(found, text, sizeof text - 1, JSON_ENCODE_ANY | JSON_COMPACT);
            if (!length)
                return FAIL(err, ERR_MEMORY, "%s: no memory to compare %s.%s", name, which, expected[i].key);
            text[length < sizeof text ? length : sizeof text - 1] = '\0';
        }
        if (strcmp(text, expected[i].value) != 0)
            return FAIL(err, ERR_UNSUPPORTED, "%s: quantization_config has %s.%s = %s; only %s is supported", name,
                        which, expected[i].key, text, expected[i].value);
    }
    return OK;
}

// Parts of a scheme that would change the arithmetic and must be absent, null or empty.
static Status check_empty(const json_t *object, const char *name, const char *key, Error *err) {
    const json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value) || (json_is_object(value) && json_object_size(value) == 0))
        return OK;
    return FAIL(err, ERR_UNSUPPORTED, "%s: quantization_config has %s; only null is supported", name, key);
}

// W4A16: the tensors tell the group, or one scale a row, and zero points and the order of columns where there are some.
static Status check_four_bits(const json_t *group, const json_t *arguments, const char *name, Error *err) {
    static const Expected weights[] = {{"num_bits", "4"}, {"type", "\"int\""}};
    const char *strategy = "";
    TRY(check_arguments(arguments, name, "weights", weights, sizeof weights / sizeof *weights, err));
    TRY(json_get_text(arguments, name, "strategy", &strategy, err));
    if (strcmp(strategy, "group") != 0 && strcmp(strategy, "channel") != 0)
        return FAIL(
            err, ERR_UNSUPPORTED,
            "%s: quantization_config has weights.strategy = \"%s\"; only \"group\" and \"channel\" are supported", name,
            strategy);
    TRY(check_empty(group, name, "output_activations", err));
    return check_empty(group, name, "input_activations", err);
}

static Status check_group(const json_t *group, const char *name, Error *err) {
    static const Expected weights[] = {
        {"num_bits", "8"}, {"type", "\"int\""}, {"symmetric", "true"}, {"strategy", "\"channel\""}};
    const json_t *arguments = json_object_get(group, "weights");
    if (json_is_true(json_object_get(group, "hone_form"))) // the tensors tell all
        return OK;
    if (json_integer_value(json_object_get(arguments, "num_bits")) == 4)
        return check_four_bits(group, arguments, name, err);
    static const Expected by_token[] = {
        {"num_bits", "8"}, {"type", "\"int\""}, {"symmetric", "true"}, {"strategy", "\"token\""}, {"dynamic", "true"}};
    static const Expected by_tensor[] = {{"num_bits", "8"},
                                         {"type", "\"int\""},
                                         {"symmetric", "true"},
                                         {"strategy", "\"tensor\""},
                                         {"dynamic", "false"}};
    const json_t *activations = json_object_get(group, "input_activations");
    bool is_static = json_is_false(json_object_get(activations, "dynamic")); // the tensors have the scales then
    TRY(check_arguments(arguments, name, "weights", weights, sizeof weights / sizeof *weights, err));
    TRY(check_empty(group, name, "output_activations", err));
    return check_arguments(activations, name, "input_activations", is_static ? by_tensor : by_token,
                           sizeof by_token / sizeof *by_token, err);
}

// bitsandbytes: 8 bits, or 4 in nf4 or fp4, whatever the arithmetic it would do with them.
static Status check_bitsandbytes(const json_t *quantization, const char *name, const char **ret, Error *err) {
    bool four = false, eight = false;
    const char *type = "fp4"; // bitsandbytes' own default
    TRY(json_get_bool(quantization, name, "load_in_4bit", &four, err));
    TRY(json_get_bool(quantization, name, "_load_in_4bit", &four, err));
    TRY(json_get_text(quantization, name, "bnb_4bit_quant_type", &type, err));
    TRY(json_get_bool(quantization, name, "load_in_8bit", &eight, err));
    TRY(json_get_bool(quantization, name, "_load_in_8bit", &eight, err));
    if (four == eight)
        return FAIL(err, ERR_UNSUPPORTED, "%s: bitsandbytes needs one of load_in_4bit and load_in_8bit", name);
    if (eight) {
        *ret = "bitsandbytes int8";
        return OK;
    }
    if (strcmp(type, "nf4") != 0 && strcmp(type, "fp4") != 0)
        return FAIL(err, ERR_UNSUPPORTED, "%s: bnb_4bit_quant_type '%s' is not supported; nf4 and fp4 are", name, type);
    *ret = strcmp(type, "nf4") == 0 ? "bitsandbytes nf4" : "bitsandbytes fp4";
    return OK;
}

// GPTQ's layout in 4 bits: the tensors tell groups, zero points and the order of columns.
static Status check_gptq(const json_t *quantization, const char *name, const char **ret, Error *err) {
    int64_t bits = 4;
    const char *form = "gptq";
    TRY(json_get_int(quantization, name, "bits", 1, 64, &bits, err));
    TRY(json_get_text(quantization, name, "checkpoint_format", &form, err));
    if (bits != 4)
        return FAIL(err, ERR_UNSUPPORTED, "%s: gptq in %lld bits is not supported; 4 is", name, (long long)bits);
    if (strcmp(form, "gptq") != 0 && strcmp(form, "gptq_v2") != 0)
        return FAIL(err, ERR_UNSUPPORTED, "%s: checkpoint_format '%s' is not supported; gptq and gptq_v2 are", name,
                    form);
    *ret = strcmp(form, "gptq") == 0 ? "gptq" : "gptq_v2";
    return OK;
}

int quantization_zero_shift(const char *quantization) {
    return strcmp(quantization, "gptq_v2") != 0;
}

// What compressed-tensors calls its form, and for one in several forms or in hone's own what it is.
static Status format_check(const char *format, const char *name, const char **ret, Error *err) {
    static const char *const formats[][2] = {{"int-quantized", "compressed-tensors int-quantized"},
                                             {"pack-quantized", "compressed-tensors pack-quantized"},
                                             {"mixed-precision", "compressed-tensors mixed-precision"}};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(format, formats[i][0]) == 0) {
            *ret = formats[i][1];
            return OK;
        }
    return FAIL(err, ERR_UNSUPPORTED,
                "%s: compressed-tensors format '%s' is not supported; int-quantized, pack-quantized and "
                "mixed-precision are",
                name, format);
}

Status quantization_check(const json_t *config, const char *name, const char **ret, Error *err) {
    const json_t *quantization = json_object_get(config, "quantization_config");
    if (!quantization || json_is_null(quantization)) {
        *ret = "none";
        return OK;
    }
    if (!json_is_object(quantization)) {
        char text[64];
        size_t length = json_dumpb(quantization, text, sizeof text, JSON_ENCODE_ANY | JSON_COMPACT);
        return FAIL(err, ERR_FORMAT, "%s: 'quantization_config' is %.*s, expected an object", name,
                    (int)(length < sizeof text ? length : sizeof text), text);
    }
    const char *method = "", *format = "";
    TRY(json_get_text(quantization, name, "quant_method", &method, err));
    TRY(json_get_text(quantization, name, "format", &format, err));
    if (strcmp(method, "bitsandbytes") == 0)
        return check_bitsandbytes(quantization, name, ret, err);
    if (strcmp(method, "gptq") == 0)
        return check_gptq(quantization, name, ret, err);
    if (strcmp(method, "compressed-tensors") != 0)
        return FAIL(err, ERR_UNSUPPORTED,
                    "%s: quantization method '%s' is not supported; compressed-tensors, bitsandbytes and gptq are",
                    name, method);
    const char *form = NULL;
    TRY(format_check(format, name, &form, err));
    TRY(check_empty(quantization, name, "kv_cache_scheme", err));
    TRY(check_empty(quantization, name, "transform_config", err));
    const json_t *sparsity = json_object_get(quantization, "sparsity_config");
    const char *sparse = json_string_value(json_object_get(sparsity, "format"));
    if (!sparse || strcmp(sparse, "dense") != 0)
        TRY(check_empty(quantization, name, "sparsity_config", err));
    const char *group_name;
    json_t *group;
    json_object_foreach(json_object_get(quantization, "config_groups"), group_name, group)
        TRY(check_group(group, name, err));
    *ret = form;
    return OK;
}
