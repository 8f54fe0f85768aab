// SPDX-License-Identifier: Apache-2.0
// Cholesky's factor from the last column to the first, a block of columns at a time, so that both operands of every
// product are rows; and the inverse of a triangle, a strip of rows at a time.
#include "compress/dense.h"

#include <math.h>

enum {
    LANES = 8,
    BLOCK = 64,  // columns that are factored at once
    STRIP = 8,   // rows to a tile
    PIECE = 256, // columns of a product that stay in the first cache: STRIP + BLOCK rows of them are 144 KB
};

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

double dense_dot(const double *a, const double *b, size_t count) {
    double lanes[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lanes[l] += a[i + l] * b[i + l];
    for (; i < count; i++)
        sum += a[i] * b[i];
    for (size_t l = 0; l < LANES; l++)
        sum += lanes[l];
    return sum;
}

void dense_subtract(double factor, const double *x, double *y, size_t count) {
    for (size_t i = 0; i < count; i++)
        y[i] -= factor * x[i];
}

typedef struct Factor {
    double *a;
    size_t n, first, last; // the block of columns
} Factor;

// Rows of a strip lose what the columns behind the block took from them.
static void columns_subtract(void *context, size_t tile) {
    const Factor *f = context;
    double *a = f->a;
    size_t row = tile * STRIP, end = least(row + STRIP, f->last);
    for (size_t at = f->last; at < f->n; at += PIECE) {
        size_t count = least(PIECE, f->n - at);
        for (size_t i = row; i < end; i++)
            for (size_t j = i > f->first ? i : f->first; j < f->last; j++)
                a[i * f->n + j] -= dense_dot(a + i * f->n + at, a + j * f->n + at, count);
    }
}

// Element [i, j] of the block's columns, those behind j in the block being done: without the pivot.
static double rest(const Factor *f, size_t i, size_t j) {
    const double *a = f->a;
    return a[i * f->n + j] - dense_dot(a + i * f->n + j + 1, a + j * f->n + j + 1, f->last - j - 1);
}

static bool diagonal_factor(const Factor *f, double floor) {
    double *a = f->a;
    for (size_t j = f->last; j-- > f->first;) {
        double pivot = rest(f, j, j);
        if (!(pivot > floor) || !isfinite(pivot))
            return false;
        a[j * f->n + j] = sqrt(pivot);
        for (size_t i = f->first; i < j; i++)
            a[i * f->n + j] = rest(f, i, j) / a[j * f->n + j];
    }
    return true;
}

// The block's columns of the rows above it.
static void rows_solve(void *context, size_t tile) {
    const Factor *f = context;
    size_t row = tile * STRIP, end = least(row + STRIP, f->first);
    for (size_t i = row; i < end; i++)
        for (size_t j = f->last; j-- > f->first;)
            f->a[i * f->n + j] = rest(f, i, j) / f->a[j * f->n + j];
}

bool dense_factor(Pool *pool, size_t n, double *a) {
    double trace = 0;
    for (size_t i = 0; i < n; i++)
        trace += a[i * n + i];
    double floor = 1e-12 * trace / (double)n;
    for (size_t last = n; last > 0;) {
        Factor f = {a, n, (last - 1) / BLOCK * BLOCK, last};
        if (last < n)
            pool_run(pool, (last + STRIP - 1) / STRIP, columns_subtract, &f);
        if (!diagonal_factor(&f, floor))
            return false;
        pool_run(pool, (f.first + STRIP - 1) / STRIP, rows_solve, &f);
        last = f.first;
    }
    return true;
}

typedef struct Inverse {
    const double *r;
    double *to;
    size_t n;
} Inverse;

// Rows of U from U R = 1: as soon as an element is known, what lies behind it in its row loses its share.
static void rows_invert(void *context, size_t tile) {
    const Inverse *inverse = context;
    size_t n = inverse->n, row = tile * STRIP, end = least(row + STRIP, n);
    for (size_t i = row; i < end; i++)
        for (size_t j = 0; j < n; j++)
            inverse->to[i * n + j] = i == j;
    for (size_t m = row; m < n; m++) {
        const double *r = inverse->r + m * n;
        for (size_t i = row; i < end && i <= m; i++) {
            double *u = inverse->to + i * n;
            u[m] /= r[m];
            dense_subtract(u[m], r + m + 1, u + m + 1, n - m - 1);
        }
    }
}

void dense_inverse(Pool *pool, size_t n, const double *r, double *ret_inverse) {
    Inverse inverse = {r, ret_inverse, n};
    pool_run(pool, (n + STRIP - 1) / STRIP, rows_invert, &inverse);
}
