// SPDX-License-Identifier: Apache-2.0
// The screen's bound holds: every logit of the head lies within it of its score, for weights and states of every kind
// that could break it (aligned with the copy's own errors, one giant among zeros, denormals, +-127, norms near the
// limit), and what it finds is the head's argmax, with the head's bits. What cannot be proven is refused.
#include <math.h>

#include "base/random.h"
#include "check.h"
#include "exec/screen.h"
#include "tensor/quantize4.h"

enum { WORDS = 301, WIDTH = 96, STATES = 8 };

typedef enum Weights { NORMAL, EQUAL_PAIRS, SPIKES, DENORMAL, HUGE_NORM, HALVES, ZEROS, WEIGHTS_COUNT } Weights;
typedef enum Head { HEAD_F32, HEAD_F16, HEAD_BF16, HEAD_S8, HEAD_COUNT } Head;

typedef struct Fixture {
    Arena arena;
    Kernels kernels;
    Pool *pool;
    Graph *head;
    Plan *plan;
    Screen *screen;
    float values[WORDS * WIDTH]; // as the head means them
    uint16_t halves[WORDS * WIDTH];
    int8_t bytes[WORDS * WIDTH];
    float scales[WORDS], bias[WORDS];
    float states[STATES * WIDTH];
} Fixture;

static Fixture f;
static Error err;

static double normal(Random *random) {
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += random_unit(random);
    return sum;
}

static float weight_of(Weights weights, Random *random, size_t row, size_t column) {
    switch (weights) {
    case EQUAL_PAIRS: // neighbours are the same words: their logits tie
        return (float)sin((double)(row / 2 * WIDTH + column));
    case SPIKES:
        return column % 32 == row % 32 ? 1.0f : (float)(1e-3 * normal(random));
    case DENORMAL:
        return (float)(1e-40 * normal(random));
    case HUGE_NORM:
        return (float)(1e16 * normal(random));
    case HALVES: // as far from the copy's steps as can be
        return (float)(((double)random_below(random, 15) - 7 + 0.5) / 7.5);
    case ZEROS:
        return 0;
    default:
        return (float)(0.05 * normal(random));
    }
}

static void fill_weights(Head head, Weights weights, Random *random) {
    for (size_t row = 0; row < WORDS; row++) {
        f.scales[row] = (float)(0.001 * (1 + random_unit(random)));
        f.bias[row] = weights == NORMAL ? (float)normal(random) : 0;
        for (size_t c = 0; c < WIDTH; c++) {
            size_t i = row * WIDTH + c;
            float value = weight_of(weights, random, row, c);
            if (head == HEAD_S8) { // SPIKES, HALVES, HUGE_NORM: +-127
                int q = weights == NORMAL ? (int)random_below(random, 255) - 127
                        : value > 0       ? 127
                        : value < 0       ? -127
                                          : 0;
                f.bytes[i] = (int8_t)q;
                f.values[i] = (float)q * f.scales[row];
            } else if (head == HEAD_F16) {
                f.halves[i] = f32_to_f16(weights == HUGE_NORM ? value * 1e-12f : value);
                f.values[i] = f16_to_f32(f.halves[i]);
            } else if (head == HEAD_BF16) {
                f.halves[i] = f32_to_bf16(value);
                f.values[i] = bf16_to_f32(f.halves[i]);
            } else
                f.values[i] = value;
        }
    }
}

// States: at random; along a row; along a row's error in the copy, where Cauchy and Schwarz are equal; tiny; giant.
static void fill_states(Random *random) {
    for (size_t s = 0; s < STATES; s++) {
        size_t row = random_below(random, WORDS);
        uint8_t pairs[WIDTH / 2];
        float scales[WIDTH / SCREEN_GROUP], *x = f.states + s * WIDTH;
        CHECK_OK(quantize_int4_rows("w", DTYPE_F32, f.values + row * WIDTH, 1, WIDTH, SCREEN_GROUP, INT4_ABSMAX,
                                    DTYPE_F32, pairs, scales, &err));
        for (size_t c = 0; c < WIDTH; c++) {
            int code = int4_values[c % 2 ? pairs[c / 2] >> 4 : pairs[c / 2] & 15];
            double w = (double)f.values[row * WIDTH + c], copied = (double)code * (double)scales[c / SCREEN_GROUP];
            double noise = normal(random);
            double kinds[STATES] = {
                noise, w, w - copied, copied - w, 1e-39 * noise, 1e14 * noise, c == 5 ? 100 : 0, c % 2 ? 127 : -127};
            x[c] = (float)kinds[s];
        }
    }
}

static void head_build(Head head, bool with_bias) {
    CHECK_OK((f.head = graph_make(&f.arena, "head", &err)) ? OK : err.status);
    static const DType dtypes[HEAD_COUNT] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_I8};
    const void *data = head == HEAD_F32 ? (void *)f.values : head == HEAD_S8 ? (void *)f.bytes : (void *)f.halves;
    Dim rows;
    CHECK_OK(graph_add_dim(f.head, "P", &rows, &err));
    ValueType in = {DTYPE_F32, 2, {rows, {false, WIDTH}}}, out = {DTYPE_F32, 2, {rows, {false, WORDS}}};
    Node *input, *linear;
    NodeSpec first = {.op = OP_INPUT, .name = "states", .types = &in, .output_count = 1};
    CHECK_OK(graph_add_node(f.head, &first, &input, &err));
    Constant words = {.name = "words", .dtype = dtypes[head], .shape = {2, {WORDS, WIDTH}}, .data = data};
    Constant bias = {.name = "bias", .dtype = DTYPE_F32, .shape = {1, {WORDS}}, .data = f.bias};
    if (head == HEAD_S8) {
        words.scheme = SCHEME_INT8_ROW;
        words.scales = f.scales;
    }
    const Constant *w, *b = NULL;
    CHECK_OK(graph_add_constant(f.head, &words, &w, &err));
    if (with_bias)
        CHECK_OK(graph_add_constant(f.head, &bias, &b, &err));
    Value inputs[] = {value_of(input, 0), value_constant(w), value_constant(b)};
    NodeSpec second = {.op = OP_LINEAR, .name = "logits", .inputs = inputs, .input_count = with_bias ? 3 : 2};
    second.types = &out;
    second.output_count = 1;
    CHECK_OK(graph_add_node(f.head, &second, &linear, &err));
    Value result = value_of(linear, 0);
    CHECK_OK(graph_set_returns(f.head, &result, 1, &err));
}

static void fixture_make(CpuLevel level, int threads) {
    arena_init(&f.arena, 0);
    kernels_pick(level, &f.kernels);
    CHECK_OK(pool_new(threads, &f.pool, &err));
}

static void fixture_done(void) {
    arena_done(&f.arena);
    pool_free(f.pool);
}

static void plans_make(void) {
    const size_t most[] = {STATES};
    PlanSettings settings = {.kernels = &f.kernels, .pool = f.pool, .most_dims = most, .most_keys = 1};
    CHECK_OK(plan_make(&f.arena, f.head, &settings, &f.plan, &err));
    CHECK_OK(screen_make(&f.arena, f.head, &f.kernels, f.pool, STATES, &f.screen, &err));
}

// The head's own logits.
static const float *exact_logits(void) {
    size_t rows = STATES;
    memcpy(plan_input(f.plan, 0), f.states, sizeof f.states);
    StepContext step = {0};
    plan_run(f.plan, &rows, &step);
    return plan_return(f.plan, 0).data;
}

static void check_words(size_t row, const float *logits) {
    size_t best = f.kernels.argmax(logits, WORDS), count, found = 0;
    const ScreenWord *words = screen_words(f.screen, row, &count);
    ck_assert_uint_gt(count, 0);
    for (size_t i = 0; i < count; i++) {
        ck_assert(i == 0 || words[i].word > words[i - 1].word);
        ck_assert_msg(memcmp(&words[i].logit, &logits[words[i].word], sizeof(float)) == 0 ||
                          (words[i].logit == 0 && logits[words[i].word] == 0),
                      "word %d: %a, the head has %a", words[i].word, (double)words[i].logit,
                      (double)logits[words[i].word]);
        found += (size_t)words[i].word == best;
    }
    ck_assert_uint_eq(found, 1);
}

static size_t proven, unproven;
static double tightest;

static void check_states(const char *what) {
    static const size_t picks[STATES] = {0, 1, 2, 3, 4, 5, 6, 7};
    bool selected[STATES];
    const float *logits = exact_logits();
    screen_score(f.screen, f.states, picks, STATES);
    for (size_t s = 0; s < STATES; s++) {
        const float *scores = screen_row(f.screen, s);
        for (size_t w = 0; w < WORDS; w++) {
            double off = fabs((double)logits[s * WORDS + w] - (double)scores[w]),
                   bound = (double)screen_bound(f.screen, s, w);
            ck_assert_msg(off <= bound, "%s, state %zu, word %zu: off by %g, bound %g", what, s, w, off, bound);
            if (off > 1e-30 && off / bound > tightest)
                tightest = off / bound;
        }
        selected[s] = screen_select(f.screen, s, 1);
    }
    screen_rescore(f.screen);
    for (size_t s = 0; s < STATES; s++) {
        proven += selected[s];
        unproven += !selected[s];
        if (selected[s])
            check_words(s, logits + s * WORDS);
    }
}

START_TEST(test_bound) {
    Random random = {4};
    CpuLevel levels[] = {CPU_REF, cpu_detect()};
    for (int round = 0; round < 3; round++)
        for (Head head = 0; head < HEAD_COUNT; head++)
            for (Weights weights = 0; weights < WEIGHTS_COUNT; weights++)
                for (size_t l = 0; l < ARRAY_COUNT(levels); l++) {
                    char what[64];
                    fixture_make(levels[l], 1 + round);
                    fill_weights(head, weights, &random);
                    fill_states(&random);
                    head_build(head, round > 0);
                    plans_make();
                    snprintf(what, sizeof what, "head %d, weights %d, level %d", head, weights, levels[l]);
                    check_states(what);
                    fixture_done();
                }
    ck_assert_uint_gt(proven, 300); // both ways were taken, often
    ck_assert_uint_gt(unproven, 300);
    ck_assert_msg(tightest > 0.9, "the hardest states reach only %g of the bound", tightest);
}
END_TEST

// Words lowered by the caller are no candidates, and the best of the others is found; a row with none left is refused.
START_TEST(test_lowered_words) {
    Random random = {8};
    static const size_t picks[] = {1, 0};
    fixture_make(cpu_detect(), 2);
    fill_weights(HEAD_F32, NORMAL, &random);
    fill_states(&random);
    head_build(HEAD_F32, true);
    plans_make();
    const float *logits = exact_logits();
    float left[WORDS];
    memcpy(left, logits + WORDS, sizeof left); // state 1 is the first row
    screen_score(f.screen, f.states, picks, 2);
    for (size_t i = 0; i < 10; i++) {
        size_t best = f.kernels.argmax(left, WORDS);
        left[best] = screen_row(f.screen, 0)[best] = -INFINITY;
    }
    for (size_t w = 0; w < WORDS; w++)
        screen_row(f.screen, 1)[w] = -INFINITY;
    ck_assert(screen_select(f.screen, 0, 1));
    ck_assert(!screen_select(f.screen, 1, 1));
    screen_rescore(f.screen);
    size_t count, best = f.kernels.argmax(left, WORDS);
    const ScreenWord *words = screen_words(f.screen, 0, &count), *found = words;
    for (size_t i = 0; i < count; i++) {
        ck_assert(left[words[i].word] > -INFINITY);
        found = words[i].logit > found->logit ? &words[i] : found;
    }
    ck_assert_int_eq(found->word, (int32_t)best);
    screen_words(f.screen, 1, &count);
    ck_assert_uint_eq(count, 0);
    fixture_done();
}
END_TEST

// Nothing is said of states that are not numbers or so long that a product might overflow.
START_TEST(test_states_out_of_bounds) {
    static const float odd[] = {NAN, INFINITY, -INFINITY, 3e38f};
    static const size_t picks[] = {0};
    Random random = {8};
    fixture_make(cpu_detect(), 1);
    fill_weights(HEAD_F32, NORMAL, &random);
    fill_states(&random);
    head_build(HEAD_F32, false);
    plans_make();
    for (size_t i = 0; i < ARRAY_COUNT(odd); i++) {
        f.states[7] = odd[i];
        screen_score(f.screen, f.states, picks, 1);
        ck_assert(!screen_select(f.screen, 0, 1));
    }
    fixture_done();
}
END_TEST

static void check_refused(const char *sentence) {
    Screen *screen = NULL;
    ck_assert_int_eq(screen_make(&f.arena, f.head, &f.kernels, f.pool, 1, &screen, &err), ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.message, sentence), "%s", err.message);
    ck_assert_ptr_null(screen);
}

START_TEST(test_refused_heads) {
    Random random = {8};
    fixture_make(cpu_detect(), 1);
    fill_weights(HEAD_F32, NORMAL, &random);
    f.values[100] = NAN;
    head_build(HEAD_F32, false);
    check_refused("not finite");
    f.values[100] = 1e19f;
    check_refused("row 1 of the head 'words' is too large to be screened");
    f.values[100] = 0;
    f.bias[7] = -INFINITY;
    head_build(HEAD_F32, true);
    check_refused("element 7 of 'bias' is too large to be screened");
    Constant *words = f.head->constants[0];
    words->shape.dims[1] = 95;
    check_refused("a multiple of 32; it is 95");
    words->shape.dims[1] = WIDTH;
    words->scheme = SCHEME_Q4;
    words->dtype = DTYPE_U8;
    check_refused("4-bit weights already");
    Value result = value_of(f.head->nodes[0], 0);
    CHECK_OK(graph_set_returns(f.head, &result, 1, &err));
    check_refused("one product");
    fixture_done();
}
END_TEST

TEST_MAIN("exec/screen", test_bound, test_lowered_words, test_states_out_of_bounds, test_refused_heads)
