// SPDX-License-Identifier: Apache-2.0
// The kernel checker: every kernel of every set that this machine runs against the reference set, bit by bit. With
// --bench it times them instead (kernel_bench.h). HONE_SEED changes the data.
#include "bench.h"
#include "cases.h"

// One product from plain matrices: everything lies in guarded memory. Rows of x and y lie `x_gap` and `y_gap` elements
// apart.
typedef struct Product {
    WeightKind kind;
    size_t rows, columns, k, group;
    Style style;
    Activation activation;
    bool bias, residual, in_place;
    bool column_sums, factors, integers; // WEIGHT_S8: zero points, and the sums themselves
    size_t x_gap, y_gap;
} Product;

typedef struct ProductData {
    void *weights, *x;
    float *weight_scales, *x_scales, *bias, *residual;
    int32_t *column_sums, *row_factors, *column_factors;
    int8_t codes[16];
} ProductData;

static size_t x_stride(const Product *p) {
    return padded_k(p->kind, p->k) + p->x_gap;
}

static size_t y_count(const Product *p) {
    return p->rows * (p->columns + p->y_gap);
}

// As large as zero points make them, or of any size, so that sums wrap.
static void random_integers(Random *random, Style style, int32_t *to, size_t n) {
    for (size_t i = 0; i < n; i++)
        to[i] = style == STYLE_PLAIN ? (int32_t)random_below(random, 512) - 256
                                     : (int32_t)(random_below(random, 1u << 31) << 1 | random_below(random, 2));
}

static ProductData product_data(Guard *guard, Random *random, const Product *p) {
    size_t stride = x_stride(p), bytes = takes_s8(p->kind) ? 1 : 4;
    size_t scales = p->columns * (p->group ? p->k / p->group : 1);
    ProductData data;
    data.weights = guard_place(guard, 0, p->columns * p->k * element_bytes(p->kind), true);
    random_weights(random, p->kind, p->style, data.weights, p->columns * p->k);
    random_codes(random, p->style, data.codes);
    data.x = guard_place(guard, 1, p->rows * stride * bytes, true);
    for (size_t row = 0; row < p->rows; row++) {
        if (takes_s8(p->kind)) {
            memset((int8_t *)data.x + row * stride, 0, padded_k(p->kind, p->k));
            random_weights(random, WEIGHT_S8, p->style, (int8_t *)data.x + row * stride, p->k);
            for (size_t i = 0; i < p->k && p->kind != WEIGHT_S8; i++) // within +-127, as quantize_row_s8 leaves them
                if (((int8_t *)data.x)[row * stride + i] == -128)
                    ((int8_t *)data.x)[row * stride + i] = -127;
        } else {
            random_fill(random, p->style, (float *)data.x + row * stride, p->k);
        }
    }
    data.weight_scales = guard_place(guard, 2, scales * 4, true);
    random_fill(random, p->group ? p->style : STYLE_PLAIN, data.weight_scales, scales);
    data.x_scales = guard_place(guard, 3, p->rows * 4, true);
    random_fill(random, STYLE_PLAIN, data.x_scales, p->rows);
    data.bias = guard_place(guard, 4, p->columns * 4, true);
    random_fill(random, p->style, data.bias, p->columns);
    data.residual = guard_place(guard, 5, y_count(p) * 4, true);
    random_fill(random, p->style, data.residual, y_count(p));
    data.column_sums = guard_place(guard, 10, p->columns * 4, true);
    random_integers(random, p->style, data.column_sums, p->columns);
    data.row_factors = guard_place(guard, 11, p->rows * 4, true);
    random_integers(random, p->style, data.row_factors, p->rows);
    data.column_factors = guard_place(guard, 12, p->columns * 4, true);
    random_integers(random, p->style, data.column_factors, p->columns);
    return data;
}

static void *pack_product(Guard *guard, size_t slot, const GemmKernel *kernel, const Product *p,
                          const ProductData *data) {
    if (kernel->panel_bytes(p->k, p->group) % 64 != 0)
        ck_abort_msg("%s: panels of %zu bytes", kernel->name, kernel->panel_bytes(p->k, p->group));
    void *panels = guard_place(guard, slot, gemm_packed_bytes(kernel, p->columns, p->k, p->group), true);
    size_t count = gemm_panels(kernel, p->columns), middle = count / 2;
    GemmRows matrix = {data->weights, p->k, p->columns, p->k, data->weight_scales, p->group};
    gemm_pack(kernel, p->kind, &matrix, middle, count, panels);
    gemm_pack(kernel, p->kind, &matrix, 0, middle, panels);
    return panels;
}

// Rows [first_row, ..rows) and columns from panel `first_panel` of the product into y [rows, columns + y_gap].
static void run_part(const GemmKernel *kernel, const Product *p, const ProductData *data, const void *panels,
                     size_t first_row, size_t rows, size_t first_panel, size_t columns, float *y) {
    size_t y_stride = p->columns + p->y_gap, column = first_panel * kernel->nr, at = first_row * y_stride + column;
    if (p->in_place)
        for (size_t row = 0; row < rows; row++)
            memcpy(y + at + row * y_stride, data->residual + at + row * y_stride, columns * 4);
    kernel->run(&(GemmTile){
        .rows = rows,
        .columns = columns,
        .k = p->k,
        .x = (char *)data->x + first_row * x_stride(p) * (takes_s8(p->kind) ? 1 : 4),
        .x_stride = x_stride(p),
        .x_scales = data->x_scales + first_row,
        .panels = (const char *)panels + first_panel * kernel->panel_bytes(p->k, p->group),
        .group = p->group,
        .codes = data->codes,
        .bias = p->bias ? data->bias + column : NULL,
        .residual = !p->residual  ? NULL
                    : p->in_place ? y + at
                                  : data->residual + at,
        .residual_stride = y_stride,
        .y = p->integers ? NULL : y + at,
        .y_stride = y_stride,
        .column_sums = p->column_sums ? data->column_sums + column : NULL,
        .row_factors = p->factors ? data->row_factors + first_row : NULL,
        .column_factors = p->factors ? data->column_factors + column : NULL,
        .sums = p->integers ? (int32_t *)y + at : NULL,
        .activation = p->activation,
    });
}

static void check_product(Guard *guard, Random *random, const GemmKernel *ref, const GemmKernel *kernel,
                          const Product *p) {
    ProductData data = product_data(guard, random, p);
    float *expected = guard_place(guard, 6, y_count(p) * 4, true);
    float *got = guard_place(guard, 7, y_count(p) * 4, random_below(random, 2));
    run_part(ref, p, &data, pack_product(guard, 8, ref, p, &data), 0, p->rows, 0, p->columns, expected);
    run_part(kernel, p, &data, pack_product(guard, 9, kernel, p, &data), 0, p->rows, 0, p->columns, got);
    CHECK_SAME(got, expected, y_count(p), "%s m %zu n %zu k %zu group %zu style %d %s bias %d residual %d",
               kernel->name, p->rows, p->columns, p->k, p->group, p->style, activation_name(p->activation), p->bias,
               p->residual);
    guard_check(guard, kernel->name);
}

static Product random_product(Random *random, WeightKind kind, size_t rows, size_t columns, size_t k, size_t group) {
    Product p = {.kind = kind, .rows = rows, .columns = columns, .k = k, .group = group};
    p.style = random_below(random, STYLE_COUNT);
    p.activation = random_below(random, 3) ? ACTIVATION_NONE : random_below(random, ACTIVATION_COUNT);
    p.bias = random_below(random, 2);
    p.residual = random_below(random, 2);
    p.in_place = p.residual && random_below(random, 2);
    if (kind == WEIGHT_S8 && random_below(random, 2)) {
        p.column_sums = random_below(random, 2);
        p.factors = random_below(random, 2);
        p.integers = random_below(random, 2);
    }
    p.x_gap = random_below(random, 2) * random_below(random, 8);
    p.y_gap = random_below(random, 2) * random_below(random, 8);
    return p;
}

static size_t check_products_of(Guard *guard, Random *random, WeightKind kind, const GemmKernel *ref,
                                const GemmKernel *kernel) {
    size_t mr = kernel->mr, nr = kernel->nr, cases = 0;
    size_t rows[] = {0, 1, 2, 3, 4, 5, 7, mr - 1, mr, mr + 1, 2 * mr + 3};
    size_t columns[] = {0, 1, 17, nr - 1, nr, nr + 1, 3 * nr, 4 * nr, 5 * nr + 3};
    static const size_t plain[][2] = {{0, 0},  {1, 0},  {2, 0},  {3, 0},   {5, 0},  {16, 0},
                                      {63, 0}, {64, 0}, {65, 0}, {131, 0}, {259, 0}};
    static const size_t grouped[][2] = {{0, 32},   {32, 32},  {64, 32},   {64, 64},   {96, 32}, {96, 96},
                                        {160, 32}, {256, 64}, {256, 128}, {416, 416}, {416, 32}};
    for (size_t a = 0; a < ARRAY_COUNT(rows); a++)
        for (size_t b = 0; b < ARRAY_COUNT(columns); b++)
            for (size_t c = 0; c < ARRAY_COUNT(plain); c++, cases++) {
                const size_t *k = kind == WEIGHT_Q4 ? grouped[c] : plain[c];
                Product p = random_product(random, kind, rows[a], columns[b], k[0], k[1]);
                check_product(guard, random, ref, kernel, &p);
            }
    // more than one chunk of rows
    Product big = kind == WEIGHT_Q4 ? random_product(random, kind, 200, 2 * nr + 5, 3104, 32)
                                    : random_product(random, kind, 250, 2 * nr + 5, 1031, 0);
    check_product(guard, random, ref, kernel, &big);
    return cases + 1;
}

START_TEST(test_products) {
    Guard guard;
    guard_init(&guard);
    Random random = {seed()};
    Kernels ref;
    kernels_pick(CPU_REF, &ref);
    CpuLevel levels[CPU_LEVEL_COUNT];
    sets_here(levels);
    size_t cases = 0;
    for (WeightKind kind = 0; kind < WEIGHT_KIND_COUNT; kind++) {
        const GemmKernel *variants[GEMM_MOST_VARIANTS];
        size_t count = gemm_variants(cpu_detect(), kind, variants);
        for (size_t i = 0; i < count; i++)
            cases += check_products_of(&guard, &random, kind, &ref.gemm[kind], variants[i]);
    }
    printf("# seed %llu: %zu products agree\n", (unsigned long long)seed(), cases);
    guard_done(&guard);
}
END_TEST

// Every set's own choice is among the variants of its level, so that whatever runs has been checked.
START_TEST(test_picked_kernels_are_variants) {
    for (CpuLevel level = CPU_REF; level < CPU_LEVEL_COUNT; level++)
        for (WeightKind kind = 0; kind < WEIGHT_KIND_COUNT; kind++) {
            Kernels set;
            kernels_pick(level, &set);
            const GemmKernel *variants[GEMM_MOST_VARIANTS];
            size_t count = gemm_variants(set.level, kind, variants), same = 0;
            ck_assert(count >= 1 && count <= GEMM_MOST_VARIANTS);
            for (size_t i = 0; i < count; i++)
                same += variants[i]->run == set.gemm[kind].run && variants[i]->pack == set.gemm[kind].pack;
            ck_assert_msg(same == 1, "%s is %zu times among its variants", set.gemm[kind].name, same);
        }
}
END_TEST

// Sums at the edge: k so long that 16-bit steps or unsigned offsets would show, all as large as they may be.
static void check_extremes(Guard *guard, const GemmKernel *kernel, const Product *p) {
    for (int signs = 0; signs < 4; signs++) {
        Random random = {seed()};
        ProductData data = product_data(guard, &random, p);
        int weight = signs & 1 ? 127 : -128, x = signs & 2 ? 127 : p->kind == WEIGHT_S8 ? -128 : -127;
        memset(data.codes, weight, sizeof data.codes);
        if (p->kind == WEIGHT_S8)
            memset(data.weights, weight, p->columns * p->k);
        memset(data.x, x, p->rows * p->k);
        for (size_t i = 0; i < p->columns * (p->group ? p->k / p->group : 1); i++)
            data.weight_scales[i] = 1.0f;
        for (size_t i = 0; i < p->rows; i++)
            data.x_scales[i] = 1.0f;
        float *got = guard_place(guard, 7, y_count(p) * 4, true);
        run_part(kernel, p, &data, pack_product(guard, 9, kernel, p, &data), 0, p->rows, 0, p->columns, got);
        float exact = (float)(weight * x * 4096);
        for (size_t i = 0; i < y_count(p); i++)
            ck_assert_msg(got[i] == exact, "%s group %zu: %.0f, expected %.0f", kernel->name, p->group, (double)got[i],
                          (double)exact);
    }
}

START_TEST(test_extreme_sums) {
    Guard guard;
    guard_init(&guard);
    static const size_t groups[] = {32, 64, 128, 4096};
    const GemmKernel *variants[GEMM_MOST_VARIANTS];
    size_t count = gemm_variants(cpu_detect(), WEIGHT_S8, variants);
    for (size_t i = 0; i < count; i++)
        check_extremes(&guard, variants[i], &(Product){.kind = WEIGHT_S8, .rows = 4, .columns = 37, .k = 4096});
    count = gemm_variants(cpu_detect(), WEIGHT_Q4, variants);
    for (size_t i = 0; i < count; i++)
        for (size_t g = 0; g < ARRAY_COUNT(groups); g++)
            check_extremes(&guard, variants[i],
                           &(Product){.kind = WEIGHT_Q4, .rows = 4, .columns = 37, .k = 4096, .group = groups[g]});
    guard_done(&guard);
}
END_TEST

// Whole rows at once, then in steps of every size, panels shared out anyhow.
static void check_parts(Guard *guard, Random *random, WeightKind kind, const GemmKernel *kernel) {
    size_t nr = kernel->nr, rows = 29, columns = 5 * nr + 7, panels_count = 6;
    Product p = random_product(random, kind, rows, columns, kind == WEIGHT_Q4 ? 192 : 200, kind == WEIGHT_Q4 ? 64 : 0);
    ProductData data = product_data(guard, random, &p);
    void *panels = pack_product(guard, 9, kernel, &p, &data);
    float *whole = guard_place(guard, 6, y_count(&p) * 4, true);
    float *parts = guard_place(guard, 7, y_count(&p) * 4, true);
    run_part(kernel, &p, &data, panels, 0, rows, 0, columns, whole);
    for (size_t step = 1; step <= rows; step++) {
        memset(parts, 0xFF, y_count(&p) * 4);
        for (size_t row = 0; row < rows; row += step)
            for (size_t panel = 0, take; panel < panels_count; panel += take) {
                take = 1 + random_below(random, (uint32_t)(panels_count - panel));
                size_t width = panel + take == panels_count ? columns - panel * nr : take * nr;
                run_part(kernel, &p, &data, panels, row, rows - row < step ? rows - row : step, panel, width, parts);
            }
        CHECK_SAME(parts, whole, y_count(&p), "%s in steps of %zu rows", kernel->name, step);
    }
}

// A row has the same bits alone, in any group of rows, and however rows and panels are shared out.
START_TEST(test_rows_are_independent) {
    Guard guard;
    guard_init(&guard);
    Random random = {seed()};
    for (WeightKind kind = 0; kind < WEIGHT_KIND_COUNT; kind++) {
        const GemmKernel *variants[GEMM_MOST_VARIANTS];
        size_t count = gemm_variants(cpu_detect(), kind, variants);
        for (size_t i = 0; i < count; i++)
            check_parts(&guard, &random, kind, variants[i]);
        gemm_variants(CPU_REF, kind, variants);
        check_parts(&guard, &random, kind, variants[0]);
    }
    guard_done(&guard);
}
END_TEST

// ---- rows and elements --------------------------------------------------------------------------------------------

static const size_t row_sizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 300, 768, 1009, 5021};

// What DynamicQuantizeLinear does, and the same with a scale that leaves much outside.
static void check_bytes(Guard *guard, Random *random, const Kernels *ref, const Kernels *set, const float *x,
                        size_t n) {
    float a[2], b[2];
    ref->range(x, n, &a[0], &a[1]);
    set->range(x, n, &b[0], &b[1]);
    CHECK_SAME(b, a, 2, "%s range n %zu", cpu_level_name(set->level), n);
    for (int outside = 0; outside < 2; outside++) {
        uint8_t *q_a = guard_place(guard, 8, n, true), *q_b = guard_place(guard, 9, n, outside);
        float scale = (a[1] - a[0]) / (outside ? 1000 : 255);
        uint8_t zero = (uint8_t)random_below(random, 256), flip = random_below(random, 2) ? 0x80 : 0;
        ref->quantize_u8(x, n, scale, zero, flip, q_a);
        set->quantize_u8(x, n, scale, zero, flip, q_b);
        ck_assert_msg(memcmp(q_a, q_b, n) == 0, "%s quantize_u8 n %zu scale %g zero %d flip %d",
                      cpu_level_name(set->level), n, (double)scale, zero, flip);
    }
}

// Runs each kernel over rows of both sets and compares; y apart from its inputs, then y = x.
static void check_row(Guard *guard, Random *random, const Kernels *ref, const Kernels *set, size_t n, Style style) {
    const char *name = cpu_level_name(set->level);
    float *x = guard_place(guard, 0, n * 4, true), *other = guard_place(guard, 1, n * 4, true);
    float *gain = guard_place(guard, 2, n * 4, true), *bias = guard_place(guard, 3, n * 4, true);
    float *a = guard_place(guard, 4, n * 4, true), *b = guard_place(guard, 5, n * 4, random_below(random, 2));
    float *sum_a = guard_place(guard, 6, n * 4, true), *sum_b = guard_place(guard, 7, n * 4, true);
    size_t padded = padded_k(WEIGHT_S8, n);
    int8_t *q_a = guard_place(guard, 8, padded, true), *q_b = guard_place(guard, 9, padded, true);
    random_fill(random, style, x, n);
    random_fill(random, style, other, n);
    random_fill(random, STYLE_PLAIN, gain, n);
    random_fill(random, STYLE_PLAIN, bias, n);
    float factor = random_value(random, STYLE_PLAIN);

    for (unsigned options = 0; options < 8; options++) {
        const float *res = options & 1 ? other : NULL, *add = options & 2 ? bias : NULL;
        ref->layer_norm(x, res, gain, add, 1e-5f, n, options & 4 ? sum_a : NULL, a);
        set->layer_norm(x, res, gain, add, 1e-5f, n, options & 4 ? sum_b : NULL, b);
        CHECK_SAME(b, a, n, "%s layer_norm n %zu style %d options %u", name, n, style, options);
        if (options & 4)
            CHECK_SAME(sum_b, sum_a, n, "%s layer_norm's sum n %zu", name, n);
        memcpy(b, options & 1 ? other : x, n * 4);
        set->layer_norm(options & 1 ? x : b, options & 1 ? b : NULL, gain, add, 1e-5f, n, NULL, b);
        CHECK_SAME(b, a, n, "%s layer_norm in place n %zu style %d options %u", name, n, style, options);
    }
#define CHECK_ROW_KERNEL(what, call)                                                                                   \
    do {                                                                                                               \
        const Kernels *k_ = ref;                                                                                       \
        const float *in = x;                                                                                           \
        float *out = a;                                                                                                \
        call;                                                                                                          \
        k_ = set;                                                                                                      \
        out = b;                                                                                                       \
        memset(b, 0xFF, n * 4);                                                                                        \
        call;                                                                                                          \
        CHECK_SAME(b, a, n, "%s %s n %zu style %d", name, what, n, style);                                             \
        memcpy(b, x, n * 4);                                                                                           \
        in = b;                                                                                                        \
        call;                                                                                                          \
        CHECK_SAME(b, a, n, "%s %s in place n %zu style %d", name, what, n, style);                                    \
    } while (0)
    CHECK_ROW_KERNEL("softmax", k_->softmax(in, n, out));
    CHECK_ROW_KERNEL("log_softmax", k_->log_softmax(in, n, out));
    CHECK_ROW_KERNEL("add", k_->add(in, other, n, out));
    CHECK_ROW_KERNEL("scale", k_->scale(in, factor, n, out));
    for (Activation activation = 0; activation < ACTIVATION_COUNT; activation++)
        CHECK_ROW_KERNEL(activation_name(activation), k_->activate(activation, in, n, out));
    ck_assert_uint_eq(set->argmax(x, n), ref->argmax(x, n));
    float scale_a, scale_b;
    ref->quantize_row_s8(x, n, q_a, &scale_a);
    set->quantize_row_s8(x, n, q_b, &scale_b);
    ck_assert_msg(memcmp(q_a, q_b, padded) == 0, "%s quantize_row_s8 n %zu style %d", name, n, style);
    CHECK_SAME(&scale_b, &scale_a, 1, "%s quantize_row_s8's scale n %zu", name, n);
    for (size_t i = 0; i < n; i++) // most values inside the range, some far outside
        a[i] = (scale_a > 0 ? 1 / scale_a : 1) * (1 + fabsf((float)(i % 7)));
    ref->quantize_row_s8_by(x, a, n, q_a);
    set->quantize_row_s8_by(x, a, n, q_b);
    ck_assert_msg(memcmp(q_a, q_b, padded) == 0, "%s quantize_row_s8_by n %zu style %d", name, n, style);
    check_bytes(guard, random, ref, set, x, n);
    guard_check(guard, name);
}

// A check of rows of all sizes and styles, in every set.
static void check_all_rows(void (*check)(Guard *guard, Random *random, const Kernels *ref, const Kernels *set, size_t n,
                                         Style style)) {
    Guard guard;
    guard_init(&guard);
    Random random = {seed()};
    Kernels ref, set;
    kernels_pick(CPU_REF, &ref);
    CpuLevel levels[CPU_LEVEL_COUNT];
    size_t count = sets_here(levels);
    for (size_t i = 0; i < count; i++) {
        kernels_pick(levels[i], &set);
        for (size_t s = 0; s < ARRAY_COUNT(row_sizes); s++)
            for (Style style = 0; style < STYLE_COUNT; style++)
                for (int round = 0; round < 4; round++)
                    check(&guard, &random, &ref, &set, row_sizes[s], style);
    }
    guard_done(&guard);
}

START_TEST(test_row_kernels) {
    check_all_rows(check_row);
}
END_TEST

// Every function of one argument over a comb of all floats: what the short rows above may miss.
START_TEST(test_activations_on_all_floats) {
    enum { COUNT = 4096 };
    static float x[COUNT], a[COUNT], b[COUNT];
    Kernels ref, set;
    kernels_pick(CPU_REF, &ref);
    CpuLevel levels[CPU_LEVEL_COUNT];
    size_t count = sets_here(levels);
    for (uint64_t start = 0; start <= UINT32_MAX; start += COUNT * 2003u) {
        for (uint32_t i = 0; i < COUNT; i++) {
            uint32_t bits = (uint32_t)start + i * 2003u;
            memcpy(x + i, &bits, sizeof bits);
        }
        for (Activation activation = 0; activation < ACTIVATION_COUNT; activation++) {
            ref.activate(activation, x, COUNT, a);
            for (size_t i = 0; i < count; i++) {
                kernels_pick(levels[i], &set);
                set.activate(activation, x, COUNT, b);
                CHECK_SAME(b, a, COUNT, "%s %s from %llx", cpu_level_name(levels[i]), activation_name(activation),
                           (unsigned long long)start);
            }
        }
    }
}
END_TEST

START_TEST(test_empty_rows_and_ties) {
    for (CpuLevel level = CPU_REF; level < CPU_LEVEL_COUNT; level++) {
        Kernels set;
        kernels_pick(level, &set);
        float scale = 1.0f, y = 7.0f, tie[40];
        int8_t q = 5;
        set.softmax(&y, 0, &y);
        set.log_softmax(&y, 0, &y);
        set.activate(ACTIVATION_GELU, &y, 0, &y);
        set.layer_norm(&y, NULL, &y, NULL, 1e-5f, 0, NULL, &y);
        set.quantize_row_s8(&y, 0, &q, &scale);
        ck_assert(y == 7.0f && q == 5 && scale == 0.0f);
        for (size_t i = 0; i < 40; i++)
            tie[i] = i == 19 || i == 5 ? 3.0f : i == 6 ? -0.0f : 0.0f;
        ck_assert_uint_eq(set.argmax(tie, 40), 5);
        ck_assert_uint_eq(set.argmax(tie + 6, 10), 0);
        tie[21] = NAN;
        tie[38] = NAN;
        ck_assert_uint_eq(set.argmax(tie, 40), 21);
        for (size_t i = 0; i < 40; i++)
            tie[i] = -INFINITY;
        ck_assert_uint_eq(set.argmax(tie, 40), 0);
    }
}
END_TEST

START_TEST(test_gather) {
    Guard guard;
    guard_init(&guard);
    Random random = {seed()};
    Kernels ref, set;
    kernels_pick(CPU_REF, &ref);
    CpuLevel levels[CPU_LEVEL_COUNT];
    size_t count = sets_here(levels), rows = 5;
    for (size_t i = 0; i < count; i++)
        for (WeightKind kind = 0; kind < WEIGHT_Q4; kind++)
            for (size_t s = 0; s < ARRAY_COUNT(row_sizes); s++)
                for (size_t row = 0; row < rows; row++) {
                    kernels_pick(levels[i], &set);
                    size_t n = row_sizes[s];
                    void *table = guard_place(&guard, 0, rows * n * element_bytes(kind), true);
                    random_weights(&random, kind, row % STYLE_COUNT, table, rows * n);
                    float *scales = guard_place(&guard, 1, rows * 4, true);
                    random_fill(&random, STYLE_PLAIN, scales, rows);
                    float *a = guard_place(&guard, 2, n * 4, true), *b = guard_place(&guard, 3, n * 4, true);
                    float factor = row ? 22.627417f : 1.0f;
                    ref.gather_row(kind, table, scales, row, n, factor, a);
                    set.gather_row(kind, table, scales, row, n, factor, b);
                    CHECK_SAME(b, a, n, "%s gather %s n %zu", cpu_level_name(levels[i]), weight_kind_name(kind), n);
                    guard_check(&guard, "gather_row");
                }
    guard_done(&guard);
}
END_TEST

START_TEST(test_gather_codes) {
    Guard guard;
    guard_init(&guard);
    Random random = {seed()};
    Kernels ref, set;
    kernels_pick(CPU_REF, &ref);
    CpuLevel levels[CPU_LEVEL_COUNT];
    size_t count = sets_here(levels);
    static const size_t groups[] = {32, 64, 96, 8192};
    for (size_t i = 0; i < count; i++)
        for (size_t s = 0; s < ARRAY_COUNT(row_sizes); s++)
            for (int options = 0; options < 16; options++) {
                kernels_pick(levels[i], &set);
                size_t n = row_sizes[s], group = groups[options / 4], scales_count = (n + group - 1) / group;
                uint8_t *pairs = guard_place(&guard, 0, (n + 1) / 2, true);
                for (size_t j = 0; j < (n + 1) / 2; j++)
                    pairs[j] = (uint8_t)random_below(&random, 256);
                float *scales = guard_place(&guard, 1, scales_count * 4, true);
                random_fill(&random, random_below(&random, STYLE_COUNT), scales, scales_count);
                int8_t *codes = guard_place(&guard, 2, 16, true);
                random_codes(&random, STYLE_PLAIN, codes);
                float *a = guard_place(&guard, 3, n * 4, true), *b = guard_place(&guard, 4, n * 4, true);
                float factor = options & 1 ? 22.627417f : 1.0f;
                ref.gather_codes(pairs, options & 2, scales, group, codes, n, factor, a);
                set.gather_codes(pairs, options & 2, scales, group, codes, n, factor, b);
                CHECK_SAME(b, a, n, "%s gather_codes n %zu group %zu options %d", cpu_level_name(levels[i]), n, group,
                           options);
                guard_check(&guard, "gather_codes");
            }
    guard_done(&guard);
}
END_TEST

// Rows of few different values, so that ties abound; bans between the normalizer and the choice, as beams have them.
static void check_top(Guard *guard, Random *random, const Kernels *ref, const Kernels *set, size_t n, Style style) {
    float *x = guard_place(guard, 0, n * 4, true), *row = guard_place(guard, 1, n * 4, true);
    random_fill(random, style, x, n);
    if (random_below(random, 2))
        for (size_t i = 0; i < n; i++)
            x[i] = (float)random_below(random, 7);
    LogNormalizer normalizers[2];
    ref->log_normalizer(x, n, &normalizers[0]);
    set->log_normalizer(x, n, &normalizers[1]);
    CHECK_SAME(&normalizers[1].max, &normalizers[0].max, 2, "%s log_normalizer n %zu", cpu_level_name(set->level), n);
    ref->log_softmax(x, n, row);
    for (size_t bans = random_below(random, 4); bans--;) {
        size_t banned = random_below(random, (uint32_t)n);
        x[banned] = -INFINITY;
        row[banned] = isnan(row[banned]) ? NAN : -INFINITY;
    }
    static const float offsets[] = {0.0f, -3.7f, -1e9f, -INFINITY};
    float offset = offsets[random_below(random, 4)];
    size_t mosts[] = {0, 1, 2, 8, 17, 300};
    for (size_t m = 0; m < ARRAY_COUNT(mosts); m++) {
        float *values[2] = {guard_place(guard, 2, mosts[m] * 4, true), guard_place(guard, 3, mosts[m] * 4, true)};
        int32_t *indices[2] = {guard_place(guard, 4, mosts[m] * 4, true), guard_place(guard, 5, mosts[m] * 4, true)};
        size_t count = ref->top_log_softmax(x, n, normalizers[0], offset, mosts[m], values[0], indices[0]);
        ck_assert_uint_eq(count, n < mosts[m] ? n : mosts[m]);
        ck_assert_uint_eq(set->top_log_softmax(x, n, normalizers[0], offset, mosts[m], values[1], indices[1]), count);
        CHECK_SAME(values[1], values[0], count, "%s top_log_softmax n %zu most %zu", cpu_level_name(set->level), n,
                   mosts[m]);
        for (size_t i = 0; i < count; i++) {
            ck_assert_int_eq(indices[1][i], indices[0][i]);
            float value = row[indices[0][i]] + offset; // what log_softmax writes
            CHECK_SAME(&values[0][i], &value, 1, "top_log_softmax's %zu of n %zu", i, n);
        }
    }
    guard_check(guard, "top_log_softmax");
}

START_TEST(test_top_log_softmax) {
    check_all_rows(check_top);
}
END_TEST

// ---- attention ----------------------------------------------------------------------------------------------------

TEST_SUITE(run_suite, "kernel sets", test_products, test_picked_kernels_are_variants, test_extreme_sums,
           test_rows_are_independent, test_row_kernels, test_activations_on_all_floats, test_empty_rows_and_ties,
           test_gather, test_gather_codes, test_top_log_softmax)

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--bench") == 0)
        return bench_kernels();
    return run_suite();
}
