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
            text[length < sizeof text ? length : sizeof text - 1] = '\0';
        }
        if (strcmp(text, expected[i].value) != 0)
            return FAIL(err, ERR_UNSUPPORTED, "%s: quantization_config has %s.%s = %s; only %s is supported", name,
                        which, expected[i].key, text, expected[i].value);
    }
    return OK;
}

static Status check_group(const json_t *group, const char *name, Error *err) {
    static const Expected weights[] = {
        {"num_bits", "8"}, {"type", "\"int\""}, {"symmetric", "true"}, {"strategy", "\"channel\""}};
    static const Expected activations[] = {
        {"num_bits", "8"}, {"type", "\"int\""}, {"symmetric", "true"}, {"strategy", "\"token\""}, {"dynamic", "true"}};
    TRY(check_arguments(json_object_get(group, "weights"), name, "weights", weights, sizeof weights / sizeof *weights,
                        err));
    return check_arguments(json_object_get(group, "input_activations"), name, "input_activations", activations,
                           sizeof activations / sizeof *activations, err);
}

Status quantization_check(const json_t *config, const char *name, const char **ret, Error *err) {
    const json_t *quantization = json_object_get(config, "quantization_config");
    if (!json_is_object(quantization)) {
        *ret = "none";
        return OK;
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
    const char *key;
    json_t *group;
    json_object_foreach((json_t *)quantization, key, group) {
        if (strcmp(key, "config_groups") != 0)
            continue;
        const char *group_name;
        json_t *one;
        json_object_foreach(group, group_name, one) TRY(check_group(one, name, err));
    }
    *ret = "compressed-tensors int-quantized";
    return OK;
}
