// SPDX-License-Identifier: Apache-2.0
// Temperature, top-k and top-p. Instead of sorting a row, the smallest value to keep is found digit by digit: floats
// order like their bits, so four histograms of 256 buckets lead to it, with no memory beyond the row.
#include <math.h>
#include <string.h>

#include "engine/rules.h"

// An unsigned number that orders as the float does; -0 counts as 0.
static uint32_t order_of(float value) {
    float positive_zero = value + 0.0f;
    uint32_t bits;
    memcpy(&bits, &positive_zero, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// From the largest down, an element is kept while fewer than `count` or less than `mass` lie before it.
typedef struct Need {
    size_t count;
    double mass; // of exp(value - largest); negative: the count alone decides
    float largest;
} Need;

static bool is_met(const Need *need, size_t count, double mass) {
    return count >= need->count && mass >= need->mass;
}

// Where the need is met: at the elements whose order is `order`, with so much before them.
typedef struct Edge {
    uint32_t order;
    size_t count;
    double mass;
} Edge;

// One histogram: narrows `edge`, known in the digits above `shift`, by one digit. False when all the elements together
// do not meet the need.
static bool edge_narrow(const float *row, size_t n, const Need *need, int shift, Edge *edge) {
    size_t counts[256] = {0};
    double masses[256] = {0};
    for (size_t i = 0; i < n; i++) {
        uint32_t order = order_of(row[i]);
        if (shift < 24 && order >> (shift + 8) != edge->order)
            continue;
        uint32_t digit = order >> shift & 255;
        counts[digit]++;
        if (need->mass >= 0)
            masses[digit] += exp((double)row[i] - (double)need->largest);
    }
    for (uint32_t digit = 256; digit-- > 0;) {
        size_t count = edge->count + counts[digit];
        double mass = edge->mass + masses[digit];
        if (counts[digit] > 0 && is_met(need, count, mass)) {
            edge->order = edge->order << 8 | digit;
            return true;
        }
        edge->count = count;
        edge->mass = mass;
    }
    return false;
}

static bool edge_find(const float *row, size_t n, const Need *need, Edge *ret_edge) {
    Edge edge = {0};
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (!edge_narrow(row, n, need, shift, &edge))
            return false;
    }
    *ret_edge = edge;
    return true;
}

static void keep_top_k(float *row, size_t n, size_t k) {
    Edge edge;
    if (!edge_find(row, n, &(Need){.count = k, .mass = -1}, &edge))
        return;
    for (size_t i = 0; i < n; i++) {
        if (order_of(row[i]) < edge.order)
            row[i] = -INFINITY;
    }
}

// Of equal elements at the edge the first ones stay (Hugging Face's order among equals is not defined).
static void keep_top_p(float *row, size_t n, double p, size_t least) {
    float largest = row[0];
    for (size_t i = 1; i < n; i++)
        largest = row[i] > largest ? row[i] : largest;
    if (largest == -INFINITY)
        return;
    double total = 0;
    for (size_t i = 0; i < n; i++)
        total += exp((double)row[i] - (double)largest);
    Need need = {.count = least, .mass = p * total, .largest = largest};
    Edge edge;
    if (!edge_find(row, n, &need, &edge))
        return;
    for (size_t i = 0; i < n; i++) {
        uint32_t order = order_of(row[i]);
        if (order > edge.order)
            continue;
        if (order == edge.order && !is_met(&need, edge.count, edge.mass)) {
            edge.count++;
            edge.mass += exp((double)row[i] - (double)largest);
        } else {
            row[i] = -INFINITY;
        }
    }
}

void rules_warp(const Rules *rules, float *row) {
    const GenerationOptions *options = &rules->options;
    size_t n = rules->vocabulary;
    if (options->temperature != 1.0) {
        float temperature = (float)options->temperature;
        for (size_t i = 0; i < n; i++)
            row[i] /= temperature;
    }
    if (options->top_k > 0) {
        size_t k = (size_t)options->top_k > rules->least_kept ? (size_t)options->top_k : rules->least_kept;
        if (k < n)
            keep_top_k(row, n, k);
    }
    if (options->top_p < 1.0)
        keep_top_p(row, n, options->top_p, rules->least_kept);
}
