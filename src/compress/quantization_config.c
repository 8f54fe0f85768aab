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
        form.int4 |= weight->packed == STORE_INT4 && linear;
        form.blocks |= weight->packed == STORE_NF4 && linear;
        form.tables |= weight->packed && !linear;
        form.sparse |= weight->sparse;
    }
    return form;
}

// Names of the modules of linears whose weights are packed as `scheme` (`inside`) or are not, each after a comma but
// for the first.
static Status modules_add(Arena *arena, const WeightList *list, WeightScheme scheme, bool inside, const char **comma,
                          Buffer *text, Error *err) {
    for (size_t i = 0; i < list->count; i++) {
        const Weight *weight = &list->items[i];
        bool is = scheme ? weight->packed == scheme : weight->packed != STORE_AS_IS;
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
        if (list->items[i].packed == scheme && (list->items[i].role == ROLE_LINEAR) == linear)
            return &list->items[i];
    return NULL;
}

static Status targets_add(Arena *arena, const WeightList *list, WeightScheme scheme, bool mixed, Buffer *text,
                          Error *err) {
    const char *comma = "";
    buffer_add_text(text, "\"targets\": [");
    if (mixed)
        TRY(modules_add(arena, list, scheme, true, &comma, text, err));
    else
        buffer_add_text(text, "\"Linear\"");
    buffer_add_text(text, "],\n        \"weights\": ");
    return OK;
}

static const char arguments[] = "{\"num_bits\": %d, \"type\": \"int\", \"symmetric\": true, \"strategy\": \"%s\", "
                                "\"dynamic\": %s}";

static Status group_int8(Arena *arena, const WeightList *list, bool mixed, Buffer *text, Error *err) {
    TRY(targets_add(arena, list, STORE_INT8, mixed, text, err));
    buffer_format(text, arguments, 8, "channel", "false");
    buffer_add_text(text, ",\n        \"input_activations\": ");
    buffer_format(text, arguments, 8, "token", "true");
    buffer_add_text(text, ",\n        \"output_activations\": null");
    buffer_add_text(text, mixed ? ",\n        \"format\": \"int-quantized\"" : "");
    return OK;
}

static Status group_int4(Arena *arena, const WeightList *list, bool mixed, Buffer *text, Error *err) {
    TRY(targets_add(arena, list, STORE_INT4, mixed, text, err));
    buffer_format(
        text,
        "{\"num_bits\": 4, \"type\": \"int\", \"symmetric\": true, \"strategy\": \"group\", \"group_size\": %zu, "
        "\"dynamic\": false},\n        \"input_activations\": null,\n        \"output_activations\": null",
        packed_as(list, STORE_INT4, true)->group);
    buffer_add_text(text, mixed ? ",\n        \"format\": \"pack-quantized\"" : "");
    return OK;
}

static Status compressed_tensors(Arena *arena, const WeightList *list, WeightForm form, Buffer *text, Error *err) {
    bool own = form.blocks || (!form.int8 && !form.int4), mixed = own || (form.int8 && form.int4);
    buffer_add_text(text, "{\n    \"config_groups\": {\n      \"group_0\": {\n        ");
    if (own)
        buffer_add_text(text, "\"targets\": [\"Linear\"],\n        \"hone_form\": true");
    if (!own && form.int8)
        TRY(group_int8(arena, list, mixed, text, err));
    if (!own && mixed)
        buffer_add_text(text, "\n      },\n      \"group_1\": {\n        ");
    if (!own && form.int4)
        TRY(group_int4(arena, list, mixed, text, err));
    if (!own && form.tables)
        buffer_add_text(text, ",\n        \"hone_tables\": true");
    buffer_format(
        text, "\n      }\n    },\n    \"format\": \"%s\",\n    \"global_compression_ratio\": null,\n    \"ignore\": ",
        mixed       ? "mixed-precision"
        : form.int8 ? "int-quantized"
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
