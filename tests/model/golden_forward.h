// SPDX-License-Identifier: Apache-2.0
// Encoder states and logits of small models by transformers (tools/goldens/model/make.py):
// tests/golden/model/forward.json.
#pragma once

#include <math.h>

#include "model/variants.h"

typedef struct Golden {
    const json_t *json;
    size_t batch, length, target;
} Golden;

static inline Golden golden_of(const json_t *json) {
    const json_t *ids = json_object_get(json, "input_ids"), *decoder = json_object_get(json, "decoder_input_ids");
    return (Golden){json, json_array_size(ids), json_array_size(json_array_get(ids, 0)),
                    json_array_size(json_array_get(decoder, 0))};
}

static inline int32_t *row_of(Arena *arena, const Golden *golden, const char *key, size_t row) {
    Error err;
    const json_t *values = json_array_get(json_object_get(golden->json, key), row);
    int32_t *ids = arena_array(arena, json_array_size(values), sizeof *ids, &err);
    for (size_t i = 0; i < json_array_size(values); i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(values, i));
    return ids;
}

// The largest difference from the golden's values [first, first + count), relative to 1 or the value if larger.
static inline double distance(const Golden *golden, const char *key, size_t first, size_t count, const float *values) {
    const json_t *wanted = json_object_get(golden->json, key);
    ck_assert_uint_ge(json_array_size(wanted), first + count);
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        double want = json_number_value(json_array_get(wanted, first + i));
        double difference = fabs((double)values[i] - want) / fmax(1, fabs(want));
        worst = difference <= worst ? worst : difference; // NaN is worst
    }
    return worst;
}

// The golden's folder with its settings and its dtype, as a folder of its own.
static inline char *golden_folder(Scratch *scratch, const Golden *golden, const char *name) {
    Error err;
    const char *base = json_string_value(json_object_get(golden->json, "folder"));
    const char *dtype = json_string_value(json_object_get(golden->json, "dtype"));
    char *changes = json_dumps(json_object_get(golden->json, "config"), 0);
    char *folder = variant_folder(scratch, name, base, changes);
    free(changes);
    Bundle bundle = variant_tensors(&scratch->arena, base);
    for (size_t i = 0; i < bundle.count && strcmp(dtype, "f32") != 0; i++) {
        Tensor *t = &bundle.tensors[i];
        const float *from = t->data;
        size_t count = t->bytes / sizeof *from;
        uint16_t *to = arena_array(&scratch->arena, count, sizeof *to, &err);
        for (size_t e = 0; e < count; e++)
            to[e] = strcmp(dtype, "f16") == 0 ? f32_to_f16(from[e]) : f32_to_bf16(from[e]);
        t->dtype = strcmp(dtype, "f16") == 0 ? DTYPE_F16 : DTYPE_BF16;
        t->data = to;
    }
    variant_write(scratch, folder, "model.safetensors", bundle.tensors, bundle.count);
    return folder;
}
