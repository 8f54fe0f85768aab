// SPDX-License-Identifier: Apache-2.0
// The definition itself: the reference set against models in double precision written here from the formulas, within
// bounds that follow from float arithmetic. (test_sets.c holds all other sets to the reference bit by bit.)
#include "cases.h"

enum { MAX = 1200 };
#define EPSILON 0x1p-24 // half a unit in the last place of 1

static Kernels reference(void) {
    Kernels ref;
    kernels_pick(CPU_REF, &ref);
    return ref;
}

static void check_close(const char *what, size_t at, double got, double exact, double bound) {
    if (!(fabs(got - exact) <= bound))
        ck_abort_msg("%s[%zu] is %.9g, exactly %.9g, off by %.3g, bound %.3g", what, at, got, exact, fabs(got - exact),
                     bound);
}

static double exact_activation(Activation activation, double x) {
    switch (activation) {
    case ACTIVATION_RELU:
        return x > 0.0 ? x : 0.0;
    case ACTIVATION_GELU:
        return x / 2.0 * erfc(-x / sqrt(2.0));
    case ACTIVATION_GELU_TANH:
        return x / 2.0 * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case ACTIVATION_SILU:
        return x / (1.0 + exp(-x));
    case ACTIVATION_TANH:
        return tanh(x);
    default:
        return x;
    }
}

// The gelus end in x/2 (1 + f) with f near -1 for negative x, so theirs is an absolute error relative to |x|.
START_TEST(test_activations) {
    Kernels ref = reference();
    for (Activation activation = 0; activation < ACTIVATION_COUNT; activation++)
        for (double value = -30.0; value <= 30.0; value += 0x1p-9 + 1e-7) {
            float x = (float)value, y;
            ref.activate(activation, &x, 1, &y);
            double exact = exact_activation(activation, (double)x);
            bool gelu = activation == ACTIVATION_GELU || activation == ACTIVATION_GELU_TANH;
            check_close(activation_name(activation), 0, (double)y, exact,
                        6.0 * EPSILON * (gelu ? fabs((double)x) : fabs(exact)) + 1e-37);
        }
}
END_TEST

static double weight_as_double(WeightKind kind, const void *weights, size_t i) {
    if (kind == WEIGHT_F32)
        return (double)((const float *)weights)[i];
    if (kind == WEIGHT_S8)
        return ((const int8_t *)weights)[i];
    uint16_t bits = ((const uint16_t *)weights)[i];
    int exponent_bits = kind == WEIGHT_F16 ? 5 : 8, fraction_bits = 15 - exponent_bits;
    int exponent = (bits & 0x7fff) >> fraction_bits, bias = (1 << (exponent_bits - 1)) - 1;
    double fraction = bits & ((1 << fraction_bits) - 1);
    double value = exponent ? ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits)
                            : ldexp(fraction, 1 - bias - fraction_bits);
    return bits >> 15 ? -value : value;
}

START_TEST(test_products) {
    enum { ROWS = 5, COLUMNS = 37, K = 301, PADDED = 320 };
    static float x[ROWS * K], y[ROWS * COLUMNS], w_scales[COLUMNS], x_scales[ROWS], bias[COLUMNS];
    static float residual[ROWS * COLUMNS];
    static int8_t q[ROWS * PADDED];
    static char weights[COLUMNS * K * 4];
    _Alignas(64) static char panels[3 * (64 + K * 16 * 4 + 64)];
    Kernels ref = reference();
    Random random = {11};
    random_fill(&random, STYLE_PLAIN, x, ARRAY_COUNT(x));
    random_fill(&random, STYLE_PLAIN, w_scales, COLUMNS);
    random_fill(&random, STYLE_PLAIN, x_scales, ROWS);
    random_fill(&random, STYLE_PLAIN, bias, COLUMNS);
    random_fill(&random, STYLE_PLAIN, residual, ARRAY_COUNT(residual));
    for (size_t row = 0; row < ROWS; row++)
        random_weights(&random, WEIGHT_S8, STYLE_PLAIN, q + row * PADDED, K);
    for (WeightKind kind = 0; kind < WEIGHT_Q4; kind++) {
        const GemmKernel *kernel = &ref.gemm[kind];
        bool s8 = kind == WEIGHT_S8;
        random_weights(&random, kind, STYLE_PLAIN, weights, COLUMNS * K);
        ck_assert(gemm_packed_bytes(kernel, COLUMNS, K, 0) <= sizeof panels);
        gemm_pack(kernel, kind, &(GemmRows){weights, K, COLUMNS, K, w_scales, 0}, 0, gemm_panels(kernel, COLUMNS),
                  panels);
        kernel->run(&(GemmTile){.rows = ROWS,
                                .columns = COLUMNS,
                                .k = K,
                                .x = s8 ? (const void *)q : x,
                                .x_stride = s8 ? PADDED : K,
                                .x_scales = x_scales,
                                .panels = panels,
                                .bias = bias,
                                .residual = residual,
                                .residual_stride = COLUMNS,
                                .y = y,
                                .y_stride = COLUMNS,
                                .activation = ACTIVATION_GELU});
        for (size_t row = 0; row < ROWS; row++)
            for (size_t c = 0; c < COLUMNS; c++) {
                double sum = 0.0, size = 0.0;
                for (size_t k = 0; k < K; k++) {
                    double a = s8 ? (double)q[row * PADDED + k] : (double)x[row * K + k];
                    double term = a * weight_as_double(kind, weights, c * K + k);
                    sum += term;
                    size += fabs(term);
                }
                double factor = s8 ? (double)x_scales[row] * (double)w_scales[c] : 1.0;
                double value = exact_activation(ACTIVATION_GELU, sum * factor + (double)bias[c]);
                double rounding = s8 ? fabs(sum * factor) * 3.0 : size * K / 8.0; // K roundings, most far smaller
                check_close(kernel->name, row * COLUMNS + c, (double)y[row * COLUMNS + c],
                            value + (double)residual[row * COLUMNS + c],
                            EPSILON * (2.0 * rounding + 8.0 * (fabs(value) + 2.0)));
            }
    }
}
END_TEST

// The groups' scales differ by powers of ten, so that a wrong one would show.
START_TEST(test_products_of_codes) {
    enum { ROWS = 3, COLUMNS = 21, K = 192 };
    static uint8_t weights[COLUMNS * K];
    static int8_t x[ROWS * K], codes[16];
    static float scales[COLUMNS * K / 32], x_scales[ROWS], bias[COLUMNS], residual[ROWS * COLUMNS], y[ROWS * COLUMNS];
    _Alignas(64) static char panels[2 * (K + K / 32 * 4) * 16];
    Kernels ref = reference();
    const GemmKernel *kernel = &ref.gemm[WEIGHT_Q4];
    Random random = {17};
    random_weights(&random, WEIGHT_Q4, STYLE_PLAIN, weights, COLUMNS * K);
    random_weights(&random, WEIGHT_S8, STYLE_PLAIN, x, ROWS * K);
    random_codes(&random, STYLE_PLAIN, codes);
    random_fill(&random, STYLE_PLAIN, x_scales, ROWS);
    random_fill(&random, STYLE_PLAIN, bias, COLUMNS);
    random_fill(&random, STYLE_PLAIN, residual, ROWS * COLUMNS);
    static const size_t groups[] = {32, 64, 96, K};
    for (size_t which = 0; which < ARRAY_COUNT(groups); which++) {
        size_t group = groups[which], count = K / group;
        for (size_t i = 0; i < COLUMNS * count; i++)
            scales[i] = random_value(&random, STYLE_PLAIN) * powf(10.0f, (float)(i % 5) - 4.0f);
        ck_assert(gemm_packed_bytes(kernel, COLUMNS, K, group) <= sizeof panels);
        gemm_pack(kernel, WEIGHT_Q4, &(GemmRows){weights, K, COLUMNS, K, scales, group}, 0, 2, panels);
        kernel->run(&(GemmTile){.rows = ROWS,
                                .columns = COLUMNS,
                                .k = K,
                                .x = x,
                                .x_stride = K,
                                .x_scales = x_scales,
                                .panels = panels,
                                .group = group,
                                .codes = codes,
                                .bias = bias,
                                .residual = residual,
                                .residual_stride = COLUMNS,
                                .y = y,
                                .y_stride = COLUMNS,
                                .activation = ACTIVATION_TANH});
        for (size_t i = 0; i < ROWS * COLUMNS; i++) {
            size_t row = i / COLUMNS, column = i % COLUMNS;
            double sum = 0.0, size = 0.0;
            for (size_t k = 0; k < K; k++) {
                double weight = (double)codes[weights[column * K + k]] * (double)scales[column * count + k / group];
                double term = weight * (double)x[row * K + k] * (double)x_scales[row];
                sum += term;
                size += fabs(term);
            }
            double value = exact_activation(ACTIVATION_TANH, sum + (double)bias[column]);
            check_close(kernel->name, i, (double)y[i], value + (double)residual[i],
                        EPSILON * (size * (double)count + 8.0 * (fabs(value) + 2.0)));
        }
    }
}
END_TEST

START_TEST(test_layer_norm) {
    static float x[MAX], other[MAX], gain[MAX], bias[MAX], y[MAX], sum[MAX];
    Kernels ref = reference();
    Random random = {12};
    for (size_t n = 1; n < MAX; n += 1 + n / 3) {
        random_fill(&random, STYLE_PLAIN, x, n);
        random_fill(&random, STYLE_PLAIN, other, n);
        random_fill(&random, STYLE_PLAIN, gain, n);
        random_fill(&random, STYLE_PLAIN, bias, n);
        ref.layer_norm(x, other, gain, bias, 1e-5f, n, sum, y);
        double mean = 0.0, variance = 0.0;
        for (size_t i = 0; i < n; i++)
            mean += ((double)x[i] + (double)other[i]) / (double)n;
        for (size_t i = 0; i < n; i++)
            variance += pow((double)x[i] + (double)other[i] - mean, 2.0) / (double)n;
        double rstd = 1.0 / sqrt(variance + 1e-5);
        for (size_t i = 0; i < n; i++) {
            double value = (double)x[i] + (double)other[i];
            check_close("sum", i, (double)sum[i], value, EPSILON * fabs(value));
            check_close("layer_norm", i, (double)y[i], (value - mean) * rstd * (double)gain[i] + (double)bias[i],
                        EPSILON * 20.0 * (fabs(value) + fabs(mean) + 1.0) * rstd);
        }
    }
}
END_TEST

START_TEST(test_softmaxes) {
    static float x[MAX], y[MAX], z[MAX];
    Kernels ref = reference();
    Random random = {13};
    for (size_t n = 1; n < MAX; n += 1 + n / 3) {
        for (size_t i = 0; i < n; i++)
            x[i] = (float)(random_unit(&random) * 60.0 - 30.0);
        double sum = 0.0;
        for (size_t i = 0; i < n; i++)
            sum += exp((double)x[i]);
        ref.softmax(x, n, y);
        ref.log_softmax(x, n, z);
        for (size_t i = 0; i < n; i++) {
            // the difference to the maximum is rounded: up to 60 * EPSILON in the exponent
            double p = exp((double)x[i]) / sum;
            check_close("softmax", i, (double)y[i], p, EPSILON * 100.0 * p);
            check_close("log_softmax", i, (double)z[i], (double)x[i] - log(sum), EPSILON * 200.0);
        }
    }
    float none[3] = {-INFINITY, -INFINITY, -INFINITY}, some[3] = {1.0f, -INFINITY, 1.0f};
    ref.softmax(none, 3, y);
    ref.log_softmax(none, 3, z);
    ck_assert(isnan(y[0]) && isnan(y[2]) && isnan(z[1]));
    ref.softmax(some, 3, y);
    ref.log_softmax(some, 3, z);
    ck_assert(y[0] == 0.5f && y[1] == 0.0f && y[2] == 0.5f && z[1] == -INFINITY);
    check_close("log_softmax of two", 0, (double)z[0], -log(2.0), EPSILON);
}
END_TEST

START_TEST(test_quantize) {
    enum { K = 100, PADDED = 128 };
    float x[K], scale;
    int8_t q[PADDED];
    Kernels ref = reference();
    Random random = {14};
    for (int round = 0; round < 1000; round++) {
        double largest = 0.0;
        random_fill(&random, round % 2 ? STYLE_WIDE : STYLE_PLAIN, x, K);
        for (size_t i = 0; i < K; i++)
            largest = fmax(largest, fabs((double)x[i]));
        memset(q, 77, sizeof q);
        ref.quantize_row_s8(x, K, q, &scale);
        check_close("scale", 0, (double)scale, largest / 127.0, EPSILON * largest / 127.0);
        for (size_t i = 0; i < PADDED; i++) // at most half a step off, but for the rounding of 127 / largest
            check_close("quantized", i, q[i], i < K ? (double)x[i] * 127.0 / largest : 0.0, i < K ? 0.50002 : 0.0);
    }
    float odd[] = {NAN, INFINITY, -INFINITY, 1.0f, -0.0f};
    ref.quantize_row_s8(odd, 5, q, &scale);
    ck_assert(q[0] == 0 && q[1] == 127 && q[2] == -127 && q[3] == 0 && q[4] == 0 && scale == FLT_MAX / 127.0f);
    float zeros[] = {0.0f, -0.0f, NAN, 0x1p-140f};
    ref.quantize_row_s8(zeros, 4, q, &scale);
    ck_assert(q[0] == 0 && q[1] == 0 && q[2] == 0 && q[3] == 0 && scale == 0.0f);
    float wild[] = {NAN, INFINITY, -INFINITY, 3.0f, -300.0f, 1.25f, -0.75f}, factors[] = {1, 2, 2, 50, 1, 2, 2};
    ref.quantize_row_s8_by(wild, factors, 7, q);
    ck_assert(q[0] == 0 && q[1] == 127 && q[2] == -127 && q[3] == 127 && q[4] == -127 && q[5] == 2 && q[6] == -2);
    ck_assert(q[7] == 0 && q[63] == 0);
    float ties[] = {127.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f};
    ref.quantize_row_s8(ties, 6, q, &scale);
    ck_assert(q[0] == 127 && q[1] == 0 && q[2] == 2 && q[3] == 2 && q[4] == 0 && q[5] == -2 && scale == 1.0f);
}
END_TEST

// One head's attention from plain matrices: rows of q, k and v `stride` apart.
static void exact_attention(const float *q, const float *k, const float *v, size_t stride, size_t keys, size_t dim,
                            double scale, double *ret_y) {
    double scores[MAX], sum = 0.0;
    for (size_t j = 0; j < keys; j++) {
        scores[j] = 0.0;
        for (size_t d = 0; d < dim; d++)
            scores[j] += (double)q[d] * (double)k[j * stride + d];
        scores[j] = exp(scores[j] * scale);
        sum += scores[j];
    }
    for (size_t d = 0; d < dim; d++) {
        ret_y[d] = 0.0;
        for (size_t j = 0; j < keys; j++)
            ret_y[d] += scores[j] / sum * (double)v[j * stride + d];
    }
}

// What a stored kind may change of a result whose values lie in [-1, 1): 2^-11 of each K and V for halves, half a step
// of 1/127 for s8, both felt through scores of up to head_dim products.
static double kind_tolerance(KvKind kind) {
    return kind == KV_F32 ? 30.0 * EPSILON : kind == KV_F16 ? 2e-3 : 3e-2;
}

START_TEST(test_attention) {
    enum { HEADS = 3, DIM = 20, WIDTH = HEADS * DIM, KEYS = 45, QUERIES = 19, BLOCKS = 3 };
    static float q[QUERIES * WIDTH], k[KEYS * WIDTH], v[KEYS * WIDTH], y[QUERIES * WIDTH];
    static float scratch[ATTENTION_QUERY_ROWS * BLOCKS * 16], pool[5 * 2 * 16 * WIDTH];
    static const int32_t blocks[BLOCKS] = {3, 0, 4};
    Kernels ref = reference();
    Random random = {15};
    random_fill(&random, STYLE_PLAIN, q, ARRAY_COUNT(q));
    random_fill(&random, STYLE_PLAIN, k, ARRAY_COUNT(k));
    random_fill(&random, STYLE_PLAIN, v, ARRAY_COUNT(v));
    for (KvKind kind = 0; kind < KV_KIND_COUNT; kind++) {
        size_t head_bytes = 16 * kv_head_bytes(kind, DIM), page = HEADS * head_bytes;
        ck_assert_uint_le(page * 5, sizeof pool);
        memset(pool, 99, sizeof pool);
        ref.store_blocks(&(KvStore){.kind = kind,
                                    .tokens = KEYS,
                                    .heads = HEADS,
                                    .head_dim = DIM,
                                    .k = k,
                                    .v = v,
                                    .k_stride = WIDTH,
                                    .v_stride = WIDTH,
                                    .base = pool,
                                    .blocks = blocks,
                                    .block_bytes = page});
        for (size_t i = 0; i < page; i++) // blocks of others stay
            ck_assert(((char *)pool)[page + i] == 99 && ((char *)pool)[2 * page + i] == 99);
        for (size_t h = 0; h < HEADS; h++)
            ref.attention_blocks(&(AttentionBlocks){.kind = kind,
                                                    .heads = 1,
                                                    .queries = QUERIES,
                                                    .keys = KEYS,
                                                    .head_dim = DIM,
                                                    .scale = 0.7f,
                                                    .q = q + h * DIM,
                                                    .q_stride = WIDTH,
                                                    .base = (char *)pool + h * head_bytes,
                                                    .blocks = blocks,
                                                    .block_bytes = page,
                                                    .y = y + h * DIM,
                                                    .y_stride = WIDTH,
                                                    .scratch = scratch});
        double exact[DIM], worst = 0.0;
        for (size_t row = 0; row < QUERIES; row++)
            for (size_t h = 0; h < HEADS; h++) {
                exact_attention(q + row * WIDTH + h * DIM, k + h * DIM, v + h * DIM, WIDTH, KEYS, DIM, (double)0.7f,
                                exact);
                for (size_t d = 0; d < DIM; d++) {
                    double got = (double)y[row * WIDTH + h * DIM + d];
                    check_close("attention_blocks", row * WIDTH + h * DIM + d, got, exact[d], kind_tolerance(kind));
                    worst = fabs(got - exact[d]) > worst ? fabs(got - exact[d]) : worst;
                }
            }
        ck_assert(kind == KV_F32 || worst > 1e-5); // it was stored as that kind
    }
}
END_TEST

START_TEST(test_attention_in_integers) {
    enum { DIM = 20, KEYS = 45, QUERIES = 19 };
    static float q[QUERIES * DIM], k[KEYS * DIM], v[KEYS * DIM], y[QUERIES * DIM];
    static float scratch[8192];
    ck_assert_uint_le(attention_s8_bytes(KEYS, DIM), sizeof scratch);
    Kernels ref = reference();
    Random random = {15};
    random_fill(&random, STYLE_PLAIN, q, ARRAY_COUNT(q));
    random_fill(&random, STYLE_PLAIN, k, ARRAY_COUNT(k));
    random_fill(&random, STYLE_PLAIN, v, ARRAY_COUNT(v));
    ref.attention_s8(&(AttentionS8){.queries = QUERIES,
                                    .keys = KEYS,
                                    .head_dim = DIM,
                                    .scale = 0.7f,
                                    .q = q,
                                    .k = k,
                                    .v = v,
                                    .q_stride = DIM,
                                    .k_stride = DIM,
                                    .v_stride = DIM,
                                    .y = y,
                                    .y_stride = DIM,
                                    .scratch = scratch});
    double exact[DIM], squares = 0.0;
    for (size_t row = 0; row < QUERIES; row++) {
        exact_attention(q + row * DIM, k, v, DIM, KEYS, DIM, (double)0.7f, exact);
        for (size_t d = 0; d < DIM; d++) {
            double off = (double)y[row * DIM + d] - exact[d];
            check_close("attention_s8", row * DIM + d, (double)y[row * DIM + d], exact[d], kind_tolerance(KV_S8));
            squares += off * off;
        }
    }
    double rms = sqrt(squares / (QUERIES * DIM));
    ck_assert_msg(rms > 1e-5 && rms < 3e-3, "attention_s8 is off by %g", rms);
}
END_TEST

START_TEST(test_attention_by_slots) {
    enum { HEADS = 2, DIM = 25, WIDTH = HEADS * DIM, KEYS = 30, SLOTS_HERE = 40 };
    static float q[WIDTH], all_k[SLOTS_HERE * WIDTH], all_v[SLOTS_HERE * WIDTH], k[KEYS * WIDTH], v[KEYS * WIDTH];
    static float y[WIDTH], scratch[HEADS * 32], pool[SLOTS_HERE * 2 * WIDTH];
    int32_t slots[KEYS];
    Kernels ref = reference();
    Random random = {16};
    random_fill(&random, STYLE_PLAIN, q, WIDTH);
    random_fill(&random, STYLE_PLAIN, all_k, ARRAY_COUNT(all_k));
    random_fill(&random, STYLE_PLAIN, all_v, ARRAY_COUNT(all_v));
    for (KvKind kind = 0; kind < KV_KIND_COUNT; kind++) {
        size_t head_bytes = kv_head_bytes(kind, DIM), slot_bytes = HEADS * head_bytes;
        for (size_t s = 0; s < SLOTS_HERE; s++)
            ref.store_row(kind, all_k + s * WIDTH, all_v + s * WIDTH, HEADS, DIM, (char *)pool + s * slot_bytes);
        for (size_t j = 0; j < KEYS; j++) {
            slots[j] = (int32_t)random_below(&random, SLOTS_HERE);
            memcpy(k + j * WIDTH, all_k + slots[j] * WIDTH, sizeof q);
            memcpy(v + j * WIDTH, all_v + slots[j] * WIDTH, sizeof q);
        }
        ref.attention_rows(&(AttentionRows){.kind = kind,
                                            .heads = HEADS,
                                            .keys = KEYS,
                                            .head_dim = DIM,
                                            .scale = 0.5f,
                                            .q = q,
                                            .base = pool,
                                            .slots = slots,
                                            .slot_bytes = slot_bytes,
                                            .y = y,
                                            .scratch = scratch});
        for (size_t h = 0; h < HEADS; h++) {
            double exact[DIM];
            exact_attention(q + h * DIM, k + h * DIM, v + h * DIM, WIDTH, KEYS, DIM, 0.5, exact);
            for (size_t d = 0; d < DIM; d++)
                check_close("attention_rows", d, (double)y[h * DIM + d], exact[d], kind_tolerance(kind));
        }
    }
}
END_TEST

// Stored bits by hand: halves at ties, denormals and beyond the largest; s8 of a row of ties.
START_TEST(test_stored_kinds) {
    Kernels ref = reference();
    static const float k[] = {1.0f + 0x1p-11f, 1.0f + 0x3p-11f, 0x1p-24f, 0x1p-25f,
                              0x3p-25f,        65519.0f,        65520.0f, -0.0f};
    static const uint16_t halves[] = {0x3c00, 0x3c02, 0x0001, 0x0000, 0x0002, 0x7bff, 0x7c00, 0x8000};
    static const float v[] = {254.0f, 1.0f, 3.0f, -5.0f, NAN, 0.0f, -254.0f, 253.0f};
    static const int8_t bytes[] = {127, 0, 2, -2, 0, 0, -127, 126};
    uint16_t slot[16];
    ref.store_row(KV_F16, k, v, 1, 8, slot);
    ck_assert(memcmp(slot, halves, sizeof halves) == 0 && slot[8] == 0x5bf0);
    struct {
        float k_scale, v_scale;
        int8_t k[8], v[8];
    } row;
    ck_assert_uint_eq(kv_head_bytes(KV_S8, 8), sizeof row);
    ref.store_row(KV_S8, k, v, 1, 8, &row);
    ck_assert(row.v_scale == 2.0f && memcmp(row.v, bytes, sizeof bytes) == 0);
    ck_assert(row.k_scale == 65520.0f / 127.0f && row.k[6] == 127 && row.k[5] == 127 && row.k[0] == 0);
    ck_assert_uint_eq(kv_head_bytes(KV_S8, 7), 24); // rounded up to whole floats
    KvKind kind = KV_KIND_COUNT;
    ck_assert(kv_kind_from_name("int8", &kind) && kind == KV_S8 && !kv_kind_from_name("s8", &kind) && kind == KV_S8);
}
END_TEST

START_TEST(test_gather_and_names) {
    Kernels ref = reference();
    static const uint16_t halves[] = {0, 0, 0, 0x3c00, 0xc000, 0x0001}; // row 1: 1, -2, 2^-24
    static const uint16_t brains[] = {0, 0, 0, 0x3f80, 0xc000, 0x0001}; // row 1: 1, -2, 2^-133
    static const int8_t bytes[] = {0, 0, 0, 127, -127, 3};
    static const float floats[] = {0, 0, 0, 1.5f, -2.5f, 0x1p-140f}, scales[] = {9.0f, 0.25f};
    float y[3];
    ref.gather_row(WEIGHT_F16, halves, NULL, 1, 3, 1.0f, y);
    ck_assert(y[0] == 1.0f && y[1] == -2.0f && y[2] == 0x1p-24f);
    ref.gather_row(WEIGHT_BF16, brains, NULL, 1, 3, 4.0f, y);
    ck_assert(y[0] == 4.0f && y[1] == -8.0f && y[2] == 0x1p-131f);
    ref.gather_row(WEIGHT_S8, bytes, scales, 1, 3, 2.0f, y);
    ck_assert(y[0] == 63.5f && y[1] == -63.5f && y[2] == 1.5f);
    ref.gather_row(WEIGHT_F32, floats, NULL, 1, 3, 1.0f, y);
    ck_assert(y[0] == 1.5f && y[1] == -2.5f && y[2] == 0x1p-140f);
    for (Activation activation = 0; activation < ACTIVATION_COUNT; activation++) {
        Activation found = ACTIVATION_COUNT;
        ck_assert(activation_from_name(activation_name(activation), &found) && found == activation);
    }
    Activation kept = ACTIVATION_TANH;
    ck_assert(!activation_from_name("swish", &kept) && kept == ACTIVATION_TANH);
    ck_assert_str_eq(weight_kind_name(WEIGHT_S8), "s8");
}
END_TEST

START_TEST(test_gather_codes) {
    static const int8_t codes[16] = {-127, -88, -67, -50, -36, -23, -12, 0, 10, 20, 31, 43, 56, 71, 92, 127};
    static const uint8_t pairs[33] = {[0] = 0xF0, [1] = 0x17, [16] = 0x9E, [32] = 0x4B};
    static const float scales[] = {0.5f, 0.25f, 2.0f};
    Kernels ref = reference();
    float y[66] = {[65] = 99.0f};
    ref.gather_codes(pairs, true, scales, 32, codes, 65, 1.0f, y);
    ck_assert(y[0] == 63.5f && y[1] == -63.5f && y[2] == -44.0f && y[3] == 0.0f && y[4] == -63.5f);
    ck_assert(y[31] == -63.5f && y[32] == 5.0f && y[33] == 23.0f && y[64] == -72.0f && y[65] == 99.0f);
    ref.gather_codes(pairs, false, scales, 64, codes, 66, 3.0f, y);
    ck_assert(y[0] == -190.5f && y[1] == 190.5f && y[2] == 0.0f && y[3] == -132.0f && y[32] == 138.0f);
    ck_assert(y[33] == 30.0f && y[63] == -190.5f && y[64] == 43.0f * 0.25f * 3.0f && y[65] == -36.0f * 0.25f * 3.0f);
}
END_TEST

TEST_MAIN("kernel reference", test_activations, test_products, test_products_of_codes, test_layer_norm, test_softmaxes,
          test_quantize, test_attention, test_attention_in_integers, test_attention_by_slots, test_stored_kinds,
          test_gather_and_names, test_gather_codes)
