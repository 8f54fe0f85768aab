// SPDX-License-Identifier: Apache-2.0
// The kernel checker's --bench mode: each set's products and row kernels on BART-base shapes, one thread. GFLOP/s count
// a multiply-add as two; GB/s count the packed weights. Weights rotate through more memory than the caches hold, as
// they do in a decoding step. The best of several runs is printed: other work on the machine only slows.
#pragma once

#include "base/clock.h"
#include "cases.h"

enum { BENCH_RUNS = 7 };

// Nanoseconds of the best of BENCH_RUNS passes over `copies` packed copies of the weights, per product.
static inline double time_product(const GemmKernel *kernel, const GemmTile *tile, const char *packed, size_t bytes,
                                  size_t copies) {
    double best = 1e30;
    for (int run = 0; run < BENCH_RUNS; run++) {
        uint64_t start = clock_ns();
        for (size_t copy = 0; copy < copies; copy++) {
            GemmTile one = *tile;
            one.panels = packed + copy * bytes;
            kernel->run(&one);
        }
        double took = (double)(clock_ns() - start) / (double)copies;
        best = took < best ? took : best;
    }
    return best;
}

static inline void bench_product(const Kernels *kernels, WeightKind kind, size_t n, size_t k, const size_t *rows,
                                 size_t rows_count) {
    Error err;
    const GemmKernel *kernel = &kernels->gemm[kind];
    size_t bytes = gemm_packed_bytes(kernel, n, k, 0), largest = rows[rows_count - 1], stride = padded_k(kind, k);
    size_t copies = bytes > (96u << 20) ? 1 : (96u << 20) / bytes;
    char *packed = memory_map(bytes * copies, &err);
    char *weights = memory_map(n * k * element_bytes(kind), &err);
    float *x = memory_map(largest * stride * 4, &err), *y = memory_map(largest * n * 4, &err);
    float *scales = memory_map((n > largest ? n : largest) * 4, &err);
    if (!packed || !weights || !x || !y || !scales) {
        printf("not enough memory for %zu x %zu\n", n, k);
        exit(EXIT_FAILURE);
    }
    Random random = {1};
    random_weights(&random, kind, STYLE_PLAIN, weights, n * k);
    random_fill(&random, STYLE_PLAIN, scales, n > largest ? n : largest);
    if (kind == WEIGHT_S8)
        random_weights(&random, kind, STYLE_PLAIN, x, largest * stride);
    else
        random_fill(&random, STYLE_PLAIN, x, largest * stride);
    for (size_t copy = 0; copy < copies; copy++)
        gemm_pack(kernel, kind, &(GemmRows){weights, k, n, k, scales, 0}, 0, gemm_panels(kernel, n),
                  packed + copy * bytes);
    for (size_t i = 0; i < rows_count; i++) {
        GemmTile tile = {.rows = rows[i],
                         .columns = n,
                         .k = k,
                         .x = x,
                         .x_stride = stride,
                         .x_scales = scales,
                         .bias = NULL,
                         .y = y,
                         .y_stride = n};
        double ns = time_product(kernel, &tile, packed, bytes, copies);
        double work = 2.0 * (double)rows[i] * (double)n * (double)k;
        printf("%-18s %5zu -> %-5zu m %-4zu %8.1f GFLOP/s %7.1f GB/s\n", kernel->name, k, n, rows[i], work / ns,
               (double)bytes / ns);
    }
    memory_unmap(packed, bytes * copies);
    memory_unmap(weights, n * k * element_bytes(kind));
    memory_unmap(x, largest * stride * 4);
    memory_unmap(y, largest * n * 4);
    memory_unmap(scales, (n > largest ? n : largest) * 4);
}

// Row kernels on a row of `n`: million elements a second.
static inline void bench_rows(const Kernels *kernels, size_t n) {
    static float x[50265], other[50265], y[50265];
    static int8_t q[50304];
    Random random = {1};
    random_fill(&random, STYLE_PLAIN, x, n);
    random_fill(&random, STYLE_PLAIN, other, n);
    static const char *const names[] = {"layer_norm", "gelu", "softmax", "log_softmax", "argmax", "quantize_row_s8"};
    for (size_t which = 0; which < ARRAY_COUNT(names); which++) {
        double best = 1e30;
        for (int run = 0; run < BENCH_RUNS; run++) {
            size_t repeat = 1 + 400000 / n;
            uint64_t start = clock_ns();
            for (size_t i = 0; i < repeat; i++) {
                float scale;
                if (which == 0)
                    kernels->layer_norm(x, other, other, other, 1e-5f, n, NULL, y);
                else if (which == 1)
                    kernels->activate(ACTIVATION_GELU, x, n, y);
                else if (which == 2)
                    kernels->softmax(x, n, y);
                else if (which == 3)
                    kernels->log_softmax(x, n, y);
                else if (which == 4)
                    y[0] += (float)kernels->argmax(x, n);
                else
                    kernels->quantize_row_s8(x, n, q, &scale);
            }
            double took = (double)(clock_ns() - start) / (double)(repeat * n);
            best = took < best ? took : best;
        }
        printf("%-7s %-16s n %-5zu %8.1f M elements/s\n", cpu_level_name(kernels->level), names[which], n, 1e3 / best);
    }
}

// A head of 64 over 512 keys: one query (a decoding step) and 512 (an encoder).
static inline void bench_attention(const Kernels *kernels) {
    enum { KEYS = 512, DIM = 64 };
    static float pool[KEYS * DIM * 2], q[KEYS * DIM], y[KEYS * DIM], scratch[ATTENTION_QUERY_ROWS * KEYS];
    static int32_t order[KEYS];
    Random random = {1};
    random_fill(&random, STYLE_PLAIN, pool, ARRAY_COUNT(pool));
    random_fill(&random, STYLE_PLAIN, q, ARRAY_COUNT(q));
    for (int32_t i = 0; i < KEYS; i++)
        order[i] = i;
    AttentionBlocks blocks = {.keys = KEYS,
                              .head_dim = DIM,
                              .scale = 0.125f,
                              .q = q,
                              .q_stride = DIM,
                              .base = pool,
                              .blocks = order,
                              .block_stride = 2 * 16 * DIM,
                              .v_offset = 16 * DIM,
                              .y = y,
                              .y_stride = DIM,
                              .scratch = scratch};
    AttentionRows rows = {.keys = KEYS,
                          .head_dim = DIM,
                          .scale = 0.125f,
                          .q = q,
                          .base = pool,
                          .slots = order,
                          .slot_stride = 2 * DIM,
                          .v_offset = DIM,
                          .y = y,
                          .scratch = scratch};
    for (int which = 0; which < 3; which++) {
        blocks.queries = which == 0 ? 1 : KEYS;
        double best = 1e30;
        for (int run = 0; run < BENCH_RUNS; run++) {
            uint64_t start = clock_ns();
            size_t repeat = which == 1 ? 1 : 200;
            for (size_t i = 0; i < repeat; i++)
                which == 2 ? kernels->attention_rows(&rows) : kernels->attention_blocks(&blocks);
            double took = (double)(clock_ns() - start) / (double)repeat;
            best = took < best ? took : best;
        }
        size_t queries = which == 1 ? KEYS : 1;
        printf("%-7s %-16s q %-4zu keys %d dim %d %8.1f GFLOP/s\n", cpu_level_name(kernels->level),
               which == 2 ? "attention_rows" : "attention_blocks", queries, KEYS, DIM,
               4.0 * (double)queries * KEYS * DIM / best);
    }
}

static inline int bench_kernels(void) {
    static const size_t shapes[][2] = {{768, 768}, {768, 3072}, {3072, 768}, {768, 50265}};
    static const size_t rows[] = {1, 4, 8, 32, 256};
    for (CpuLevel level = CPU_AVX2; level < CPU_LEVEL_COUNT; level++) {
        Kernels kernels;
        kernels_pick(level, &kernels);
        if (kernels.level != level) {
            printf("skipped: %s\n", cpu_level_name(level));
            continue;
        }
        for (WeightKind kind = level == CPU_VNNI ? WEIGHT_S8 : 0; kind < WEIGHT_Q4; kind++)
            for (size_t i = 0; i < ARRAY_COUNT(shapes); i++)
                bench_product(&kernels, kind, shapes[i][1], shapes[i][0], rows, ARRAY_COUNT(rows));
        if (level == CPU_VNNI)
            continue;
        bench_rows(&kernels, 768);
        bench_rows(&kernels, 50265);
        bench_attention(&kernels);
    }
    return EXIT_SUCCESS;
}
