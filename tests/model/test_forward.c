// SPDX-License-Identifier: Apache-2.0
// Encoder states and logits of small models against transformers (tools/goldens/model/make.py), with holes in the
// attention mask; and the same bits with and without passes, token by token or all at once, under every instruction
// set.
#include <math.h>

#include "model/variants.h"

typedef struct Golden {
    const json_t *json;
    size_t batch, length, target;
} Golden;

static Golden golden_of(const json_t *json) {
    const json_t *ids = json_object_get(json, "input_ids"), *decoder = json_object_get(json, "decoder_input_ids");
    return (Golden){json, json_array_size(ids), json_array_size(json_array_get(ids, 0)),
                    json_array_size(json_array_get(decoder, 0))};
}

static int32_t *row_of(Arena *arena, const Golden *golden, const char *key, size_t row) {
    Error err;
    const json_t *values = json_array_get(json_object_get(golden->json, key), row);
    int32_t *ids = arena_array(arena, json_array_size(values), sizeof *ids, &err);
    for (size_t i = 0; i < json_array_size(values); i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(values, i));
    return ids;
}

// The largest difference from the golden's values [first, first + count), relative to 1 or the value if larger.
static double distance(const Golden *golden, const char *key, size_t first, size_t count, const float *values) {
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
static char *golden_folder(Scratch *scratch, const Golden *golden, const char *name) {
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

static void golden_check(Scratch *scratch, const Golden *golden, const char *name) {
    const char *folder = golden_folder(scratch, golden, name);
    Error err;
    const Model *model = NULL, *plain = NULL;
    CHECK_OK(model_open(&scratch->arena, folder, true, &model, &err));
    CHECK_OK(model_open(&scratch->arena, folder, false, &plain, &err));
    char *title = json_dumps(json_object_get(golden->json, "config"), 0);
    for (size_t b = 0; b < golden->batch; b++) {
        Item item = {row_of(&scratch->arena, golden, "input_ids", b),
                     row_of(&scratch->arena, golden, "attention_mask", b),
                     row_of(&scratch->arena, golden, "decoder_input_ids", b), golden->length, golden->target};
        Outputs out = item_run(&scratch->arena, model, cpu_detect(), &item, false);
        double states = distance(golden, "states", b * out.state_count, out.state_count, out.states);
        double logits = distance(golden, "logits", b * out.logit_count, out.logit_count, out.logits);
        ck_assert_msg(states < 1e-5 && logits < 1e-5, "%s %s %s: states differ by %g, logits by %g",
                      json_string_value(json_object_get(golden->json, "folder")), title,
                      json_string_value(json_object_get(golden->json, "dtype")), states, logits);
        Outputs others[] = {item_run(&scratch->arena, plain, cpu_detect(), &item, false),
                            item_run(&scratch->arena, model, cpu_detect(), &item, true),
                            item_run(&scratch->arena, model, CPU_REF, &item, false)};
        for (size_t i = 0; i < ARRAY_COUNT(others); i++)
            ck_assert_msg(outputs_equal(&others[i], &out), "%s %s: other bits in run %zu", name, title, i);
    }
    free(title);
}

START_TEST(test_goldens) {
    Scratch scratch = scratch_make();
    const json_t *goldens = json_of(&scratch.arena, source_path(&scratch.arena, "tests/golden/model"), "forward.json");
    ck_assert_uint_ge(json_array_size(goldens), 16);
    for (size_t i = 0; i < json_array_size(goldens); i++) {
        Golden golden = golden_of(json_array_get(goldens, i));
        char name[32];
        snprintf(name, sizeof name, "golden-%zu", i);
        golden_check(&scratch, &golden, name);
    }
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("model/forward", test_goldens)
