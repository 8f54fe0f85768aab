// SPDX-License-Identifier: Apache-2.0
// Encoder states and logits of small models against transformers (tools/goldens/model/make.py), with holes in the
// attention mask; and the same bits with and without passes, token by token or all at once, under every instruction
// set.
#include "model/golden_forward.h"

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
