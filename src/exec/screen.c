// SPDX-License-Identifier: Apache-2.0
// Running a screen: scores by a plan of its own over the 4-bit copy, intervals, and candidates gathered into panels for
// the kernel that runs the head.
#include "exec/screen.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "exec/screen_copy.h"

enum { LANES = 16, SLOTS_PER_THREAD = 2, MOST_BEST = 65 };

// A row's bound is difference * D[word] + norm * N[word] + rest; `rest` infinite: nothing can be told.
typedef struct Bound {
    float difference, norm, rest;
} Bound;

struct Screen {
    ScreenCopy copy;
    Plan *plan; // states -> scores
    const Kernels *kernels;
    const GemmKernel *gemm; // the head's
    Pool *pool;
    size_t rows, most_rows, most_words;
    const float *states;
    const size_t *picks;
    Bound *bounds;       // [most_rows]
    int8_t *quantized;   // [most_rows, padded k]
    float *scales;       // [most_rows]
    ScreenWord *words;   // [most_rows, most_words]
    size_t *word_counts; // [most_rows]
    float *kept;         // [most_rows, n]
    size_t slots, slot_bytes;
    unsigned char *room; // [slots, slot_bytes]
    size_t mapped_bytes;
    void *mapped;
};

static size_t align(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

// Room of one slot of screen_rescore: a panel, its rows as stored, and their scales, biases and products.
static size_t slot_room(const Screen *s) {
    size_t nr = s->gemm->nr;
    return align(s->gemm->panel_bytes(s->copy.k, 0)) + align(nr * s->copy.row_bytes) + 3 * align(nr * sizeof(float));
}

static void screen_unmap(void *object) {
    Screen *screen = object;
    memory_unmap(screen->mapped, screen->mapped_bytes);
}

static Status rooms_make(Arena *arena, Screen *s, Error *err) {
    TRY_NEW(s->bounds = arena_array(arena, s->most_rows, sizeof *s->bounds, err));
    TRY_NEW(s->scales = arena_array(arena, s->most_rows, sizeof *s->scales, err));
    TRY_NEW(s->word_counts = arena_array(arena, s->most_rows, sizeof *s->word_counts, err));
    s->slots = (size_t)pool_threads(s->pool) * SLOTS_PER_THREAD;
    s->slot_bytes = slot_room(s);
    // More candidates than this cost more than they save; a small head need not save.
    s->most_words = s->copy.n / 8 > LANES ? s->copy.n / 8 : LANES;
    size_t quantized = align(s->most_rows * gemm_s8_stride(s->copy.k)), room = s->slots * s->slot_bytes;
    size_t words = align(s->most_rows * s->most_words * sizeof *s->words);
    s->mapped_bytes = quantized + room + words + s->most_rows * s->copy.n * sizeof *s->kept;
    TRY_NEW(s->mapped = memory_map(s->mapped_bytes, err));
    TRY(arena_on_free(arena, screen_unmap, s, err));
    s->quantized = s->mapped;
    s->room = (unsigned char *)s->mapped + quantized;
    s->words = (ScreenWord *)(void *)(s->room + room);
    s->kept = (float *)(void *)(s->room + room + words);
    return OK;
}

Status screen_make(Arena *arena, const Graph *head, const Kernels *kernels, Pool *pool, size_t most_rows,
                   Screen **ret_screen, Error *err) {
    Screen *screen = arena_array(arena, 1, sizeof *screen, err);
    TRY_NEW(screen);
    *screen = (Screen){.kernels = kernels, .pool = pool, .most_rows = most_rows};
    const size_t most_dims[] = {most_rows};
    PlanSettings settings = {.kernels = kernels, .pool = pool, .most_dims = most_dims, .most_keys = 1};
    TRY(screen_copy_make(arena, head, &settings, &screen->copy, &screen->plan, err));
    screen->gemm = &kernels->gemm[screen->copy.kind];
    TRY(rooms_make(arena, screen, err));
    *ret_screen = screen;
    return OK;
}

// The standard bound on n roundings, in units of the sum of magnitudes.
static double gamma_of(size_t n) {
    double nu = (double)n * 0x1p-24;
    return nu / (1 - nu);
}

// Enlarges by more than the roundings of what follows in f32.
static float upwards(double x) {
    return nextafterf((float)(x * (1 + 0x1p-19)), INFINITY);
}

static void bound_row(void *context, size_t row) {
    Screen *s = context;
    size_t k = s->copy.k;
    const float *x = s->states + s->picks[row] * k;
    int8_t *q = s->quantized + row * gemm_s8_stride(k);
    s->kernels->quantize_row_s8(x, k, q, &s->scales[row]);
    double scale = (double)s->scales[row], squares = 0, error = 0, rounded = 0;
    for (size_t i = 0; i < k; i++) {
        double hat = (double)q[i] * scale, off = (double)x[i] - hat;
        squares += (double)x[i] * (double)x[i];
        rounded += hat * hat;
        error += off * off;
    }
    double length = sqrt(squares), hat_length = sqrt(rounded), largest = (double)s->copy.largest_bias;
    bool int8 = s->copy.kind == WEIGHT_S8;
    double exact_chain = gamma_of(int8 ? 3 : k + 2), copy_chain = gamma_of(k / SCREEN_GROUP + 2);
    double norm = (int8 ? 0 : sqrt(error)) + exact_chain * (int8 ? hat_length : length) + copy_chain * hat_length;
    norm += 0x1p-22 * hat_length; // adding the bound to a score rounds
    double rest = (exact_chain + copy_chain + 0x1p-22) * largest + (double)k * 0x1p-130 * (1 + scale);
    s->bounds[row] = (Bound){upwards(int8 ? hat_length : length), upwards(norm), upwards(rest)};
    // Beyond this a chain could overflow on its way; a NaN fails too.
    if (!(length < 1e18 && hat_length < 1e18))
        s->bounds[row].rest = INFINITY;
}

void screen_score(Screen *screen, const float *states, const size_t *picks, size_t count) {
    assert(count <= screen->most_rows);
    screen->states = states;
    screen->picks = picks;
    screen->rows = count;
    memset(screen->word_counts, 0, count * sizeof *screen->word_counts);
    if (!count)
        return;
    float *input = plan_input(screen->plan, 0);
    for (size_t r = 0; r < count; r++)
        memcpy(input + r * screen->copy.k, states + picks[r] * screen->copy.k, screen->copy.k * sizeof *input);
    StepContext step = {0};
    plan_run(screen->plan, &count, &step);
    pool_run(screen->pool, count, bound_row, screen);
}

float *screen_row(Screen *screen, size_t row) {
    return (float *)plan_return(screen->plan, 0).data + row * screen->copy.n;
}

static float bound_of(const ScreenCopy *copy, const Bound *bound, size_t word) {
    return bound->difference * copy->differences[word] + (bound->norm * copy->norms[word] + bound->rest);
}

float screen_bound(const Screen *screen, size_t row, size_t word) {
    return bound_of(&screen->copy, &screen->bounds[row], word);
}

// The largest of what the words' logits are at least. Lanes, so that the loop goes into vector registers.
static float largest_floor(const Screen *screen, const Bound *bound, const float *scores) {
    float lanes[LANES], largest = -INFINITY;
    size_t n = screen->copy.n, i = 0;
    for (size_t j = 0; j < LANES; j++)
        lanes[j] = -INFINITY;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++) {
            float least = scores[i + j] - bound_of(&screen->copy, bound, i + j);
            lanes[j] = least > lanes[j] ? least : lanes[j];
        }
    for (size_t j = 0; j < LANES; j++)
        largest = lanes[j] > largest ? lanes[j] : largest;
    for (; i < n; i++) {
        float least = scores[i] - bound_of(&screen->copy, bound, i);
        largest = least > largest ? least : largest;
    }
    return largest;
}

// The `best`-th largest floor of the words, best > 1, in a short sorted list behind a threshold.
static float ranked_floor(const Screen *screen, const Bound *bound, const float *scores, size_t best) {
    float floors[MOST_BEST];
    size_t count = 0;
    for (size_t i = 0; i < screen->copy.n; i++) {
        float least = scores[i] - bound_of(&screen->copy, bound, i);
        if (count == best && !(least > floors[count - 1]))
            continue;
        size_t place = count < best ? count++ : best - 1;
        for (; place > 0 && least > floors[place - 1]; place--)
            floors[place] = floors[place - 1];
        floors[place] = least;
    }
    return count == best ? floors[best - 1] : -INFINITY;
}

bool screen_select(Screen *screen, size_t row, size_t best) {
    const Bound *bound = &screen->bounds[row];
    const float *scores = screen_row(screen, row);
    ScreenWord *words = screen->words + row * screen->most_words;
    size_t count = 0, n = screen->copy.n;
    if (!isfinite(bound->rest) || best > MOST_BEST)
        return false;
    float floor = best == 1 ? largest_floor(screen, bound, scores) : ranked_floor(screen, bound, scores, best);
    if (!isfinite(floor)) // too many words are banned
        return false;
    for (size_t first = 0; first < n; first += LANES) {
        size_t last = first + LANES < n ? first + LANES : n;
        unsigned any = 0;
        for (size_t i = first; i < last; i++)
            any |= scores[i] + bound_of(&screen->copy, bound, i) >= floor;
        for (size_t i = first; any && i < last; i++) {
            if (!(scores[i] + bound_of(&screen->copy, bound, i) >= floor))
                continue;
            if (count == screen->most_words)
                return false;
            words[count++] = (ScreenWord){(int32_t)i, 0};
        }
    }
    screen->word_counts[row] = count;
    return true;
}

// Logits of up to nr candidates of one row.
static void rescore_panel(const Screen *s, size_t row, ScreenWord *words, size_t count, unsigned char *room) {
    const ScreenCopy *copy = &s->copy;
    size_t nr = s->gemm->nr, row_bytes = copy->row_bytes, array = align(nr * sizeof(float));
    unsigned char *rows = room + align(s->gemm->panel_bytes(copy->k, 0));
    float *scales = (float *)(void *)(rows + align(nr * row_bytes));
    float *biases = (float *)(void *)((unsigned char *)scales + array);
    float *products = (float *)(void *)((unsigned char *)biases + array);
    for (size_t i = 0; i < count; i++) {
        size_t word = (size_t)words[i].word;
        unsigned char *to = rows + i * row_bytes;
        const void *from = constant_rows(copy->weight, word, 1, to);
        if (from != to)
            memcpy(to, from, row_bytes);
        if (copy->kind == WEIGHT_S8)
            constant_scales(copy->weight, word, 1, &scales[i]);
        biases[i] = copy->bias ? copy->bias[word] : 0;
    }
    GemmRows packed = {.weights = rows, .stride = copy->k, .columns = count, .k = copy->k};
    GemmTile tile = {.rows = 1,
                     .columns = count,
                     .k = copy->k,
                     .panels = room,
                     .bias = copy->bias ? biases : NULL,
                     .y = products,
                     .y_stride = nr,
                     .x = s->states + s->picks[row] * copy->k,
                     .x_stride = copy->k};
    if (copy->kind == WEIGHT_S8) {
        packed.scales = scales;
        tile.x = s->quantized + row * gemm_s8_stride(copy->k);
        tile.x_stride = gemm_s8_stride(copy->k);
        tile.x_scales = &s->scales[row];
    }
    s->gemm->pack(&packed, room);
    s->gemm->run(&tile);
    for (size_t i = 0; i < count; i++)
        words[i].logit = products[i];
}

// Every slots-th panel of candidates, of all rows in turn.
static void rescore_slot(void *context, size_t slot) {
    Screen *s = context;
    size_t nr = s->gemm->nr, panel = 0;
    for (size_t row = 0; row < s->rows; row++)
        for (size_t first = 0; first < s->word_counts[row]; first += nr) {
            size_t left = s->word_counts[row] - first;
            if (panel++ % s->slots == slot)
                rescore_panel(s, row, s->words + row * s->most_words + first, left < nr ? left : nr,
                              s->room + slot * s->slot_bytes);
        }
}

void screen_rescore(Screen *screen) {
    size_t panels = 0;
    for (size_t row = 0; row < screen->rows; row++)
        panels += (screen->word_counts[row] + screen->gemm->nr - 1) / screen->gemm->nr;
    pool_run(screen->pool, panels < screen->slots ? panels : screen->slots, rescore_slot, screen);
}

void screen_keep(Screen *screen, size_t row) {
    size_t n = screen->copy.n;
    memcpy(screen->kept + row * n, screen_row(screen, row), n * sizeof *screen->kept);
}

void screen_normalizer(Screen *screen, size_t row, double *ret_low, double *ret_high) {
    const Bound *bound = &screen->bounds[row];
    size_t n = screen->copy.n;
    float *high = screen->kept + row * n, *low = screen_row(screen, row);
    for (size_t i = 0; i < n; i++) {
        float score = high[i], off = bound_of(&screen->copy, bound, i);
        low[i] = score - off;
        high[i] = score + off;
    }
    const ScreenWord *words = screen->words + row * screen->most_words;
    for (size_t i = 0; i < screen->word_counts[row]; i++)
        low[words[i].word] = high[words[i].word] = words[i].logit;
    LogNormalizer least, most;
    screen->kernels->log_normalizer(low, n, &least);
    screen->kernels->log_normalizer(high, n, &most);
    double sums = gamma_of(n / LANES + 4) + (88 + 2 * 8) * 0x1p-24; // relative, of a sum of exps
    double largest = fabs((double)most.log_sum) > fabs((double)least.log_sum) ? fabs((double)most.log_sum)
                                                                              : fabs((double)least.log_sum);
    double slack = 2 * (2 * sums + 8 * 0x1p-23 * (largest + 1));
    *ret_low = (double)least.max + (double)least.log_sum - slack;
    *ret_high = (double)most.max + (double)most.log_sum + slack;
}

const ScreenWord *screen_words(const Screen *screen, size_t row, size_t *ret_count) {
    *ret_count = screen->word_counts[row];
    return screen->words + row * screen->most_words;
}
