// SPDX-License-Identifier: Apache-2.0
// Best-of-row by a short sorted list behind a threshold that nearly every element fails, and draws by inverting the
// cumulated weights, blocks first.
#include "engine/choose.h"

#include <assert.h>
#include <math.h>

void ranking_add(Ranking *ranking, Candidate candidate) {
    size_t place = ranking->count;
    if (place == ranking->most) {
        if (!(candidate.value > ranking->items[place - 1].value))
            return;
        place--;
    } else {
        ranking->count++;
    }
    for (; place > 0 && candidate.value > ranking->items[place - 1].value; place--)
        ranking->items[place] = ranking->items[place - 1];
    ranking->items[place] = candidate;
}

void ranking_fill(Ranking *ranking, const float *row, size_t n, float offset, int32_t beam) {
    ranking->count = 0;
    size_t i = 0;
    for (; i < n && i < ranking->most; i++)
        ranking_add(ranking, (Candidate){row[i] + offset, beam, (int32_t)i});
    enum { STRIDE = 64 };
    while (i < n) {
        size_t end = n - i < STRIDE ? n : i + STRIDE;
        float threshold = ranking->items[ranking->most - 1].value;
        unsigned any = 0; // a branch for each stride, not for each element: this loop goes into vector registers
        for (size_t j = i; j < end; j++)
            any |= row[j] + offset > threshold;
        for (; any && i < end; i++)
            ranking_add(ranking, (Candidate){row[i] + offset, beam, (int32_t)i});
        i = end;
    }
}

static double weight(const Draw *draw, size_t index) {
    return draw->values[index] == -INFINITY ? 0 : exp((double)draw->values[index] - draw->largest);
}

static size_t block_end(const Draw *draw, size_t block) {
    size_t end = (block + 1) * draw->block;
    return end < draw->count ? end : draw->count;
}

static void sum_block(Draw *draw, size_t block) {
    double sum = 0;
    for (size_t i = block * draw->block; i < block_end(draw, block); i++)
        sum += weight(draw, i);
    draw->sums[block] = sum;
}

static size_t block_count(const Draw *draw) {
    return (draw->count + draw->block - 1) / draw->block;
}

bool draw_init(Draw *draw, float *values, size_t count) {
    assert(count > 0);
    draw->values = values;
    draw->count = count;
    draw->block = (count + DRAW_BLOCKS - 1) / DRAW_BLOCKS;
    draw->largest = -INFINITY;
    for (size_t i = 0; i < count; i++)
        draw->largest = (double)values[i] > draw->largest ? (double)values[i] : draw->largest;
    if (draw->largest == -INFINITY)
        return false;
    draw->total = 0;
    for (size_t b = 0; b < block_count(draw); b++) {
        sum_block(draw, b);
        draw->total += draw->sums[b];
    }
    return draw->total > 0;
}

double draw_log_probability(const Draw *draw, float value) {
    return (double)value - draw->largest - log(draw->total);
}

// The index where the cumulated weights pass a uniform share of `total`. Rounding may leave a crumb at the end: then
// the last index that has any weight.
static size_t draw_index(const Draw *draw, double total, Random *random) {
    double target = random_unit(random) * total;
    size_t last = 0;
    for (size_t b = 0; b < block_count(draw); b++) {
        if (draw->sums[b] <= 0)
            continue;
        last = b;
        if (target < draw->sums[b])
            break;
        target -= draw->sums[b];
    }
    size_t found = last * draw->block;
    for (size_t i = found; i < block_end(draw, last); i++) {
        double share = weight(draw, i);
        if (share <= 0)
            continue;
        found = i;
        if (target < share)
            break;
        target -= share;
    }
    return found;
}

size_t draw_one(const Draw *draw, Random *random) {
    return draw_index(draw, draw->total, random);
}

bool draw_out(Draw *draw, Random *random, size_t *ret_index, float *ret_value) {
    double total = 0;
    for (size_t b = 0; b < block_count(draw); b++)
        total += draw->sums[b];
    if (!(total > 0))
        return false;
    size_t index = draw_index(draw, total, random);
    *ret_index = index;
    *ret_value = draw->values[index];
    draw->values[index] = -INFINITY;
    sum_block(draw, index / draw->block);
    return true;
}
