// SPDX-License-Identifier: Apache-2.0
// The loss of all samples in one step is that of a token a step; with a constant changed, running the rest behind it
// gives the bits of running everything, whatever ran before; and the model as it is has left no trace of all that.
#include "measure/forced_loss.h"

#include <math.h>

#include "base/random.h"
#include "model/variants.h"

#define TINY_BART "tests/golden/engine/tiny_bart"

enum { SAMPLES = 5, VOCABULARY = 96, MOST = 24 };

static Error err;

typedef struct Case {
    Arena arena;
    Kernels kernels;
    Pool *pool;
    const Model *model;
    Session *session;
    TokenSample samples[SAMPLES];
    int32_t start;
} Case;

static int32_t *ids_draw(Arena *arena, Random *random, size_t count) {
    int32_t *ids = arena_array(arena, count, sizeof *ids, &err);
    for (size_t i = 0; i < count; i++)
        ids[i] = (int32_t)random_below(random, VOCABULARY);
    return ids;
}

static void case_make(Case *c, int threads) {
    Random random = {3};
    *c = (Case){.start = -1};
    arena_init(&c->arena, 0);
    kernels_pick(cpu_detect(), &c->kernels);
    CHECK_OK(pool_new(threads, &c->pool, &err));
    CHECK_OK(model_open(&c->arena, source_path(&c->arena, TINY_BART), false, &c->model, &err));
    CHECK_OK(start_token_find(c->model, &c->start, &err));
    ForcedNeed need = {0};
    for (size_t i = 0; i < SAMPLES; i++) {
        size_t ids = 4 + random_below(&random, MOST - 4), labels = 1 + random_below(&random, MOST - 1);
        c->samples[i] =
            (TokenSample){ids_draw(&c->arena, &random, ids), ids_draw(&c->arena, &random, labels), ids, labels};
        forced_need_add(&need, &c->samples[i]);
    }
    SessionLimits limits = {.most_rows = need.rows, .most_source_tokens = need.source_tokens, .pages = need.pages};
    CHECK_OK(session_new(model_session(c->model), &c->kernels, c->pool, &limits, &c->session, &err));
}

static void case_done(Case *c) {
    session_free(c->session);
    pool_free(c->pool);
    arena_done(&c->arena);
}

static double whole_loss(ForcedLoss *forced) {
    double nats;
    CHECK_OK(forced_run(forced, SESSION_ENCODE, &err));
    CHECK_OK(forced_run(forced, SESSION_DECODE, &err));
    CHECK_OK(forced_sum(forced, &nats, &err));
    return nats;
}

// One token a step, each logit's share in double precision.
static double slow_loss(Case *c) {
    double nats = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        const TokenSample *sample = &c->samples[i];
        Source *source;
        int32_t slots[MOST];
        CHECK_OK(session_open(c->session, sample->id_count, sample->label_count, &source, &err));
        EncodeItem item = {.source = source, .ids = sample->ids, .tokens = sample->id_count, .keys = sample->id_count};
        CHECK_OK(session_encode(c->session, &item, 1, NULL, &err));
        for (size_t t = 0; t < sample->label_count; t++) {
            slots[t] = source_take_slot(source);
            DecodeRow row = {source, t ? sample->labels[t - 1] : c->start, (int32_t)t, slots, t + 1, true};
            float *logits;
            double sum = 0;
            CHECK_OK(session_decode(c->session, &row, 1, &logits, &err));
            for (size_t v = 0; v < VOCABULARY; v++)
                sum += exp((double)logits[v] - (double)logits[sample->labels[t]]);
            nats += log(sum);
        }
        session_close(c->session, source);
    }
    return nats;
}

START_TEST(all_at_once_is_one_by_one) {
    double losses[2];
    for (int threads = 1; threads < 3; threads++) {
        Case c;
        ForcedLoss forced;
        case_make(&c, threads);
        double slow = slow_loss(&c);
        CHECK_OK(forced_open(&c.arena, c.session, c.samples, SAMPLES, c.start, &forced, &err));
        losses[threads - 1] = whole_loss(&forced);
        ck_assert(fabs(losses[threads - 1] - slow) < 1e-4 * slow);
        ck_assert_uint_eq(session_free_pages(c.session), 0);
        forced_close(&forced);
        ck_assert(slow_loss(&c) == slow);
        case_done(&c);
    }
    ck_assert(losses[0] == losses[1]);
}
END_TEST

// The constant, louder.
static Constant louder(Arena *arena, const Constant *constant) {
    Constant other = *constant;
    size_t count;
    ck_assert(shape_elements(&constant->shape, &count) && constant->dtype == DTYPE_F32);
    float *values = arena_array(arena, count, sizeof *values, &err);
    for (size_t i = 0; i < count; i++)
        values[i] = 1.25f * ((const float *)constant->data)[i];
    other.data = values;
    other.mapped = false;
    return other;
}

// The base runs up to the step, the changed rest is run, and the base goes on.
static double rest_loss(Case *c, ForcedLoss *forced, SessionStage stage, size_t step, const SessionVariant *variant) {
    Plan *plan = session_plan(c->session, stage);
    const PlanStep *steps;
    size_t count = plan_steps(plan, &steps);
    double nats;
    if (stage == SESSION_DECODE)
        CHECK_OK(forced_run(forced, SESSION_ENCODE, &err));
    CHECK_OK(forced_begin(forced, stage, &err));
    session_run(c->session, stage, 0, step);
    void *state = arena_array(&c->arena, plan_state_bytes(plan, step), 1, &err);
    plan_state_save(plan, step, state);
    session_run(c->session, stage, step, count); // as the base does before it knows what to compare
    plan_state_restore(plan, step, state);
    session_variant_swap(variant);
    session_run(c->session, stage, step, count);
    if (stage == SESSION_ENCODE)
        CHECK_OK(forced_run(forced, SESSION_DECODE, &err));
    CHECK_OK(forced_sum(forced, &nats, &err));
    session_variant_swap(variant);
    plan_state_restore(plan, step, state);
    session_run(c->session, stage, step, count);
    return nats;
}

START_TEST(the_rest_is_as_the_whole) {
    Case c;
    ForcedLoss forced;
    size_t changed = 0;
    case_make(&c, 2);
    CHECK_OK(forced_open(&c.arena, c.session, c.samples, SAMPLES, c.start, &forced, &err));
    double base = whole_loss(&forced), nats;
    for (SessionStage stage = SESSION_ENCODE; stage <= SESSION_DECODE; stage++) {
        const PlanStep *steps;
        size_t count = plan_steps(session_plan(c.session, stage), &steps);
        for (size_t s = 0; s < count; s++) {
            const Node *node = steps[s].node;
            const Constant *weight = node->op == OP_LINEAR ? node->inputs[1].constant : NULL;
            if (!weight)
                continue;
            SessionVariant variant;
            Constant other = louder(&c.arena, weight);
            CHECK_OK(session_variant_make(&c.arena, c.session, &other, 1, &variant, &err));
            session_variant_swap(&variant);
            double whole = whole_loss(&forced);
            session_variant_swap(&variant);
            double rest = rest_loss(&c, &forced, stage, s, &variant);
            ck_assert_msg(rest == whole, "%s: %.17g, expected %.17g", weight->name, rest, whole);
            changed += whole != base;
            if (stage == SESSION_DECODE) { // the base went on where it was
                CHECK_OK(forced_sum(&forced, &nats, &err));
                ck_assert(nats == base);
            }
        }
    }
    ck_assert_uint_ge(changed, 26);
    ck_assert(whole_loss(&forced) == base);
    forced_close(&forced);
    case_done(&c);
}
END_TEST

START_TEST(sessions_that_are_too_small_are_told) {
    Case c;
    ForcedLoss forced;
    case_make(&c, 1);
    Source *source;
    CHECK_OK(session_open(c.session, 1, 1, &source, &err));
    CHECK_FAILS(forced_open(&c.arena, c.session, c.samples, SAMPLES, c.start, &forced, &err), ERR_LIMIT, "pages");
    forced_close(&forced);
    session_close(c.session, source);
    CHECK_OK(forced_open(&c.arena, c.session, c.samples, SAMPLES, c.start, &forced, &err));
    forced_close(&forced);
    case_done(&c);
}
END_TEST

TEST_MAIN("measure/forced_loss", all_at_once_is_one_by_one, the_rest_is_as_the_whole,
          sessions_that_are_too_small_are_told)
