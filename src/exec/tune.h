// SPDX-License-Identifier: Apache-2.0
// Tuning: where more than one kernel or tiling can run a matrix product, a few are timed on this machine with the
// model's own matrices and the fastest is kept. Bits never change, only time. Done once, when an engine cache is there
// to keep what was found; without one, the first kernel and the usual tilings run.
//
//     tune_kernels    before packing: a sample of each shape under every kernel of its kind (the kernel decides how it
//                     is packed, so there is one for each matrix)
//     tune_tilings    after packing: whole matrices in the order of use, so that weights come from memory as in a real
//                     step; each call takes the next tiling in turn, and the least time of each counts
//
// The first (usual) choice stays unless another is faster by 3 %. A number of rows that was not timed runs as usual.
#pragma once

#include "base/pool.h"
#include "op/packed.h"

enum { TUNE_TRIALS = 6, TUNE_NAME_BYTES = 48, TUNE_MOST_SHAPES = 24 };

// One shape of matrix in one graph, and what was tried for it. Plain numbers: the cache keeps them as they are.
typedef struct ShapeTuning {
    uint32_t graph; // in the order of packed_block_make
    uint32_t kind, n, k, group;
    uint32_t kernel_rows, kernel_count; // rows of the sample's product; 0 kernels: none was timed
    struct {
        char name[TUNE_NAME_BYTES];
        float us;
    } kernels[GEMM_MOST_VARIANTS];
    struct {
        uint32_t count, chosen; // 0: not timed
        LinearTiling tilings[TUNE_TRIALS];
        float us[TUNE_TRIALS];
    } classes[ROW_CLASSES];
} ShapeTuning;

typedef struct Tuning {
    ShapeTuning *shapes; // [TUNE_MOST_SHAPES]; further shapes are not tuned
    size_t count;
    uint64_t spent_ns;
} Tuning;

// What the graphs of a block are for: how many rows their products usually have.
typedef enum TuneUse { TUNE_MANY_ROWS, TUNE_FEW_ROWS } TuneUse;

// Lists the block's shapes.
MUST_CHECK Status tuning_make(Arena *arena, const PackedBlock *block, Tuning *ret_tuning, Error *err);

// The shape of a place; NULL beyond TUNE_MOST_SHAPES.
ShapeTuning *tuning_find(const Tuning *tuning, const PackedPlace *place);

// Gives the places the tilings chosen for their shapes.
void tuning_apply(const Tuning *tuning, PackedBlock *block);

// Chooses kernels (packed_place_set_kernel) and lays the block out again. `uses`: one for each graph of the block.
MUST_CHECK Status tune_kernels(Tuning *tuning, CpuLevel level, const TuneUse *uses, PackedBlock *block, Error *err);

// Chooses the places' tilings; the block is packed. Takes at most about `budget_ns` and what one product takes.
MUST_CHECK Status tune_tilings(Tuning *tuning, Pool *pool, const TuneUse *uses, PackedBlock *block, uint64_t budget_ns,
                               Error *err);
