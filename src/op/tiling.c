// SPDX-License-Identifier: Apache-2.0
// Tiles of matrix products on the pool.
#include "op/tiling.h"

#include "op/packed.h"

// Rows of a tile at most: what the kernels take in one go. Panels of a tile at most where rows are many: small enough
// that threads end together, large enough that the first panel, which no predecessor fetched, does not count.
enum { TILE_ROWS = 240, TILE_PANELS = 8, FEW_ROWS = 16 };

size_t row_class(size_t rows) {
    return rows <= 1 ? 0 : rows <= 4 ? 1 : rows <= 16 ? 2 : rows <= 64 ? 3 : 4;
}

size_t row_class_typical(size_t row_class) {
    static const size_t rows[ROW_CLASSES] = {1, 4, 16, 64, 128};
    return rows[row_class];
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

LinearTiling tiling_usual(const PackedWeights *weights, size_t rows, size_t threads) {
    size_t halves = threads == 1 ? 1 : threads * 2, each = (weights->panels + halves - 1) / halves;
    return (LinearTiling){TILE_ROWS, (uint32_t)(rows <= FEW_ROWS ? each : least(each, TILE_PANELS))};
}

LinearTiling tiling_choose(const PackedWeights *weights, size_t rows, size_t threads) {
    LinearTiling tiling = weights->tilings ? weights->tilings[row_class(rows)] : (LinearTiling){0, 0};
    return tiling.most_rows ? tiling : tiling_usual(weights, rows, threads);
}

typedef struct GemmJob {
    const PackedWeights *weights;
    GemmTile whole;
    size_t row_blocks, rows_each, panels_each, x_bytes;
} GemmJob;

// Tiles next to each other in index share their panels, so that a group of panels is in the cache for all row blocks.
static void gemm_tile(void *context, size_t index) {
    const GemmJob *job = context;
    const PackedWeights *weights = job->weights;
    size_t group = index / job->row_blocks, row = index % job->row_blocks * job->rows_each;
    size_t panel = group * job->panels_each, column = panel * weights->gemm->nr;
    GemmTile tile = job->whole;
    size_t columns = job->panels_each * weights->gemm->nr;
    tile.rows = tile.rows - row < job->rows_each ? tile.rows - row : job->rows_each;
    tile.columns = tile.columns - column < columns ? tile.columns - column : columns;
    tile.x = (const unsigned char *)tile.x + row * tile.x_stride * job->x_bytes;
    tile.x_scales = tile.x_scales ? tile.x_scales + row : NULL;
    tile.x_sums = tile.x_sums ? tile.x_sums + row : NULL;
    tile.panels = (const unsigned char *)tile.panels + panel * weights->panel_bytes;
    tile.bias = tile.bias ? tile.bias + column : NULL;
    tile.residual = tile.residual ? tile.residual + row * tile.residual_stride + column : NULL;
    tile.y = tile.y ? tile.y + row * tile.y_stride + column : NULL;
    tile.sums = tile.sums ? tile.sums + row * tile.y_stride + column : NULL;
    tile.column_sums = tile.column_sums ? tile.column_sums + column : NULL;
    tile.column_factors = tile.column_factors ? tile.column_factors + column : NULL;
    tile.row_factors = tile.row_factors ? tile.row_factors + row : NULL;
    weights->gemm->run(&tile);
}

// Rows in equal blocks of whole micro-tiles. Few rows: each thread streams its own stretches of memory. Many rows: as
// many panels to a tile as leave the threads with equal work.
static void share_out(const PackedWeights *weights, LinearTiling tiling, size_t threads, GemmJob *job) {
    size_t rows = job->whole.rows, mr = weights->gemm->mr, blocks = (rows + tiling.most_rows - 1) / tiling.most_rows;
    job->rows_each = blocks == 1 ? rows : ((rows + blocks - 1) / blocks + mr - 1) / mr * mr;
    job->row_blocks = (rows + job->rows_each - 1) / job->rows_each;
    job->panels_each = tiling.most_panels;
    if (rows <= FEW_ROWS || job->panels_each < 2)
        return;
    size_t shortest = SIZE_MAX;
    for (size_t each = tiling.most_panels; each; each--) {
        size_t tiles = (weights->panels + each - 1) / each * job->row_blocks;
        size_t longest = (tiles + threads - 1) / threads * each; // panels times row blocks of the busiest thread
        if (longest < shortest) {
            shortest = longest;
            job->panels_each = each;
        }
    }
}

void tiling_run(const PackedWeights *weights, GemmTile whole, LinearTiling tiling, Pool *pool) {
    whole.panels = weights->data;
    whole.group = weights->group;
    whole.codes = weights->codes;
    GemmJob job = {.weights = weights, .whole = whole};
    job.x_bytes = packed_takes_s8(weights->kind) ? 1 : sizeof(float);
    share_out(weights, tiling, (size_t)pool_threads(pool), &job);
    pool_run(pool, (weights->panels + job.panels_each - 1) / job.panels_each * job.row_blocks, gemm_tile, &job);
}
