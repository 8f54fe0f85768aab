// SPDX-License-Identifier: Apache-2.0
// A model whose hone.json recommends settings runs with them, unless others are asked for; levers that only it names
// are for greedy decoding.
#include "engine/runtime.h"
#include "stack/quantized.h"

enum { MOST_IDS = 64 };

static Error err;

static RuntimeSettings usual(void) {
    return (RuntimeSettings){.level = cpu_detect(), .threads = 1, .batch = 2};
}

START_TEST(what_is_followed) {
    RuntimeAdvice none = {0},
                  all = {.kv_told = true, .kv_kind = KV_S8, .lm_head_screen = true, .lookup_decoding = true};
    RuntimeSettings asked = usual(), s = runtime_follow(&asked, &none);
    ck_assert(s.kv_kind == KV_F32 && !s.lm_head_screen && !s.lookup_decoding && s.threads == 1 && s.batch == 2);
    s = runtime_follow(&asked, &all);
    ck_assert(s.kv_kind == KV_S8 && s.lm_head_screen && s.screen_greedy_only && s.lookup_decoding);
    asked.kv_said = true;
    s = runtime_follow(&asked, &all);
    ck_assert(s.kv_kind == KV_F32 && s.lm_head_screen);
    asked.kv_kind = KV_F16;
    ck_assert(runtime_follow(&asked, &all).kv_kind == KV_F16 && runtime_follow(&asked, &none).kv_kind == KV_F16);
    asked.lm_head_screen = true; // asked for beams too
    s = runtime_follow(&asked, &all);
    ck_assert(s.lm_head_screen && !s.screen_greedy_only && s.lookup_decoding);
    asked.plain = true;
    s = runtime_follow(&asked, &all);
    ck_assert(s.kv_kind == KV_F16 && s.lm_head_screen && !s.screen_greedy_only && !s.lookup_decoding);
}
END_TEST

typedef struct Heard {
    int32_t ids[MOST_IDS];
    size_t count;
    double score;
    EngineCounts counts;
    RuntimeSettings settings;
} Heard;

static Status hear(void *context, const Answer *answer, Error *error) {
    (void)error;
    Heard *heard = context;
    ck_assert_msg(!answer->error, "%s", answer->error ? answer->error->message : "");
    const Sequence *sequence = &answer->sequences[0];
    ck_assert_uint_le(sequence->count, MOST_IDS);
    memcpy(heard->ids, sequence->ids, sequence->count * sizeof *sequence->ids);
    heard->count = sequence->count;
    heard->score = sequence->score;
    return OK;
}

static Heard generate(const char *path, RuntimeSettings settings, int64_t beams, bool sample) {
    static const int32_t source[] = {0, 9, 40, 23, 12, 9, 40, 23, 61, 2};
    Runtime *runtime;
    Stream *stream;
    Heard heard = {.count = 0};
    CHECK_OK(runtime_new(path, &settings, &runtime, &err));
    GenerationOptions options = *model_generation(runtime->model);
    options.num_beams = beams;
    options.do_sample = sample;
    options.min_new_tokens = options.max_new_tokens = 24;
    CHECK_OK(stream_new(runtime->engine, 2, hear, &heard, &stream, &err));
    CHECK_OK(stream_push(stream, source, ARRAY_COUNT(source), &options, NULL, &err));
    CHECK_OK(stream_finish(stream, &err));
    stream_free(stream);
    heard.counts = engine_counts(runtime->engine);
    heard.settings = runtime->settings;
    runtime_free(runtime);
    return heard;
}

static bool same(const Heard *a, const Heard *b) {
    return a->count == b->count && a->score == b->score && memcmp(a->ids, b->ids, a->count * sizeof *a->ids) == 0;
}

START_TEST(runs_as_recommended) {
    Scratch scratch = scratch_make();
    char *plain = source_path(&scratch.arena, TINY_BART), *advised = variant_folder(&scratch, "a", TINY_BART, "{}");
    variant_link(&scratch, advised, "generation_config.json", TINY_BART "/generation_config.json");
    variant_link(&scratch, advised, "model.safetensors", TINY_BART "/model.safetensors");
    static const char text[] =
        "{\"runtime\": {\"kv_type\": \"int8\", \"lm_head_screen\": true, \"lookup_decoding\": true}}";
    CHECK_OK(file_replace(path_join(&scratch.arena, advised, "hone.json", &err), text, strlen(text), &err));
    RuntimeSettings settings = usual(), s8 = usual();
    s8.kv_kind = KV_S8;
    Heard as_f32 = generate(plain, settings, 1, false), as_s8 = generate(plain, s8, 1, false);
    ck_assert(as_f32.score != as_s8.score && !as_s8.counts.screened_rows && !as_s8.counts.guessed);
    Heard heard = generate(advised, settings, 1, false);
    ck_assert(same(&heard, &as_s8) && heard.settings.kv_kind == KV_S8);
    ck_assert(heard.counts.screened_rows && heard.counts.guessed);
    // beams and samples do without the levers
    for (int sample = 0; sample < 2; sample++) {
        int64_t beams = sample ? 1 : 3;
        Heard expected = generate(plain, s8, beams, sample);
        heard = generate(advised, settings, beams, sample);
        ck_assert(same(&heard, &expected));
        ck_assert(!heard.counts.screened_rows && !heard.counts.guessed);
    }
    settings.lm_head_screen = true; // asked for: beams try it
    heard = generate(advised, settings, 3, false);
    ck_assert(heard.counts.screened_rows && !heard.counts.guessed);
    settings = usual();
    settings.kv_said = true;
    heard = generate(advised, settings, 1, false);
    ck_assert(same(&heard, &as_f32) && heard.counts.screened_rows);
    settings = usual();
    settings.plain = true;
    heard = generate(advised, settings, 1, false);
    ck_assert(same(&heard, &as_f32) && !heard.counts.screened_rows && !heard.counts.guessed);
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("stack/advice", what_is_followed, runs_as_recommended)
