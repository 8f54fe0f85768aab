// SPDX-License-Identifier: Apache-2.0
// Packing of matrices with any steps, tiles of many products, and the plain loops.
#include "op/tensor/product.h"

#include "base/file.h"

// Fewer rows than these do not pay for packing, nor do fewer columns fill a panel.
enum { PACK_ROWS = 8, PACK_COLUMNS = 8 };

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

typedef struct PackJob {
    const ProductWeights *weights;
    const PackedWeights *packed; // [weights->count], all alike but for data
    unsigned char *room, *scratch;
    size_t panels, panels_each, scratch_each, element_bytes; // panels: of all matrices
} PackJob;

// Columns [0, columns) of w become rows of k elements.
static void gather(const ProductWeights *w, size_t element_bytes, const unsigned char *from, size_t columns,
                   void *ret_rows) {
    for (size_t i = 0; i < w->k; i++) {
        const unsigned char *at = from + i * w->k_step * element_bytes;
        if (element_bytes == sizeof(uint8_t))
            for (size_t j = 0; j < columns; j++)
                ((uint8_t *)ret_rows)[j * w->k + i] = at[j * w->n_step] ^ (w->dtype == DTYPE_U8 ? 0x80 : 0);
        else if (element_bytes == sizeof(uint32_t))
            for (size_t j = 0; j < columns; j++)
                ((uint32_t *)ret_rows)[j * w->k + i] = ((const uint32_t *)(const void *)at)[j * w->n_step];
        else
            for (size_t j = 0; j < columns; j++)
                ((uint16_t *)ret_rows)[j * w->k + i] = ((const uint16_t *)(const void *)at)[j * w->n_step];
    }
}

// False where rows lie as the packers want them.
static bool has_to_gather(const ProductWeights *w) {
    return w->k_step != 1 || w->dtype == DTYPE_U8;
}

static size_t matrix_at(const ProductWeights *w, size_t index) {
    return w->at ? w->at[index] : index * w->k * w->n;
}

static void pack_tile(void *context, size_t index) {
    const PackJob *job = context;
    const ProductWeights *w = job->weights;
    const PackedWeights *packed = job->packed;
    size_t first = index * job->panels_each, last = least(first + job->panels_each, job->panels);
    void *rows = job->scratch ? job->scratch + index * job->scratch_each : NULL;
    for (size_t i = first; i < last; i++) {
        size_t column = i % packed->panels * packed->gemm->nr, columns = least(w->n - column, packed->gemm->nr);
        size_t at = matrix_at(w, i / packed->panels) + column * w->n_step;
        const unsigned char *from = (const unsigned char *)w->data + at * job->element_bytes;
        GemmRows panel = {.weights = from, .stride = w->n_step, .columns = columns, .k = w->k};
        panel.scales = w->scales ? w->scales + column : NULL;
        if (has_to_gather(w)) {
            gather(w, job->element_bytes, from, columns, rows);
            panel.weights = rows;
            panel.stride = w->k;
        }
        packed->gemm->pack(&panel, job->room + i * packed->panel_bytes);
    }
}

// What is known of the matrices before they have memory: bytes of all of them.
static size_t describe(const Kernels *kernels, const ProductWeights *w, PackedWeights *ret) {
    PackedWeights packed = {.kind = w->scales               ? WEIGHT_S8
                                    : w->dtype == DTYPE_F32 ? WEIGHT_F32
                                    : w->dtype == DTYPE_F16 ? WEIGHT_F16
                                                            : WEIGHT_BF16,
                            .n = w->n,
                            .k = w->k};
    packed.gemm = &kernels->gemm[packed.kind];
    packed.panels = gemm_panels(packed.gemm, w->n);
    packed.panel_bytes = packed.gemm->panel_bytes(w->k, 0);
    for (size_t i = 0; i < w->count; i++)
        ret[i] = packed;
    return w->count * packed.panels * packed.panel_bytes;
}

static Status pack(Pool *pool, Arena *scratch, const ProductWeights *w, unsigned char *room, PackedWeights *packed,
                   Error *err) {
    PackJob job = {.weights = w, .packed = packed, .room = room, .panels = w->count * packed->panels};
    size_t tiles = least((size_t)pool_threads(pool) * 4, job.panels);
    job.element_bytes = dtype_bytes(w->dtype);
    job.panels_each = (job.panels + tiles - 1) / tiles;
    if (has_to_gather(w)) {
        job.scratch_each = (packed->gemm->nr * w->k * job.element_bytes + 63) / 64 * 64;
        TRY_NEW(job.scratch = arena_alloc(scratch, tiles * job.scratch_each, 64, err));
    }
    for (size_t i = 0; i < w->count; i++)
        packed[i].data = room + i * packed->panels * packed->panel_bytes;
    pool_run(pool, (job.panels + job.panels_each - 1) / job.panels_each, pack_tile, &job);
    return OK;
}

Status product_prepare(const OpPrepare *args, const Constant *constant, const ProductWeights *weights,
                       const PackedWeights **ret, Error *err) {
    ProductWeights w = *weights;
    w.dtype = constant->dtype;
    w.data = constant->data;
    *ret = NULL;
    if ((!dtype_is_real(w.dtype) && !w.scales) || w.dtype == DTYPE_F64 || !w.count || !w.n || !w.k)
        return OK;
    PackedWeights *packed = arena_array(args->arena, w.count, sizeof *packed, err);
    TRY_NEW(packed);
    size_t bytes = describe(args->kernels, &w, packed);
    unsigned char *room = NULL;
    TRY(packed_room(args->arena, bytes, &room, err));
    Arena scratch;
    arena_init(&scratch, 0);
    Status status = pack(args->pool, &scratch, &w, room, packed, err);
    arena_done(&scratch);
    TRY(status);
    if (constant->mapped)
        file_forget(constant->data, w.count * w.k * w.n * dtype_bytes(w.dtype));
    *args->ret_packed_bytes += bytes;
    *ret = packed;
    return OK;
}

typedef struct Job {
    const Product *product;
    const PackedWeights *packed;
    size_t pieces; // of COLUMNS columns, in the loops
} Job;

static GemmTile tile_of(const Product *p, size_t batch) {
    const ProductWeights *w = &p->weights;
    return (GemmTile){.rows = p->m,
                      .columns = w->n,
                      .k = w->k,
                      .x = (const float *)p->x + (p->x_at ? p->x_at[batch] : 0),
                      .x_stride = p->x_row,
                      .bias = p->epilogue.bias,
                      .activation = p->epilogue.activation,
                      .y = (float *)p->y + batch * p->m * w->n,
                      .y_stride = w->n};
}

static void batch_run(void *context, size_t batch) {
    const Job *job = context;
    const Product *p = job->product;
    const PackedWeights *packed = &job->packed[p->w_index ? p->w_index[batch] : 0];
    GemmTile tile = tile_of(p, batch);
    tile.panels = packed->data;
    packed->gemm->run(&tile);
}

// Many products: each on one thread. Few: one after another on all threads.
static void run_packed(const Product *p, const PackedWeights *packed, Pool *pool) {
    Job job = {.product = p, .packed = packed};
    size_t threads = (size_t)pool_threads(pool);
    if (p->batches >= threads && p->batches > 1) {
        pool_run(pool, p->batches, batch_run, &job);
        return;
    }
    for (size_t b = 0; b < p->batches; b++) {
        const PackedWeights *one = &packed[p->w_index ? p->w_index[b] : 0];
        tiling_run(one, tile_of(p, b), tiling_choose(one, p->m, threads), pool);
    }
}

enum { COLUMNS = 512, LANES = 8 };

// Columns of one row of one product. Where k lies side by side: each result in lanes; else rows of w are added up, four
// at a time so that y is read and written less.
#define PRODUCT_LOOPS(name, Type)                                                                                      \
    static void name##_dots(const ProductWeights *w, const Type *x, const Type *from, size_t columns, Type *y) {       \
        for (size_t j = 0; j < columns; j++) {                                                                         \
            const Type *column = from + j * w->n_step;                                                                 \
            Type lanes[LANES] = {0}, sum = 0;                                                                          \
            size_t i = 0;                                                                                              \
            for (; i + LANES <= w->k; i += LANES)                                                                      \
                for (size_t l = 0; l < LANES; l++)                                                                     \
                    lanes[l] += x[i + l] * column[i + l];                                                              \
            for (; i < w->k; i++)                                                                                      \
                sum += x[i] * column[i];                                                                               \
            for (size_t l = 0; l < LANES; l++)                                                                         \
                sum += lanes[l];                                                                                       \
            y[j] = sum;                                                                                                \
        }                                                                                                              \
    }                                                                                                                  \
    static void name##_sums(const ProductWeights *w, const Type *x, const Type *from, size_t columns, Type *y) {       \
        size_t i = 0, step = w->n_step;                                                                                \
        memset(y, 0, columns * sizeof *y);                                                                             \
        for (; step == 1 && i + 4 <= w->k; i += 4) {                                                                   \
            const Type *a = from + i * w->k_step, *b = a + w->k_step, *c = b + w->k_step, *d = c + w->k_step;          \
            for (size_t j = 0; j < columns; j++)                                                                       \
                y[j] += x[i] * a[j] + x[i + 1] * b[j] + (x[i + 2] * c[j] + x[i + 3] * d[j]);                           \
        }                                                                                                              \
        for (; i < w->k; i++)                                                                                          \
            for (size_t j = 0; j < columns; j++)                                                                       \
                y[j] += x[i] * from[i * w->k_step + j * step];                                                         \
    }                                                                                                                  \
    static void name(void *context, size_t index) {                                                                    \
        const Job *job = context;                                                                                      \
        const Product *p = job->product;                                                                               \
        const ProductWeights *w = &p->weights;                                                                         \
        size_t row = index / job->pieces, batch = row / p->m, column = index % job->pieces * COLUMNS;                  \
        const Type *x = (const Type *)p->x + (p->x_at ? p->x_at[batch] : 0) + row % p->m * p->x_row;                   \
        const Type *from =                                                                                             \
            (const Type *)w->data + matrix_at(w, p->w_index ? p->w_index[batch] : 0) + column * w->n_step;             \
        Type *y = (Type *)p->y + row * w->n + column;                                                                  \
        if (w->k_step == 1)                                                                                            \
            name##_dots(w, x, from, least(COLUMNS, w->n - column), y);                                                 \
        else                                                                                                           \
            name##_sums(w, x, from, least(COLUMNS, w->n - column), y);                                                 \
    }

PRODUCT_LOOPS(loop_f32, float)
PRODUCT_LOOPS(loop_f64, double)
PRODUCT_LOOPS(loop_u64, uint64_t)

static void bias_add(const Product *p) {
    float *y = p->y;
    for (size_t i = 0; i < p->batches * p->m; i++)
        for (size_t j = 0; j < p->weights.n; j++)
            y[i * p->weights.n + j] += p->epilogue.bias[j];
}

Status product_run(Evaluation *run, const Product *product, Error *err) {
    const Product *p = product;
    const ProductWeights *w = &p->weights;
    double operations = (double)p->batches * (double)p->m * (double)w->n * (double)w->k;
    Pool *pool = operations < PRODUCT_PARALLEL ? NULL : run->pool;
    const PackedWeights *packed = w->k ? p->packed : NULL;
    if (!p->batches || !p->m || !w->n)
        return OK;
    if (!packed && p->dtype == DTYPE_F32 && p->m >= PACK_ROWS && w->n >= PACK_COLUMNS && w->k) {
        PackedWeights *own = arena_array(run->scratch, w->count, sizeof *own, err);
        TRY_NEW(own);
        unsigned char *room = arena_alloc(run->scratch, describe(run->kernels, w, own), 64, err);
        TRY_NEW(room);
        TRY(pack(pool, run->scratch, w, room, own, err));
        packed = own;
    }
    if (packed) {
        run_packed(p, packed, pool);
        return OK;
    }
    Job job = {.product = p, .pieces = (w->n + COLUMNS - 1) / COLUMNS};
    pool_run(pool, p->batches * p->m * job.pieces,
             p->dtype == DTYPE_F32   ? loop_f32
             : p->dtype == DTYPE_F64 ? loop_f64
                                     : loop_u64,
             &job);
    if (p->epilogue.bias)
        bias_add(p);
    return OK;
}
