// SPDX-License-Identifier: Apache-2.0
// Choosing the family by config.json.
#include "arch/arch.h"

#include <string.h>

#define ARCH(type, symbol, prefix) extern const Arch arch_##symbol;
#include "arch/arch.def"
#undef ARCH

static const struct {
    const char *model_type, *class_prefix;
    const Arch *arch;
} families[] = {
#define ARCH(type, symbol, prefix) {type, prefix, &arch_##symbol},
#include "arch/arch.def"
#undef ARCH
};

enum { FAMILY_COUNT = sizeof families / sizeof *families };

// Only the generating class has the head that the graphs end in.
static Status check_class(const ArchInput *input, const char *prefix, Error *err) {
    const json_t *classes = json_object_get(input->config, "architectures");
    const char *name = json_string_value(json_array_get(classes, 0));
    if (!name)
        return OK;
    size_t length = strlen(prefix);
    bool known = strncmp(name, prefix, length) == 0 &&
                 (strcmp(name + length, "ForConditionalGeneration") == 0 || strcmp(name + length, "Model") == 0);
    if (!known)
        return FAIL(err, ERR_UNSUPPORTED, "%s: architecture '%s' is not supported; %sForConditionalGeneration is",
                    input->config_name, name, prefix);
    return OK;
}

Status arch_find(const ArchInput *input, const Arch **ret_arch, Error *err) {
    const char *type = NULL;
    TRY(json_get_text(input->config, input->config_name, "model_type", &type, err));
    const char *name = json_string_value(json_array_get(json_object_get(input->config, "architectures"), 0));
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        bool matches = type ? strcmp(type, families[i].model_type) == 0
                            : name && strncmp(name, families[i].class_prefix, strlen(families[i].class_prefix)) == 0;
        if (!matches)
            continue;
        TRY(check_class(input, families[i].class_prefix, err));
        *ret_arch = families[i].arch;
        return OK;
    }
    if (!type && !name)
        return FAIL(err, ERR_FORMAT, "%s has neither 'model_type' nor 'architectures': the model's family is unknown",
                    input->config_name);
    return FAIL(err, ERR_UNSUPPORTED, "%s: model type '%s' is not supported; bart and mbart are", input->config_name,
                type ? type : name);
}
