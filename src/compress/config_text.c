// SPDX-License-Identifier: Apache-2.0
// Editing JSON as text keeps numbers, order and layout as their writer had them. The text has been parsed before, and
// the result is parsed again.
#include "compress/config_text.h"

#include <string.h>

#include "base/json.h"
#include "base/json_text.h"

void config_text_set(Bytes text, const char *key, const char *value, Buffer *ret_text) {
    size_t start = json_text_start(text), end = start + 1;
    bool first = true;
    JsonWalk walk = json_walk_begin(text, start);
    for (JsonItem item; json_walk_next(&walk, &item); first = false) {
        end = item.end;
        if (!json_item_is(text, &item, key))
            continue;
        buffer_add(ret_text, text.data, item.start);
        buffer_add_text(ret_text, value);
        buffer_add(ret_text, text.data + end, text.size - end);
        return;
    }
    bool adjoins = end + 1 == walk.at; // the closing bracket
    buffer_add(ret_text, text.data, end);
    buffer_format(ret_text, "%s\n  \"%s\": %s%s", first ? "" : ",", key, value, adjoins ? "\n" : "");
    buffer_add(ret_text, text.data + end, text.size - end);
}

// The dtype that transformers should load with; NULL: what the source says.
static const char *torch_dtype(const WeightList *list, WeightScheme scheme) {
    if (scheme != STORE_FP16 && scheme != STORE_BF16)
        return NULL;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].dtype == DTYPE_F32)
            return "\"float32\"";
    return scheme == STORE_FP16 ? "\"float16\"" : "\"bfloat16\"";
}

Status config_text_edit(Arena *arena, const ConfigEdit *edit, Bytes *text, Error *err) {
    Buffer out = {0};
    config_text_set(*text, edit->key, edit->value, &out);
    Status status = buffer_status(&out, err);
    char *copy = status == OK ? arena_copy_text(arena, out.data, out.bytes, err) : NULL;
    if (copy)
        *text = (Bytes){(const unsigned char *)copy, out.bytes};
    else if (status == OK)
        status = err->status;
    buffer_done(&out);
    return status;
}

Status config_text_make(Arena *arena, const char *name, Bytes text, const WeightList *list, WeightScheme scheme,
                        Bytes *ret_text, Error *err) {
    json_t *config;
    TRY(json_parse(arena, name, text, true, &config, err));
    if (!json_is_object(config))
        return FAIL(err, ERR_FORMAT, "%s: expected a JSON object", name);
    const char *dtype = torch_dtype(list, scheme);
    bool old = json_object_get(config, "torch_dtype"), new = json_object_get(config, "dtype");
    if (dtype && (old || !new))
        TRY(config_text_edit(arena, &(ConfigEdit){"torch_dtype", dtype}, &text, err));
    if (dtype && new)
        TRY(config_text_edit(arena, &(ConfigEdit){"dtype", dtype}, &text, err));
    Buffer quantization = {0};
    Status status = quantization_config_add(arena, list, &quantization, err);
    if (status == OK && quantization.bytes)
        status = config_text_edit(arena, &(ConfigEdit){"quantization_config", quantization.data}, &text, err);
    buffer_done(&quantization);
    TRY(status);
    TRY(json_parse(arena, name, text, true, &config, err));
    *ret_text = text;
    return OK;
}
