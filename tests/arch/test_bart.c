// SPDX-License-Identifier: Apache-2.0
// The graphs that BART and mBART become, as text: tests/golden/arch/*.txt, written anew with HONE_BLESS=1. What they
// compute is held by tests/model/test_forward.c.
#include "graph/print.h"
#include "model/variants.h"
#include "op/op.h"

static Scratch scratch;
static Error err;

static void check_text(const char *folder, bool passes, const char *golden) {
    const Model *model = NULL;
    CHECK_OK(model_open(&scratch.arena, folder, passes, &model, &err));
    const SessionModel *session = model_session(model);
    const Graph *graphs[] = {session->encode, session->decode, session->head};
    Buffer text = {0};
    for (size_t i = 0; i < ARRAY_COUNT(graphs); i++) {
        CHECK_OK(op_verify(graphs[i], &err));
        graph_print(graphs[i], false, &text);
    }
    CHECK_OK(buffer_status(&text, &err));
    char *path = source_path(&scratch.arena, golden);
    if (getenv("HONE_BLESS"))
        CHECK_OK(file_replace(path, text.data, text.bytes, &err));
    Bytes wanted;
    CHECK_OK(file_map(&scratch.arena, path, &wanted, &err));
    ck_assert_msg(wanted.size == text.bytes && memcmp(wanted.data, text.data, text.bytes) == 0, "%s differs; now:\n%s",
                  golden, text.data);
    buffer_done(&text);
}

START_TEST(test_bart) {
    scratch = scratch_make();
    check_text(source_path(&scratch.arena, MICRO), false, "tests/golden/arch/bart.txt");
    check_text(source_path(&scratch.arena, MICRO), true, "tests/golden/arch/bart.passed.txt");
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_mbart) {
    scratch = scratch_make();
    const char *folder = source_path(&scratch.arena, "tests/golden/model/micro_mbart");
    check_text(folder, false, "tests/golden/arch/mbart.txt");
    check_text(folder, true, "tests/golden/arch/mbart.passed.txt");
    scratch_done(&scratch);
}
END_TEST

// Nodes remember where they came from, and info tells the config's sizes.
START_TEST(test_notes_and_sizes) {
    scratch = scratch_make();
    const Model *model = NULL;
    CHECK_OK(model_open(&scratch.arena, source_path(&scratch.arena, MICRO), false, &model, &err));
    const Graph *decode = model_session(model)->decode;
    bool found = false;
    for (size_t n = 0; n < decode->node_count; n++)
        found |= decode->nodes[n]->note && strcmp(decode->nodes[n]->note, "model.decoder.layers.0.fc1") == 0;
    ck_assert(found);
    const ModelInfo *info = model_info(model);
    ck_assert_str_eq(info->family, "bart");
    ck_assert_uint_eq(info->width, 20);
    ck_assert_uint_eq(info->vocabulary, 41);
    ck_assert_uint_eq(info->most_positions, 40);
    ck_assert_uint_eq(info->encoder_layers, 2);
    ck_assert_uint_eq(info->decoder_layers, 1);
    ck_assert_uint_eq(info->encoder_heads, 2);
    ck_assert_uint_eq(info->decoder_heads, 4);
    ck_assert_uint_eq(info->encoder_ffn, 24);
    ck_assert_uint_eq(info->decoder_ffn, 28);
    scratch_done(&scratch);
}
END_TEST

// Without tensors the graphs are the same but for data; a bias of the head may be there, so it is.
START_TEST(test_without_tensors) {
    scratch = scratch_make();
    const Model *model = NULL;
    CHECK_OK(model_open(&scratch.arena, source_path(&scratch.arena, MICRO), false, &model, &err));
    ArchInput input = {.config_name = "config.json"};
    json_t *config;
    CHECK_OK(json_read(&scratch.arena, source_path(&scratch.arena, MICRO "/config.json"), false, &config, &err));
    input.config = config;
    const Arch *arch = NULL;
    ArchModel empty;
    CHECK_OK(arch_find(&input, &arch, &err));
    CHECK_OK(arch->build(&scratch.arena, &input, &empty, &err));
    const Graph *with[] = {model_session(model)->encode, model_session(model)->decode},
                *without[] = {empty.encode, empty.decode};
    for (size_t i = 0; i < ARRAY_COUNT(with); i++) {
        Buffer wanted = {0}, found = {0};
        graph_print(with[i], false, &wanted);
        graph_print(without[i], false, &found);
        ck_assert(found.bytes == wanted.bytes && memcmp(found.data, wanted.data, found.bytes) == 0);
        for (size_t c = 0; c < without[i]->constant_count; c++)
            ck_assert(!constant_has_data(without[i]->constants[c]));
        buffer_done(&wanted);
        buffer_done(&found);
    }
    ck_assert(graph_find_constant(empty.head, "final_logits_bias"));
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("arch/bart", test_bart, test_mbart, test_notes_and_sizes, test_without_tensors)
