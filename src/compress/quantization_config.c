// SPDX-License-Identifier: Apache-2.0
// quantization_config, as the loaders of each form read it.
#include <string.h>

#include "compress/config_text.h"

WeightForm config_form(const WeightList *list) {
    WeightForm form = {.described = true};
    for (size_t i = 0; i < list->count; i++) {
        const Weight *weight = &list->items[i];
        bool linear = weight->role == ROLE_LINEAR;
        form.int8 |= weight->packed == STORE_INT8 && linear;
        form.int8_static |= weight->static_input;
        form.factors |= weight->input_factors != NULL;
        form.int4 |= weight->packed == STORE_INT4 && linear;
        form.blocks |= weight->packed == STORE_NF4 && linear;
        form.tables |= weight->packed && !linear;
        form.sparse |= weight->sparse;
    }
    return form;
}

static bool stored_as(const Weight *weight, WeightScheme scheme) {
    return (weight->static_input ? STORE_INT8_STATIC : weight->packed) == scheme;
}

// Names of the modules of linears whose weights are packed as `scheme` (`inside`) or are not, each after a comma but
// for the first.
static Status modules_add(Arena *arena, const WeightList *list, WeightScheme scheme, bool inside, const char **comma,
                          Buffer *text, Error *err) {
    for (size_t i = 0; i < list->count; i++) {
        const Weight *weight = &list->items[i];
        bool is = scheme ? stored_as(weight, scheme) : weight->packed != STORE_AS_IS;
        if (weight->role != ROLE_LINEAR || is != inside)
            continue;
        char *module = module_name(arena, weight->name, err);
        TRY_NEW(module);
        buffer_add_text(text, *comma);
        buffer_add_json(text, module, strlen(module));
        *comma = ", ";
    }
    return OK;
}

// Linears that are real, and the head, whose weight is a table's or a role of its own.
static Status left_alone(Arena *arena, const WeightList *list, Buffer *text, Error *err) {
    const char *comma = "";
    buffer_add_char(text, '[');
    TRY(modules_add(arena, list, STORE_AS_IS, false, &comma, text, err));
    buffer_format(text, "%s\"lm_head\"]", comma);
    return OK;
}

static const Weight *packed_as(const WeightList *list, WeightScheme scheme, bool linear) {
    for (size_t i = 0; i < list->count; i++)
        if (stored_as(&list->items[i], scheme) && (list->items[i].role == ROLE_LINEAR) == linear)
            return &list->items[i];
    return NULL;
}

// What of a group's text depends on the others: `named` groups list their modules, in one of several formats or not.
typedef struct Groups {
    bool named, mixed;
    size_t count; // begun so far; the next one, or the end of all, closes the last
} Groups;

static Status group_begin(Arena *arena, const WeightList *list, WeightScheme scheme, Groups *groups, Buffer *text,
                          Error *err) {
    const char *comma = "";
    buffer_format(text, "%s\n      \"group_%zu\": {\n        \"targets\": [", groups->count ? "\n      }," : "",
                  groups->count);
    groups->count++;
    if (groups->named)
        TRY(modules_add(arena, list, scheme, true, &comma, text, err));
    else
        buffer_add_text(text, "\"Linear\"");
    buffer_add_char(text, ']');
    return OK;
}

static const char arguments[] = "{\"num_bits\": %d, \"type\": \"int\", \"symmetric\": true, \"strategy\": \"%s\", "
                                "\"dynamic\": %s}";

// `scheme` STORE_INT8 or STORE_INT8_STATIC; nothing where no linear is stored so. The same below.
static Status group_int8(Arena *arena, const WeightList *list, WeightScheme scheme, Groups *groups, Buffer *text,
                         Error *err) {
    if (!packed_as(list, scheme, true))
        return OK;
    bool is_static = scheme == STORE_INT8_STATIC;
    TRY(group_begin(arena, list, scheme, groups, text, err));
    buffer_add_text(text, ",\n        \"weights\": ");
    buffer_format(text, arguments, 8, "channel", "false");
    buffer_add_text(text, ",\n        \"input_activations\": ");
    buffer_format(text, arguments, 8, is_static ? "tensor" : "token", is_static ? "false" : "true");
    buffer_add_text(text, ",\n        \"output_activations\": null");
    buffer_add_text(text, groups->mixed ? ",\n        \"format\": \"int-quantized\"" : "");
    return OK;
}

static Status group_int4(Arena *arena, const WeightList *list, Groups *groups, Buffer *text, Error *err) {
    const Weight *first = packed_as(list, STORE_INT4, true);
    if (!first)
        return OK;
    TRY(group_begin(arena, list, STORE_INT4, groups, text, err));
    buffer_format(text,
                  ",\n        \"weights\": {\"num_bits\": 4, \"type\": \"int\", \"symmetric\": true, \"strategy\": "
                  "\"group\", \"group_size\": %zu, \"dynamic\": false},\n        \"input_activations\": null,\n        "
                  "\"output_activations\": null",
                  first->group);
    buffer_add_text(text, groups->mixed ? ",\n        \"format\": \"pack-quantized\"" : "");
    return OK;
}

static Status compressed_tensors(Arena *arena, const WeightList *list, WeightForm form, Buffer *text, Error *err) {
    bool own = form.blocks || (!form.int8 && !form.int4);
    Groups groups = {.mixed = own || (form.int8 && form.int4)};
    groups.named = groups.mixed || (form.int8_static && packed_as(list, STORE_INT8, true));
    buffer_add_text(text, "{\n    \"config_groups\": {");
    if (own) {
        buffer_add_text(text,
                        "\n      \"group_0\": {\n        \"targets\": [\"Linear\"],\n        \"hone_form\": true");
    } else {
        TRY(group_int8(arena, list, STORE_INT8, &groups, text, err));
        TRY(group_int8(arena, list, STORE_INT8_STATIC, &groups, text, err));
        TRY(group_int4(arena, list, &groups, text, err));
    }
    if (!own && form.tables)
        buffer_add_text(text, ",\n        \"hone_tables\": true");
    if (!own && form.factors)
        buffer_add_text(text, ",\n        \"hone_factors\": true");
    buffer_format(
        text, "\n      }\n    },\n    \"format\": \"%s\",\n    \"global_compression_ratio\": null,\n    \"ignore\": ",
        groups.mixed ? "mixed-precision"
        : form.int8  ? "int-quantized"
                     : "pack-quantized");
    TRY(left_alone(arena, list, text, err));
    buffer_add_text(text, ",\n    \"kv_cache_scheme\": null,\n    \"quant_method\": \"compressed-tensors\",\n"
                          "    \"quantization_status\": \"compressed\"\n  }");
    return OK;
}

// The modules are written out: what the loader guesses without them depends on its version.
static Status bitsandbytes(Arena *arena, const WeightList *list, Buffer *text, Error *err) {
    buffer_format(text,
                  "{\n    \"bnb_4bit_compute_dtype\": \"float16\",\n    \"bnb_4bit_quant_storage\": \"uint8\",\n"
                  "    \"bnb_4bit_quant_type\": \"nf4\",\n    \"bnb_4bit_use_double_quant\": %s,\n"
                  "    \"llm_int8_enable_fp32_cpu_offload\": false,\n    \"llm_int8_has_fp16_weight\": false,\n"
                  "    \"llm_int8_skip_modules\": ",
                  packed_as(list, STORE_NF4, true)->nested ? "true" : "false");
    TRY(left_alone(arena, list, text, err));
    buffer_add_text(text, ",\n    \"llm_int8_threshold\": 6.0,\n    \"load_in_4bit\": true,\n    \"load_in_8bit\": "
                          "false,\n    \"quant_method\": \"bitsandbytes\"\n  }");
    return OK;
}

Status quantization_config_add(Arena *arena, const WeightList *list, Buffer *text, Error *err) {
    WeightForm form = config_form(list);
    if (!form.int8 && !form.int4 && !form.blocks && !form.tables && !form.sparse)
        return OK;
    bool others = packed_as(list, STORE_INT8, false) || packed_as(list, STORE_INT4, false);
    if (form.blocks && !form.int8 && !form.int4 && !others)
        TRY(bitsandbytes(arena, list, text, err));
    else
        TRY(compressed_tensors(arena, list, form, text, err));
    return buffer_status(text, err);
}
