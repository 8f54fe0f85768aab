// SPDX-License-Identifier: Apache-2.0
// The kernel checker's --bench mode: each set's products and row kernels on BART-base shapes, one thread. GFLOP/s count
// a multiply-add as two; GB/s count the packed weights. Weights rotate through more memory than the caches hold, as
// they do in a decoding step. The best of several runs is printed: other work on the machine only slows. Products are
// put beside what this machine was measured to do at most in the same run, at the kernel's own level (for a variant
// that is named after no level: at the strongest).
#pragma once

#include "base/clock.h"
#include "cases.h"
#include "measure/machine.h"

enum { BENCH_RUNS = 7 };

// Nanoseconds of one product: the best of many windows of at least a third of a millisecond, 25 ms in all, in which the
// `copies` packed copies of the weights take turns.
static inline double time_product(const GemmKernel *kernel, const GemmTile *tile, const char *packed, size_t bytes,
                                  size_t copies) {
    double best = 1e30;
    size_t copy = 0;
    for (uint64_t begin = clock_ns(), now = begin; now - begin < 25000000;) {
        size_t runs = 0;
        uint64_t start = now;
        do {
            GemmTile one = *tile;
            one.panels = packed + copy++ % copies * bytes;
            kernel->run(&one);
            runs++;
            now = clock_ns();
        } while (now - start < 333333);
        double took = (double)(now - start) / (double)runs;
        best = took < best ? took : best;
    }
    return best;
}

// Peaks of one thread by level; those that this machine lacks stay 0.
typedef struct Peaks {
    MachineSpeed speeds[CPU_LEVEL_COUNT];
} Peaks;

static inline void peaks_measure(Peaks *ret_peaks) {
    *ret_peaks = (Peaks){0};
    for (CpuLevel level = 0; level < CPU_LEVEL_COUNT; level++) {
        Error err;
        CpuLevel here;
        if (cpu_choose(cpu_level_name(level), &here, &err) != OK)
            continue;
        MachineSpeed *speed = &ret_peaks->speeds[level];
        if (machine_measure(level, NULL, speed, &err) != OK) {
            printf("%s\n", err.message);
            exit(EXIT_FAILURE);
        }
        printf("%-7s peak of a thread: %.1f GFLOP/s f32, %.1f Gop/s s8, reads %.1f GB/s\n", cpu_level_name(level),
               speed->f32_ops_per_s * 1e-9, speed->s8_ops_per_s * 1e-9, speed->read_bytes_per_s * 1e-9);
    }
}

static inline const MachineSpeed *peaks_of(const Peaks *peaks, const GemmKernel *kernel) {
    size_t length = strcspn(kernel->name, " ");
    for (CpuLevel level = 0; level < CPU_LEVEL_COUNT; level++)
        if (strlen(cpu_level_name(level)) == length && memcmp(cpu_level_name(level), kernel->name, length) == 0)
            return &peaks->speeds[level];
    return &peaks->speeds[cpu_detect()];
}

static inline void bench_product(const Peaks *peaks, const GemmKernel *kernel, WeightKind kind, size_t n, size_t k,
                                 size_t group, const size_t *rows, size_t rows_count) {
    Error err;
    size_t bytes = gemm_packed_bytes(kernel, n, k, group), largest = rows[rows_count - 1], stride = padded_k(kind, k);
    size_t copies = bytes > (96u << 20) ? 1 : (96u << 20) / bytes;
    size_t scales_count = (n > largest ? n : largest) * (group ? k / group : 1);
    char *packed = memory_map(bytes * copies, &err);
    char *weights = memory_map(n * k * element_bytes(kind), &err);
    float *x = memory_map(largest * stride * 4, &err), *y = memory_map(largest * n * 4, &err);
    float *scales = memory_map(scales_count * 4, &err);
    if (!packed || !weights || !x || !y || !scales) {
        printf("not enough memory for %zu x %zu\n", n, k);
        exit(EXIT_FAILURE);
    }
    Random random = {1};
    random_weights(&random, kind, STYLE_PLAIN, weights, n * k);
    random_fill(&random, STYLE_PLAIN, scales, scales_count);
    int8_t codes[16];
    random_codes(&random, STYLE_PLAIN, codes);
    if (takes_s8(kind))
        random_weights(&random, WEIGHT_S8, STYLE_PLAIN, x, largest * stride);
    else
        random_fill(&random, STYLE_PLAIN, x, largest * stride);
    gemm_pack(kernel, kind, &(GemmRows){weights, k, n, k, scales, group}, 0, gemm_panels(kernel, n), packed);
    for (size_t copy = 1; copy < copies; copy++)
        memcpy(packed + copy * bytes, packed, bytes);
    for (size_t i = 0; i < rows_count; i++) {
        GemmTile tile = {.rows = rows[i],
                         .columns = n,
                         .k = k,
                         .x = x,
                         .x_stride = stride,
                         .x_scales = scales,
                         .group = group,
                         .codes = codes,
                         .bias = NULL,
                         .y = y,
                         .y_stride = n};
        double ns = time_product(kernel, &tile, packed, bytes, copies);
        double work = 2.0 * (double)rows[i] * (double)n * (double)k;
        const MachineSpeed *peak = peaks_of(peaks, kernel);
        double most = takes_s8(kind) ? peak->s8_ops_per_s : peak->f32_ops_per_s;
        printf(
            "%-18s group %-4zu %5zu -> %-5zu m %-4zu %8.1f GFLOP/s %5.1f %% of peak %7.1f GB/s %5.1f %% of reading\n",
            kernel->name, group, k, n, rows[i], work / ns, 1e11 * work / ns / most, (double)bytes / ns,
            1e11 * (double)bytes / ns / peak->read_bytes_per_s);
    }
    memory_unmap(packed, bytes * copies);
    memory_unmap(weights, n * k * element_bytes(kind));
    memory_unmap(x, largest * stride * 4);
    memory_unmap(y, largest * n * 4);
    memory_unmap(scales, scales_count * 4);
}

// Every variant of every kind; 4-bit weights in groups of 32, 64 and 128.
static inline void bench_products(void) {
    Peaks peaks;
    peaks_measure(&peaks);
    static const size_t shapes[][2] = {{768, 768}, {768, 3072}, {3072, 768}, {768, 50265}};
    static const size_t rows[] = {1, 2, 4, 8, 32, 128, 512};
    for (WeightKind kind = 0; kind < WEIGHT_KIND_COUNT; kind++) {
        const GemmKernel *variants[GEMM_MOST_VARIANTS];
        size_t count = gemm_variants(cpu_detect(), kind, variants);
        for (size_t i = 0; i < count; i++)
            for (size_t s = 0; s < ARRAY_COUNT(shapes); s++)
                for (size_t group = kind == WEIGHT_Q4 ? 32 : 0; group <= 128; group += group ? group : 129)
                    bench_product(&peaks, variants[i], kind, shapes[s][1], shapes[s][0], group, rows,
                                  ARRAY_COUNT(rows) - (shapes[s][1] > 10000));
    }
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

// The best of many short passes of `repeat` calls; nanoseconds a call.
#define BEST_NS(ret, repeat, call)                                                                                     \
    do {                                                                                                               \
        (ret) = 1e30;                                                                                                  \
        for (int run_ = 0; run_ < 20 * BENCH_RUNS; run_++) {                                                           \
            uint64_t start_ = clock_ns();                                                                              \
            for (size_t i_ = 0; i_ < (repeat); i_++)                                                                   \
                call;                                                                                                  \
            double took_ = (double)(clock_ns() - start_) / (double)(repeat);                                           \
            (ret) = took_ < (ret) ? took_ : (ret);                                                                     \
        }                                                                                                              \
    } while (0)

enum { BENCH_KEYS = 512, BENCH_DIM = 64, BENCH_HEADS = 12 };

static inline void print_attention(const Kernels *kernels, const char *what, KvKind kind, size_t queries, double ns) {
    double bytes = (double)(BENCH_KEYS * kv_head_bytes(kind, BENCH_DIM));
    printf("%-7s %-16s %-4s q %-4zu keys %d dim %d %8.2f us %8.1f GFLOP/s %7.1f GB/s\n", cpu_level_name(kernels->level),
           what, kv_kind_name(kind), queries, BENCH_KEYS, BENCH_DIM, ns * 1e-3,
           4.0 * (double)queries * BENCH_KEYS * BENCH_DIM / ns, bytes / ns);
}

// One kind of K/V: a head of 64 over 512 keys with one query (a decoding step), four (its beams) and 512 (an encoder);
// by slots; and storing 512 tokens of twelve heads. GB/s count K and V, which lie in the second-level cache.
static inline void bench_attention(const Kernels *kernels, KvKind kind) {
    enum { WIDTH = BENCH_HEADS * BENCH_DIM };
    static float pool[BENCH_KEYS * WIDTH * 2], x[BENCH_KEYS * WIDTH], y[BENCH_KEYS * BENCH_DIM];
    static float scratch[ATTENTION_QUERY_ROWS * BENCH_KEYS];
    static int32_t order[BENCH_KEYS];
    Random random = {1};
    random_fill(&random, STYLE_PLAIN, x, ARRAY_COUNT(x));
    for (int32_t i = 0; i < BENCH_KEYS; i++)
        order[i] = i;
    KvStore store = {.kind = kind,
                     .tokens = BENCH_KEYS,
                     .heads = BENCH_HEADS,
                     .head_dim = BENCH_DIM,
                     .k = x,
                     .v = x,
                     .k_stride = WIDTH,
                     .v_stride = WIDTH,
                     .base = pool,
                     .blocks = order,
                     .block_bytes = BENCH_HEADS * 16 * kv_head_bytes(kind, BENCH_DIM)};
    AttentionBlocks blocks = {.kind = kind,
                              .heads = 1,
                              .keys = BENCH_KEYS,
                              .head_dim = BENCH_DIM,
                              .scale = 0.125f,
                              .q = x,
                              .q_stride = BENCH_DIM,
                              .base = pool,
                              .blocks = order,
                              .block_bytes = 16 * kv_head_bytes(kind, BENCH_DIM),
                              .y = y,
                              .y_stride = BENCH_DIM,
                              .scratch = scratch};
    AttentionRows rows = {.kind = kind,
                          .heads = 1,
                          .keys = BENCH_KEYS,
                          .head_dim = BENCH_DIM,
                          .scale = 0.125f,
                          .q = x,
                          .base = pool,
                          .slots = order,
                          .slot_bytes = kv_head_bytes(kind, BENCH_DIM),
                          .y = y,
                          .scratch = scratch};
    double ns;
    BEST_NS(ns, 2, kernels->store_blocks(&store));
    printf("%-7s %-16s %-4s tokens %d width %d %8.2f us %7.1f GB/s read and written\n", cpu_level_name(kernels->level),
           "store_blocks", kv_kind_name(kind), BENCH_KEYS, WIDTH, ns * 1e-3,
           (double)(2 * BENCH_KEYS * WIDTH * 4 + BENCH_KEYS * BENCH_HEADS * kv_head_bytes(kind, BENCH_DIM)) / ns);
    static const size_t queries[] = {1, 4, BENCH_KEYS};
    for (size_t i = 0; i < ARRAY_COUNT(queries); i++) {
        blocks.queries = queries[i];
        BEST_NS(ns, 1 + 200 / queries[i], kernels->attention_blocks(&blocks));
        print_attention(kernels, "attention_blocks", kind, queries[i], ns);
    }
    for (size_t j = 0; j < BENCH_KEYS; j++)
        kernels->store_row(kind, x + j * WIDTH, x + j * WIDTH, 1, BENCH_DIM, (char *)pool + j * rows.slot_bytes);
    BEST_NS(ns, 100, kernels->attention_rows(&rows));
    print_attention(kernels, "attention_rows", kind, 1, ns);
}

// An encoder's attention of one head: by f32 blocks, storing them left out, and in integers with all that belongs to
// it.
static inline void bench_attention_s8(const Kernels *kernels, size_t keys) {
    enum { WIDTH = BENCH_HEADS * BENCH_DIM };
    static float x[3][BENCH_KEYS * WIDTH], y[BENCH_KEYS * WIDTH], pool[2 * BENCH_KEYS * BENCH_DIM];
    static float scratch[1 << 20];
    static int32_t order[BENCH_KEYS];
    Random random = {1};
    for (size_t i = 0; i < 3; i++)
        random_fill(&random, STYLE_PLAIN, x[i], ARRAY_COUNT(x[i]));
    for (int32_t i = 0; i < BENCH_KEYS; i++)
        order[i] = i;
    KvStore store = {.tokens = keys,
                     .heads = 1,
                     .head_dim = BENCH_DIM,
                     .k = x[1],
                     .v = x[2],
                     .k_stride = WIDTH,
                     .v_stride = WIDTH,
                     .base = pool,
                     .blocks = order,
                     .block_bytes = 16 * kv_head_bytes(KV_F32, BENCH_DIM)};
    AttentionBlocks blocks = {.heads = 1,
                              .queries = keys,
                              .keys = keys,
                              .head_dim = BENCH_DIM,
                              .scale = 0.125f,
                              .q = x[0],
                              .q_stride = WIDTH,
                              .base = pool,
                              .blocks = order,
                              .block_bytes = store.block_bytes,
                              .y = y,
                              .y_stride = WIDTH,
                              .scratch = scratch};
    AttentionS8 whole = {.queries = keys,
                         .keys = keys,
                         .head_dim = BENCH_DIM,
                         .scale = 0.125f,
                         .q = x[0],
                         .k = x[1],
                         .v = x[2],
                         .q_stride = WIDTH,
                         .k_stride = WIDTH,
                         .v_stride = WIDTH,
                         .y = y,
                         .y_stride = WIDTH,
                         .scratch = scratch};
    double stored, floats, integers, few;
    BEST_NS(stored, 2, kernels->store_blocks(&store));
    BEST_NS(floats, 2, kernels->attention_blocks(&blocks));
    BEST_NS(integers, 2, kernels->attention_s8(&whole));
    whole.queries = 1;
    BEST_NS(few, 2, kernels->attention_s8(&whole));
    printf("%-7s one head, %zu tokens: f32 %8.2f us and %.2f to store; attention_s8 %8.2f us, of one query %.2f\n",
           cpu_level_name(kernels->level), keys, floats * 1e-3, stored * 1e-3, integers * 1e-3, few * 1e-3);
}

// K and V from memory, as in a step, whose weights have driven them out of the caches: one row of twelve heads of 64,
// 216 tokens of the source (blocks) and 40 of its own past (rows), one call for all heads. Each call
// has other pages of a pool of 192 MB, in a shuffled order.
static inline void bench_attention_cold(const Kernels *kernels, KvKind kind) {
    enum { TOKENS = 216, PAST = 40, WIDTH = BENCH_HEADS * BENCH_DIM, POOL = 192 << 20, CALLS = 150 };
    static float q[WIDTH], y[WIDTH], scratch[ATTENTION_QUERY_ROWS * BENCH_KEYS];
    static int32_t order[BENCH_KEYS];
    Error err;
    char *pool = memory_map(POOL, &err);
    if (!pool) {
        printf("not enough memory for a pool of K and V\n");
        exit(EXIT_FAILURE);
    }
    memset(pool, 1, POOL);
    Random random = {1};
    random_fill(&random, STYLE_PLAIN, q, WIDTH);
    size_t head_bytes = kv_head_bytes(kind, BENCH_DIM), slot_bytes = BENCH_HEADS * head_bytes;
    for (int by_rows = 0; by_rows < 2; by_rows++) {
        size_t place_bytes = by_rows ? slot_bytes : 16 * slot_bytes, tokens = by_rows ? PAST : TOKENS;
        double best = 1e30;
        for (size_t call = 0, at = 0; call < CALLS; call++) {
            for (size_t i = 0; i < (by_rows ? PAST : (TOKENS + 15) / 16); i++, at++)
                order[i] = (int32_t)((at * 7919) % (POOL / place_bytes));
            AttentionBlocks blocks = {.kind = kind,
                                      .heads = BENCH_HEADS,
                                      .queries = 1,
                                      .keys = TOKENS,
                                      .head_dim = BENCH_DIM,
                                      .scale = 0.125f,
                                      .q = q,
                                      .base = pool,
                                      .blocks = order,
                                      .block_bytes = place_bytes,
                                      .y = y,
                                      .scratch = scratch};
            uint64_t start = clock_ns();
            if (by_rows)
                kernels->attention_rows(&(AttentionRows){.kind = kind,
                                                         .heads = BENCH_HEADS,
                                                         .keys = PAST,
                                                         .head_dim = BENCH_DIM,
                                                         .scale = 0.125f,
                                                         .q = q,
                                                         .base = pool,
                                                         .slots = order,
                                                         .slot_bytes = place_bytes,
                                                         .y = y,
                                                         .scratch = scratch});
            else
                kernels->attention_blocks(&blocks);
            double took = (double)(clock_ns() - start);
            best = took < best ? took : best;
        }
        printf("%-7s %-16s %-4s 12 heads keys %zu from memory %8.2f us %7.1f GB/s\n", cpu_level_name(kernels->level),
               by_rows ? "attention_rows" : "attention_blocks", kv_kind_name(kind), tokens, best * 1e-3,
               (double)(tokens * slot_bytes) / best);
    }
    memory_unmap(pool, POOL);
}

// A beam's end of a step over BART's words: what top_log_softmax takes the place of, and itself.
static inline void bench_top(const Kernels *kernels) {
    enum { WORDS = 50265, MOST = 8 };
    static float x[WORDS], y[WORDS], values[MOST];
    static int32_t indices[MOST];
    Random random = {1};
    for (size_t i = 0; i < WORDS; i++)
        x[i] = random_value(&random, STYLE_PLAIN) * 8.0f;
    LogNormalizer normalizer;
    double ns;
    BEST_NS(ns, 4, kernels->log_softmax(x, WORDS, y));
    printf("%-7s %-16s n %d %8.2f us\n", cpu_level_name(kernels->level), "log_softmax", WORDS, ns * 1e-3);
    BEST_NS(ns, 4, kernels->log_normalizer(x, WORDS, &normalizer));
    printf("%-7s %-16s n %d %8.2f us\n", cpu_level_name(kernels->level), "log_normalizer", WORDS, ns * 1e-3);
    BEST_NS(ns, 4, kernels->top_log_softmax(x, WORDS, normalizer, -1.0f, MOST, values, indices));
    printf("%-7s %-16s n %d most %d %8.2f us\n", cpu_level_name(kernels->level), "top_log_softmax", WORDS, MOST,
           ns * 1e-3);
}

static inline int bench_kernels(void) {
    bench_products();
    for (CpuLevel level = CPU_AVX2; level < CPU_LEVEL_COUNT; level++) {
        Kernels kernels;
        kernels_pick(level, &kernels);
        if (kernels.level != level) {
            printf("skipped: %s\n", cpu_level_name(level));
            continue;
        }
        bench_attention_s8(&kernels, 216);
        if (level == CPU_VNNI)
            continue;
        bench_rows(&kernels, 768);
        bench_rows(&kernels, 50265);
        bench_top(&kernels);
        for (KvKind kv_kind = 0; kv_kind < KV_KIND_COUNT; kv_kind++)
            bench_attention(&kernels, kv_kind), bench_attention_cold(&kernels, kv_kind);
    }
    return EXIT_SUCCESS;
}
