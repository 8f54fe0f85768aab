// SPDX-License-Identifier: Apache-2.0
// Timing kernels on samples and tilings on whole matrices.
#include "exec/tune.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

enum { SAMPLE_BYTES = 512 << 10, SAMPLE_RUNS = 3, PASSES = 8, PER_SHAPE_MANY_ROWS = 2 };

static const float margin = 0.97f; // of the usual choice's time

Status tuning_make(Arena *arena, const PackedBlock *block, Tuning *ret_tuning, Error *err) {
    Tuning tuning = {.count = 0};
    TRY_NEW(tuning.shapes = arena_array(arena, TUNE_MOST_SHAPES, sizeof *tuning.shapes, err));
    for (size_t i = 0; i < block->count; i++) {
        const PackedPlace *place = &block->places[i];
        if (tuning_find(&tuning, place) || tuning.count == TUNE_MOST_SHAPES)
            continue;
        tuning.shapes[tuning.count++] = (ShapeTuning){.graph = (uint32_t)place->graph,
                                                      .kind = (uint32_t)place->packed.kind,
                                                      .n = (uint32_t)place->packed.n,
                                                      .k = (uint32_t)place->packed.k,
                                                      .group = (uint32_t)place->packed.group};
    }
    *ret_tuning = tuning;
    return OK;
}

ShapeTuning *tuning_find(const Tuning *tuning, const PackedPlace *place) {
    for (size_t i = 0; i < tuning->count; i++) {
        ShapeTuning *s = &tuning->shapes[i];
        if (s->graph == place->graph && s->kind == (uint32_t)place->packed.kind && s->n == place->packed.n &&
            s->k == place->packed.k && s->group == place->packed.group)
            return s;
    }
    return NULL;
}

// Room for the operands of a product of `rows` rows: made-up activations in, results out. The numbers do not matter for
// time as long as they are ordinary.
typedef struct Operands {
    void *block;
    size_t bytes;
    GemmTile tile; // of the largest product; rows, columns and k are set for each
} Operands;

static Status operands_make(size_t rows, size_t k, size_t n, Operands *ret, Error *err) {
    size_t stride = gemm_s8_stride(k), x_bytes = rows * stride * sizeof(float);
    size_t y_floats = rows * ((n + 15) / 16 * 16);
    Operands o = {.bytes = x_bytes + (y_floats + rows) * sizeof(float)};
    TRY_NEW(o.block = memory_map(o.bytes, err));
    float *x = o.block, *y = x + rows * stride, *scales = y + y_floats;
    memset(x, 0x3c, x_bytes); // 0.0115 as f32, 60 as s8
    for (size_t r = 0; r < rows; r++)
        scales[r] = 0.01f;
    o.tile = (GemmTile){.x = x, .x_scales = scales, .y = y};
    *ret = o;
    return OK;
}

static GemmTile operands_tile(const Operands *o, const PackedWeights *packed, size_t rows) {
    GemmTile tile = o->tile;
    tile.rows = rows;
    tile.columns = tile.y_stride = packed->n;
    tile.k = packed->k;
    tile.x_stride = gemm_s8_stride(packed->k);
    if (!packed_takes_s8(packed->kind))
        tile.x_scales = NULL;
    return tile;
}

// Rows of the weight that make a sample of about SAMPLE_BYTES: whole panels of every kernel.
static size_t sample_rows(const PackedWeights *packed) {
    size_t rows = SAMPLE_BYTES / (packed->panel_bytes / packed->gemm->nr + 1) / 192 * 192;
    return rows < 192 ? 192 : rows;
}

static Status time_kernel(const PackedPlace *place, const GemmKernel *gemm, size_t rows, float *ret_us, Error *err) {
    PackedPlace sample = *place;
    size_t n = sample_rows(&place->packed);
    packed_place_set_kernel(&sample, gemm);
    PackedWeights *packed = &sample.packed;
    n = n < packed->n ? n : packed->n;
    size_t bytes = gemm_packed_bytes(gemm, n, packed->k, packed->group);
    unsigned char *panels = memory_map(bytes, err);
    TRY_NEW(panels);
    Operands operands;
    Status status = packed_sample(packed, place->weight, n, panels, err);
    if (status == OK && (status = operands_make(rows, packed->k, n, &operands, err)) == OK) {
        packed->n = n;
        packed->panels = gemm_panels(gemm, n);
        packed->data = panels;
        uint64_t least = UINT64_MAX;
        for (int i = 0; i < SAMPLE_RUNS; i++) {
            uint64_t before = clock_ns();
            tiling_run(packed, operands_tile(&operands, packed, rows), tiling_usual(packed, rows, 1), NULL);
            uint64_t spent = clock_ns() - before;
            least = spent < least ? spent : least;
        }
        *ret_us = (float)least * 1e-3f;
        memory_unmap(operands.block, operands.bytes);
    }
    memory_unmap(panels, bytes);
    return status;
}

Status tune_kernels(Tuning *tuning, CpuLevel level, const TuneUse *uses, PackedBlock *block, Error *err) {
    uint64_t start = clock_ns();
    for (size_t i = 0; i < block->count; i++) {
        PackedPlace *place = &block->places[i];
        ShapeTuning *shape = tuning_find(tuning, place);
        const GemmKernel *kernels[GEMM_MOST_VARIANTS];
        size_t count = gemm_variants(level, place->packed.kind, kernels), best = 0;
        if (!shape || count < 2)
            continue;
        if (!shape->kernel_count) {
            shape->kernel_rows = uses[place->graph] == TUNE_MANY_ROWS ? 64 : 1;
            for (size_t v = 0; v < count; v++) {
                snprintf(shape->kernels[v].name, TUNE_NAME_BYTES, "%s", kernels[v]->name);
                TRY(time_kernel(place, kernels[v], shape->kernel_rows, &shape->kernels[v].us, err));
            }
            shape->kernel_count = (uint32_t)count;
        }
        for (size_t v = 1; v < count; v++)
            if (shape->kernels[v].us < shape->kernels[best].us * (best ? 1 : margin))
                best = v;
        packed_place_set_kernel(place, kernels[best]);
    }
    packed_block_lay_out(block);
    tuning->spent_ns += clock_ns() - start;
    return OK;
}

// Adds a tiling to those tried, once.
static void trial_add(ShapeTuning *shape, size_t class, size_t rows, size_t panels) {
    uint32_t count = shape->classes[class].count;
    LinearTiling *tilings = shape->classes[class].tilings;
    for (uint32_t i = 0; i < count; i++)
        if (tilings[i].most_rows == rows && tilings[i].most_panels == panels)
            return;
    if (count == TUNE_TRIALS || !rows || !panels)
        return;
    tilings[count] = (LinearTiling){(uint32_t)rows, (uint32_t)panels};
    shape->classes[class].us[count] = 0;
    shape->classes[class].count++;
}

// The usual tiling first. Few rows: each thread's share of the matrix in 1, 2, 4, 8, 16 parts. Many rows: tiles of half
// and twice as many panels or rows.
static void trials_list(ShapeTuning *shape, const PackedWeights *packed, size_t class, size_t threads) {
    size_t rows = row_class_typical(class), most = (packed->panels + threads - 1) / threads;
    LinearTiling usual = tiling_usual(packed, rows, threads);
    trial_add(shape, class, usual.most_rows, usual.most_panels);
    if (rows <= 16)
        for (size_t parts = 1; parts <= 16; parts *= 2)
            trial_add(shape, class, usual.most_rows, (packed->panels + parts * threads - 1) / (parts * threads));
    else {
        trial_add(shape, class, usual.most_rows, usual.most_panels / 2);
        trial_add(shape, class, usual.most_rows, usual.most_panels * 2 < most ? usual.most_panels * 2 : most);
        if (rows > usual.most_rows / 2)
            trial_add(shape, class, usual.most_rows / 2, usual.most_panels);
        trial_add(shape, class, usual.most_rows, usual.most_panels * 4 < most ? usual.most_panels * 4 : most);
    }
}

typedef struct TilingTimer {
    Tuning *tuning;
    PackedBlock *block;
    Pool *pool;
    const TuneUse *uses;
    TuneUse use;
    size_t class;
    Operands operands;
    uint64_t end_ns;
} TilingTimer;

// One pass over the matrices of graphs of that use, each with the tiling whose turn it is. False: time is up.
static bool timer_pass(TilingTimer *t, size_t pass) {
    size_t turn[TUNE_MOST_SHAPES] = {0};
    size_t rows = row_class_typical(t->class);
    for (size_t i = 0; i < t->block->count; i++) {
        const PackedPlace *place = &t->block->places[i];
        ShapeTuning *shape = tuning_find(t->tuning, place);
        if (!shape || t->uses[place->graph] != t->use || shape->classes[t->class].count < 2)
            continue;
        size_t calls = turn[shape - t->tuning->shapes]++;
        if (t->use == TUNE_MANY_ROWS && calls >= PER_SHAPE_MANY_ROWS)
            continue; // arithmetic counts there, not where the weights come from
        uint32_t trial = (uint32_t)((pass + calls) % shape->classes[t->class].count);
        PackedWeights packed = place->packed;
        packed.data = t->block->data + place->offset;
        uint64_t before = clock_ns();
        tiling_run(&packed, operands_tile(&t->operands, &packed, rows), shape->classes[t->class].tilings[trial],
                   t->pool);
        uint64_t now = clock_ns();
        float us = (float)(now - before) * 1e-3f, *least = &shape->classes[t->class].us[trial];
        *least = *least == 0 || us < *least ? us : *least;
        if (now > t->end_ns)
            return false;
    }
    return true;
}

// The fastest of each shape, where all of its tilings were timed.
static void class_choose(Tuning *tuning, size_t class) {
    for (size_t i = 0; i < tuning->count; i++) {
        ShapeTuning *s = &tuning->shapes[i];
        uint32_t best = 0, timed = 0;
        for (uint32_t t = 0; t < s->classes[class].count; t++) {
            timed += s->classes[class].us[t] > 0;
            if (s->classes[class].us[t] < s->classes[class].us[best] * (best ? 1 : margin))
                best = t;
        }
        if (timed < s->classes[class].count)
            s->classes[class].count = 0; // time was up
        s->classes[class].chosen = best;
    }
}

static Status class_tune(TilingTimer *t, Error *err) {
    size_t k = 1, n = 1;
    for (size_t i = 0; i < t->block->count; i++) {
        const PackedPlace *place = &t->block->places[i];
        ShapeTuning *shape = tuning_find(t->tuning, place);
        if (!shape || t->uses[place->graph] != t->use)
            continue;
        k = place->packed.k > k ? place->packed.k : k;
        n = place->packed.n > n ? place->packed.n : n;
        if (!shape->classes[t->class].count)
            trials_list(shape, &place->packed, t->class, (size_t)pool_threads(t->pool));
    }
    TRY(operands_make(row_class_typical(t->class), k, n, &t->operands, err));
    for (size_t pass = 0; pass < PASSES; pass++)
        if (!timer_pass(t, pass))
            break;
    memory_unmap(t->operands.block, t->operands.bytes);
    class_choose(t->tuning, t->class);
    return OK;
}

Status tune_tilings(Tuning *tuning, Pool *pool, const TuneUse *uses, PackedBlock *block, uint64_t budget_ns,
                    Error *err) {
    static const struct {
        TuneUse use;
        size_t class;
    } order[] = {{TUNE_FEW_ROWS, 0}, {TUNE_MANY_ROWS, 4}, {TUNE_FEW_ROWS, 1}, {TUNE_MANY_ROWS, 3}, {TUNE_FEW_ROWS, 2}};
    enum { COUNT = sizeof order / sizeof *order };
    uint64_t start = clock_ns();
    for (size_t i = 0; i < COUNT; i++) {
        uint64_t now = clock_ns();
        if (now >= start + budget_ns)
            break;
        TilingTimer timer = {.tuning = tuning, .block = block, .pool = pool, .uses = uses};
        timer.use = order[i].use;
        timer.class = order[i].class;
        timer.end_ns = now + (start + budget_ns - now) / (i + 1 < COUNT ? 2 : 1);
        TRY(class_tune(&timer, err));
    }
    tuning_apply(tuning, block);
    tuning->spent_ns += clock_ns() - start;
    return OK;
}

void tuning_apply(const Tuning *tuning, PackedBlock *block) {
    for (size_t i = 0; i < block->count; i++) {
        const ShapeTuning *shape = tuning_find(tuning, &block->places[i]);
        for (size_t c = 0; c < ROW_CLASSES && shape; c++)
            block->places[i].tilings[c] =
                shape->classes[c].count ? shape->classes[c].tilings[shape->classes[c].chosen] : (LinearTiling){0, 0};
    }
}
