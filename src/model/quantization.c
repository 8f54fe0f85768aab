// SPDX-License-Identifier: Apache-2.0
// Accepting compressed-tensors' W8A8 with dynamic activations; refusing the rest by name.
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

static Status check_group(const json_t *group, const char *name, Error *err) {
    static const Expected weights[] = {
        {"num_bits", "8"}, {"type", "\"int\""}, {"symmetric", "true"}, {"strategy", "\"channel\""}};
    static const Expected activations[] = {
        {"num_bits", "8"}, {"type", "\"int\""}, {"symmetric", "true"}, {"strategy", "\"token\""}, {"dynamic", "true"}};
    TRY(check_arguments(json_object_get(group, "weights"), name, "weights", weights, sizeof weights / sizeof *weights,
                        err));
    TRY(check_empty(group, name, "output_activations", err));
    return check_arguments(json_object_get(group, "input_activations"), name, "input_activations", activations,
                           sizeof activations / sizeof *activations, err);
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
    if (strcmp(method, "compressed-tensors") != 0)
        return FAIL(err, ERR_UNSUPPORTED,
                    "%s: quantization method '%s' is not supported; compressed-tensors int-quantized is", name, method);
    if (strcmp(format, "int-quantized") != 0)
        return FAIL(err, ERR_UNSUPPORTED, "%s: compressed-tensors format '%s' is not supported; int-quantized is", name,
                    format);
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
    *ret = "compressed-tensors int-quantized";
    return OK;
}
