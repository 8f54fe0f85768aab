// SPDX-License-Identifier: Apache-2.0
// Config settings: sizes, fixed values, activation names.
#include "arch/settings.h"

#include <string.h>

Status setting_size(const ArchInput *input, const char *key, size_t most, size_t *ret, Error *err) {
    int64_t value = -1;
    TRY(json_get_int(input->config, input->config_name, key, 1, (int64_t)most, &value, err));
    if (value < 0)
        return FAIL(err, ERR_FORMAT, "%s lacks '%s', an integer from 1 to %zu", input->config_name, key, most);
    *ret = (size_t)value;
    return OK;
}

Status setting_fixed(const ArchInput *input, const FixedSetting *settings, size_t count, Error *err) {
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(input->config, settings[i].key);
        if (!value || json_is_null(value))
            continue;
        json_t *wanted = json_loads(settings[i].value, JSON_DECODE_ANY, NULL);
        if (!wanted)
            return FAIL(err, ERR_MEMORY, "no memory to compare setting '%s'", settings[i].key);
        bool same = json_equal(value, wanted) || (json_is_number(value) && json_is_number(wanted) &&
                                                  json_number_value(value) == json_number_value(wanted));
        json_decref(wanted);
        if (same)
            continue;
        char found[64] = "another value";
        size_t length = json_dumpb(value, found, sizeof found - 1, JSON_ENCODE_ANY | JSON_COMPACT);
        if (length && length < sizeof found)
            found[length] = '\0';
        else
            snprintf(found, sizeof found, "another value");
        return FAIL(err, ERR_UNSUPPORTED, "%s: setting '%s' is %s; only %s is supported", input->config_name,
                    settings[i].key, found, settings[i].value);
    }
    return OK;
}

Status setting_activation(const ArchInput *input, const char *key, const char *missing, const char **ret_name,
                          Error *err) {
    static const struct {
        const char *theirs, *ours;
    } names[] = {{"gelu", "gelu"},          {"gelu_python", "gelu"},    {"relu", "relu"},
                 {"gelu_new", "gelu_tanh"}, {"gelu_fast", "gelu_tanh"}, {"gelu_pytorch_tanh", "gelu_tanh"},
                 {"silu", "silu"},          {"swish", "silu"},          {"tanh", "tanh"},
                 {"linear", "none"}};
    const char *name = missing;
    TRY(json_get_text(input->config, input->config_name, key, &name, err));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i].theirs) == 0) {
            *ret_name = names[i].ours;
            return OK;
        }
    return FAIL(err, ERR_UNSUPPORTED,
                "%s: setting '%s' is '%s'; gelu, gelu_new, gelu_fast, relu, silu and tanh are supported",
                input->config_name, key, name);
}
