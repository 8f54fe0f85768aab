// SPDX-License-Identifier: Apache-2.0
// 4-bit codes: the formats' encoding rules, in f32 as the formats' own programs compute them.
#include "tensor/quantize4.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/span.h"

const int8_t int4_values[CODEBOOK] = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};

const int8_t nf4_values[CODEBOOK] = {-112, -78, -59, -44, -32, -21, -10, 0, 9, 18, 28, 38, 49, 63, 81, 112};

const float nf4_map[CODEBOOK] = {-1.0f,
                                 -0.6961928009986877f,
                                 -0.5250730514526367f,
                                 -0.39491748809814453f,
                                 -0.28444138169288635f,
                                 -0.18477343022823334f,
                                 -0.09105003625154495f,
                                 0.0f,
                                 0.07958029955625534f,
                                 0.16093020141124725f,
                                 0.24611230194568634f,
                                 0.33791524171829224f,
                                 0.44070982933044434f,
                                 0.5626170039176941f,
                                 0.7229568362236023f,
                                 1.0f};

bool codebook_round(const float map[CODEBOOK], int8_t ret_codes[CODEBOOK], float *ret_unit) {
    double largest = 0, least = INFINITY;
    for (int i = 0; i < CODEBOOK; i++) {
        if (!isfinite(map[i]))
            return false;
        largest = fmax(largest, fabs((double)map[i]));
    }
    if (largest < (double)FLT_MIN)
        return false;
    int best = 0;
    for (int s = 64; s <= 127; s++) {
        double error = 0;
        for (int i = 0; i < CODEBOOK; i++) {
            double x = (double)map[i] / largest, rest = nearbyint(x * s) / s - x;
            error += rest * rest;
        }
        if (error < least) {
            least = error;
            best = s;
        }
    }
    for (int i = 0; i < CODEBOOK; i++)
        ret_codes[i] = (int8_t)nearbyint((double)map[i] / largest * best);
    *ret_unit = (float)(largest / best);
    return true;
}

// A scale as a file holds it.
static float scale_round(float scale, DType dtype) {
    if (dtype == DTYPE_F16)
        scale = f16_to_f32(f32_to_f16(scale));
    return scale > 0 ? scale : FLT_EPSILON; // f16 holds it too
}

// Half to even, in arithmetic that compilers turn into vectors: adding 1.5 * 2^23 leaves no bits below 1.
static inline float int4_nearest(float value, float scale) {
    const float shift = 12582912.0f;
    float x = value / scale;
    x = x > -8 ? x : -8;
    x = x < 7 ? x : 7;
    return (x + shift) - shift;
}

int int4_code(float value, float scale) {
    return (int)int4_nearest(value, scale);
}

// Multiples of absmax / 7.5 that are tried; the first stays where none is better.
enum { INT4_TRIES = 26, INT4_LANES = 8 };

static float int4_factor(int which) {
    return which == 0 ? 1 : 0.70f + 0.02f * (float)(which <= 15 ? which - 1 : which);
}

// Squared errors of a piece, summed in lanes: the same bits on every machine.
static double int4_error(const float *values, size_t count, float scale) {
    float lanes[INT4_LANES] = {0};
    size_t i = 0;
    for (; i + INT4_LANES <= count; i += INT4_LANES)
        for (size_t l = 0; l < INT4_LANES; l++) {
            float rest = values[i + l] - int4_nearest(values[i + l], scale) * scale;
            lanes[l] += rest * rest;
        }
    double sum = 0;
    for (; i < count; i++) {
        float rest = values[i] - int4_nearest(values[i], scale) * scale;
        sum += (double)(rest * rest);
    }
    for (size_t l = 0; l < INT4_LANES; l++)
        sum += (double)lanes[l];
    return sum;
}

// The group comes in pieces, so that sums of all tries are kept over them.
typedef struct Int4Search {
    float scales[INT4_TRIES];
    double errors[INT4_TRIES];
} Int4Search;

static void search_start(Int4Search *search, float absmax, DType dtype) {
    for (int t = 0; t < INT4_TRIES; t++)
        search->scales[t] = scale_round(absmax / 7.5f * int4_factor(t), dtype);
    memset(search->errors, 0, sizeof search->errors);
}

static void search_add(Int4Search *search, const float *values, size_t count) {
    for (int t = 0; t < INT4_TRIES; t++)
        search->errors[t] += int4_error(values, count, search->scales[t]);
}

static float search_end(const Int4Search *search) {
    int best = 0;
    for (int t = 1; t < INT4_TRIES; t++)
        if (search->errors[t] < search->errors[best] && !isinf(search->scales[t]))
            best = t;
    return search->scales[best];
}

static float group_scale(const Span *group, float absmax, Int4Rule rule, DType dtype) {
    float plain = scale_round(absmax / 7.5f, dtype), values[SPAN_PIECE];
    if (rule == INT4_ABSMAX || isinf(plain) || absmax <= 0)
        return plain;
    Int4Search search;
    search_start(&search, absmax, dtype);
    for (size_t first = 0, count; first < group->count; first += count) {
        count = span_piece(group, first, values);
        search_add(&search, values, count);
    }
    return search_end(&search);
}

float int4_scale(const float *values, size_t count, Int4Rule rule, DType scale_dtype) {
    Span group = {DTYPE_F32, (const unsigned char *)values, count};
    float absmax = 0;
    for (size_t i = 0; i < count; i++)
        absmax = fmaxf(absmax, fabsf(values[i]));
    return group_scale(&group, absmax, rule, scale_dtype);
}

static void int4_round(const Span *group, float scale, uint8_t *ret_pairs) {
    float values[SPAN_PIECE];
    for (size_t first = 0, count; first < group->count; first += count) {
        count = span_piece(group, first, values);
        for (size_t i = 0; i < count; i += 2) {
            int low = int4_code(values[i], scale), high = int4_code(values[i + 1], scale);
            *ret_pairs++ = (uint8_t)((low + 8) | (high + 8) << 4);
        }
    }
}

Status quantize_int4_rows(const char *name, DType dtype, const void *data, size_t rows, size_t columns, size_t group,
                          Int4Rule rule, DType scale_dtype, uint8_t *ret_pairs, float *ret_scales, Error *err) {
    TRY(span_dtype_check(name, dtype, err));
    Span all = {dtype, data, rows * columns};
    for (size_t first = 0; first < all.count; first += group) {
        Span part = span_part(&all, first, group);
        float absmax;
        TRY(span_absmax(name, &part, first, columns, &absmax, err));
        float scale = group_scale(&part, absmax, rule, scale_dtype);
        if (isinf(scale))
            return FAIL(err, ERR_FORMAT, "tensor '%s' holds %g, too large for a scale of fp16", name, (double)absmax);
        int4_round(&part, scale, ret_pairs + first / 2);
        ret_scales[first / group] = scale;
    }
    return OK;
}

// What values of a block are multiplied with. bitsandbytes divides in a block that is cut short.
static float scaled(float value, float absmax, bool whole) {
    float least = fmaxf(absmax, 1e-38f), x = whole ? value * (1 / least) : value / least;
    return fmaxf(-1, fminf(1, x));
}

// How many of the midpoints between neighbours of an ascending map lie below x.
static unsigned code_of(const float *map, unsigned count, float x) {
    unsigned low = 0, high = count - 1; // the answer is in [low, high]
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if ((map[middle] + map[middle + 1]) / 2 < x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

Status quantize_nf4_blocks(const char *name, DType dtype, const void *data, size_t elements, size_t columns,
                           uint8_t *ret_pairs, float *ret_absmax, Error *err) {
    TRY(span_dtype_check(name, dtype, err));
    Span all = {dtype, data, elements};
    for (size_t first = 0; first < elements; first += NF4_BLOCK) {
        bool whole = elements - first >= NF4_BLOCK;
        Span block = span_part(&all, first, whole ? NF4_BLOCK : elements - first);
        float absmax, values[SPAN_PIECE];
        TRY(span_absmax(name, &block, first, columns, &absmax, err));
        span_piece(&block, 0, values);
        for (size_t i = 0; i < block.count; i += 2) {
            unsigned high = code_of(nf4_map, CODEBOOK, scaled(values[i], absmax, whole));
            unsigned low = i + 1 < block.count ? code_of(nf4_map, CODEBOOK, scaled(values[i + 1], absmax, whole)) : 7;
            ret_pairs[(first + i) / 2] = (uint8_t)(high << 4 | low);
        }
        ret_absmax[first / NF4_BLOCK] = whole ? absmax : fmaxf(absmax, 1e-38f);
    }
    return OK;
}

void quantize_absmax(const float *absmax, size_t count, uint8_t *ret_codes, float *ret_nested, float *ret_offset) {
    float map[256];
    dynamic_map(map);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)absmax[i];
    float offset = count ? (float)(sum / (double)count) : 0;
    for (size_t first = 0; first < count; first += NESTED_BLOCK) {
        bool whole = count - first >= NESTED_BLOCK;
        size_t last = whole ? first + NESTED_BLOCK : count;
        float largest = 0;
        for (size_t i = first; i < last; i++)
            largest = fmaxf(largest, fabsf(absmax[i] - offset));
        for (size_t i = first; i < last; i++)
            ret_codes[i] = (uint8_t)code_of(map, 256, scaled(absmax[i] - offset, largest, whole));
        ret_nested[first / NESTED_BLOCK] = whole ? largest : fmaxf(largest, 1e-38f);
    }
    *ret_offset = offset;
}

static int by_value(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

void dynamic_map(float ret_map[256]) {
    static const float decades[7] = {1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 1e-1f, 1};
    size_t count = 0;
    for (int i = 0; i < 7; i++) {
        // midpoints of 2^i equal intervals of [0.1, 1]; borders counted from the nearer end, as torch.linspace does
        int intervals = 1 << i;
        float step = (1 - 0.1f) / (float)intervals, borders[65];
        for (int b = 0; b <= intervals; b++)
            borders[b] = b < (intervals + 1) / 2 ? fmaf(step, (float)b, 0.1f) : fmaf(-step, (float)(intervals - b), 1);
        for (int b = 0; b < intervals; b++) {
            float mean = decades[i] * ((borders[b] + borders[b + 1]) / 2);
            ret_map[count++] = mean;
            ret_map[count++] = -mean;
        }
    }
    ret_map[count++] = 0;
    ret_map[count++] = 1;
    qsort(ret_map, count, sizeof *ret_map, by_value);
}
