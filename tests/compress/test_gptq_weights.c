// SPDX-License-Identifier: Apache-2.0
// GPTQ from the front door: data in, a folder out whose linears are no worse than rounded to nearest, the same on any
// number of threads; wrong usage.
#define TINY_SCALE 4
#include "compress/gptq_weights.h"
#include "compress/quantize.h"
#include "compress/tiny.h"
#include "compress/verify.h"

static Error err;

static char *model_write(Scratch *scratch) {
    Tiny tiny = tiny_make(&scratch->arena);
    return tiny_write(&tiny, scratch, "model", tiny_config_scaled(&scratch->arena));
}

// 60 rows of ten ids and eight labels.
static char *data_write(Scratch *scratch) {
    Buffer text = {0};
    unsigned seed = 5;
    for (int row = 0; row < 60; row++) {
        for (int side = 0; side < 2; side++) {
            buffer_add_text(&text, side ? "],\"label_ids\":[" : "{\"input_ids\":[");
            for (int i = 0; i < (side ? 8 : 10); i++) {
                seed = seed * 1664525u + 1013904223u;
                buffer_format(&text, "%s%u", i ? "," : "", 3 + (seed >> 8) % (TINY_WORDS - 3));
            }
        }
        buffer_add_text(&text, "]}\n");
    }
    char *path = scratch_path(scratch, "data.jsonl");
    CHECK_OK(file_replace(path, text.data, text.bytes, &err));
    buffer_done(&text);
    return path;
}

static Bytes weights_of(Scratch *scratch, const char *folder) {
    Bytes file;
    CHECK_OK(file_map(&scratch->arena, path_join(&scratch->arena, folder, "model.safetensors", &err), &file, &err));
    return file;
}

START_TEST(test_linears_keep_their_outputs) {
    Scratch scratch = scratch_make();
    char *model = model_write(&scratch), *data = data_write(&scratch), *plain = scratch_path(&scratch, "plain");
    QuantizeOptions options = {.scheme = STORE_INT4, .group = 32, .int4_rule = INT4_FIT};
    RewriteReport report;
    CHECK_OK(quantize_model(&scratch.arena, model, plain, &options, &report, &err));
    for (size_t i = 0; i < report.weights.count; i++)
        ck_assert_ptr_null(report.weights.items[i].gptq);
    options.gptq = true;
    options.statics.data = data;
    Bytes first = {0};
    for (int threads = 1; threads <= 3; threads++) {
        char *out = scratch_path(&scratch, threads == 1 ? "one" : threads == 2 ? "two" : "three");
        options.statics.threads = threads;
        CHECK_OK(quantize_model(&scratch.arena, model, out, &options, &report, &err));
        size_t linears = 0;
        for (size_t i = 0; i < report.weights.count; i++) {
            const Weight *weight = &report.weights.items[i];
            ck_assert((weight->gptq != NULL) == (weight->role == ROLE_LINEAR));
            if (!weight->gptq)
                continue;
            ck_assert_msg(weight->gptq->error < 0.95 * weight->gptq->plain_error, "%s: %g of %g", weight->name,
                          weight->gptq->error, weight->gptq->plain_error);
            ck_assert_uint_gt(weight->gptq->samples, 300);
            linears++;
        }
        ck_assert_uint_eq(linears, 16);
        VerifyReport verified;
        CHECK_OK(verify_model(&scratch.arena, out, &(WorkMeter){0}, &verified, &err));
        ck_assert_uint_eq(verified.problems.count, 0);
        Bytes file = weights_of(&scratch, out), other = weights_of(&scratch, plain);
        ck_assert(file.size == other.size && memcmp(file.data, other.data, file.size) != 0);
        ck_assert(threads == 1 || (file.size == first.size && memcmp(file.data, first.data, file.size) == 0));
        first = threads == 1 ? file : first;
    }
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_wrong_usage) {
    Scratch scratch = scratch_make();
    char *model = model_write(&scratch), *data = data_write(&scratch), *out = scratch_path(&scratch, "out");
    QuantizeOptions options = {.scheme = STORE_INT4, .group = 32, .gptq = true};
    RewriteReport report;
    CHECK_FAILS(quantize_model(&scratch.arena, model, out, &options, &report, &err), ERR_USAGE,
                "--gptq needs --calibration DATA");
    options = (QuantizeOptions){.scheme = STORE_FP16, .gptq = true, .statics = {.data = data}};
    CHECK_FAILS(quantize_model(&scratch.arena, model, out, &options, &report, &err), ERR_USAGE,
                "--gptq is for int4, and no linear becomes that");
    options = (QuantizeOptions){.scheme = STORE_INT4, .group = 32, .gptq = true};
    options.statics = (StaticOptions){.data = data, .smooth = 0.5};
    CHECK_FAILS(quantize_model(&scratch.arena, model, out, &options, &report, &err), ERR_USAGE,
                "what else is told of calibration is for int8-static");
    CHECK_OK(file_replace(data, "{\"input_ids\":[4,5],\"label_ids\":[6]}\n", 36, &err));
    options = (QuantizeOptions){.scheme = STORE_INT4, .group = 32, .gptq = true, .statics = {.data = data}};
    CHECK_FAILS(quantize_model(&scratch.arena, model, out, &options, &report, &err), ERR_FORMAT, "is too short");
    ck_assert_int_eq(path_kind(out), PATH_NONE);
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("compress/gptq_weights", test_linears_keep_their_outputs, test_wrong_usage)
