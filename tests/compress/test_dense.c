// SPDX-License-Identifier: Apache-2.0
// Factors and inverses against the products that define them, at sizes around the blocks; the same bits on any threads.
#include "compress/dense.h"

#include <math.h>

#include "base/arena.h"
#include "base/random.h"
#include "check.h"

static Error err;
static Arena arena;

// A = X^T X + 0.1, where X has n + 3 rows in [-1, 1).
static double *made(size_t n) {
    size_t rows = n + 3;
    Random random = {n};
    double *x = arena_array(&arena, rows * n, sizeof *x, &err), *a = arena_array(&arena, n * n, sizeof *a, &err);
    ck_assert(x && a);
    for (size_t i = 0; i < rows * n; i++)
        x[i] = 2 * random_unit(&random) - 1;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            a[i * n + j] = i == j ? 0.1 : 0;
            for (size_t r = 0; r < rows; r++)
                a[i * n + j] += x[r * n + i] * x[r * n + j];
        }
    return a;
}

static double *copy(const double *from, size_t n) {
    double *to = arena_array(&arena, n * n, sizeof *to, &err);
    ck_assert_ptr_nonnull(to);
    return memcpy(to, from, n * n * sizeof *to);
}

START_TEST(test_factor_and_inverse) {
    static const size_t sizes[] = {1, 2, 7, 8, 63, 64, 65, 128, 150, 321};
    Pool *pool;
    arena_init(&arena, 0);
    CHECK_OK(pool_new(3, &pool, &err));
    for (size_t s = 0; s < ARRAY_COUNT(sizes); s++) {
        size_t n = sizes[s];
        double *a = made(n), *r = copy(a, n), *again = copy(a, n), *u = copy(a, n), *other = copy(a, n);
        ck_assert(dense_factor(NULL, n, r) && dense_factor(pool, n, again));
        ck_assert_mem_eq(r, again, n * n * sizeof *r);
        dense_inverse(NULL, n, r, u);
        dense_inverse(pool, n, r, other);
        ck_assert_mem_eq(u, other, n * n * sizeof *u);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) {
                double product = 0, identity = 0;
                for (size_t m = i > j ? i : j; m < n; m++)
                    product += r[i * n + m] * r[j * n + m];
                for (size_t m = i; m <= j; m++)
                    identity += u[i * n + m] * r[m * n + j];
                ck_assert_double_eq_tol(product, a[i * n + j], 1e-11 * (double)n);
                ck_assert_double_eq_tol(identity, i == j, 1e-9);
                ck_assert(i <= j || (u[i * n + j] == 0 && r[i * n + j] == a[i * n + j]));
            }
    }
    pool_free(pool);
    arena_done(&arena);
}
END_TEST

START_TEST(test_indefinite_is_told) {
    arena_init(&arena, 0);
    for (size_t n = 2; n < 200; n += 37) {
        double *a = made(n);
        a[(n / 2) * n + n / 2] = -1;
        ck_assert(!dense_factor(NULL, n, a));
        a = made(n);
        a[n / 2] += 1000; // row 0
        ck_assert(!dense_factor(NULL, n, a));
        a = made(n);
        a[n - 1] = NAN;
        ck_assert(!dense_factor(NULL, n, a));
        memset(a, 0, n * n * sizeof *a);
        ck_assert(!dense_factor(NULL, n, a));
    }
    arena_done(&arena);
}
END_TEST

START_TEST(test_sums) {
    double a[23], b[23], dot = 0;
    for (size_t i = 0; i < 23; i++) {
        a[i] = (double)i - 7;
        b[i] = (double)(i * i);
        dot += a[i] * b[i];
    }
    ck_assert(dense_dot(a, b, 23) == dot && dense_dot(a, b, 0) == 0);
    dense_subtract(3, a, b, 23);
    for (size_t i = 0; i < 23; i++)
        ck_assert(b[i] == (double)(i * i) - 3 * a[i]);
}
END_TEST

TEST_MAIN("compress/dense", test_factor_and_inverse, test_indefinite_is_told, test_sums)
