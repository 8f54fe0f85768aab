// SPDX-License-Identifier: Apache-2.0
// Dense linear algebra in double precision, as far as second-order rounding needs it. Sums are made in an order that
// depends on sizes alone: the same bits on every processor and with any number of threads.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"

// Sum of a[i] * b[i].
double dense_dot(const double *a, const double *b, size_t count);

// y[i] -= factor * x[i].
void dense_subtract(double factor, const double *x, double *y, size_t count);

// A symmetric [n, n], of which the upper half is read -> R, upper triangular, with A = R R^T, in its place; what lies
// below the diagonal stays. n^3 / 6 multiplications, in blocks, rows in parallel. False where A is not positive
// definite (or so nearly not that a pivot is below 1e-12 of the mean of its diagonal): then A is spoiled.
bool dense_factor(Pool *pool, size_t n, double *a);

// R upper triangular [n, n] -> its inverse, with zeros below the diagonal. n^3 / 6 multiplications, rows in parallel.
void dense_inverse(Pool *pool, size_t n, const double *r, double *ret_inverse);
