// SPDX-License-Identifier: Apache-2.0
// Packing: rows of a constant, possibly in parts and in codes, become panels, in parallel.
#include "op/packed.h"

#include "base/file.h"
#include "base/memory.h"

bool packed_takes_s8(WeightKind kind) {
    return kind == WEIGHT_S8 || kind == WEIGHT_Q4;
}

static const Constant *first_piece(const Constant *weight) {
    return weight->part_count ? weight->parts[0] : weight;
}

Status packed_kind(const Constant *weight, WeightKind *ret_kind, Error *err) {
    if (weight->scheme == SCHEME_INT8_ROW)
        *ret_kind = WEIGHT_S8;
    else if (weight->scheme == SCHEME_Q4)
        *ret_kind = WEIGHT_Q4;
    else if (weight->dtype == DTYPE_F32)
        *ret_kind = WEIGHT_F32;
    else if (weight->dtype == DTYPE_F16)
        *ret_kind = WEIGHT_F16;
    else if (weight->dtype == DTYPE_BF16)
        *ret_kind = WEIGHT_BF16;
    else
        return FAIL(err, ERR_UNSUPPORTED,
                    "weights of %s: f32, f16, bf16, int8 by row and 4 bits by group are supported",
                    dtype_name(weight->dtype));
    return OK;
}

double packed_row_bytes(const Constant *weight) {
    return (double)(constant_row_bytes(weight) + constant_row_scales(weight) * sizeof(float));
}

// The places of a row block in the scratch of a tile: scales [nr][row_scales], then rows of elements or codes.
typedef struct PackJob {
    const PackedWeights *packed;
    const Constant *weight;
    unsigned char *data, *scratch;
    size_t panels_each, row_scales, scales_bytes, scratch_each;
} PackJob;

// One tile packs `panels_each` panels; rows that straddle the parts of a constant are gathered first.
static void pack_tile(void *context, size_t index) {
    const PackJob *job = context;
    const PackedWeights *p = job->packed;
    size_t nr = p->gemm->nr;
    float *scales = (float *)(void *)(job->scratch + index * job->scratch_each);
    unsigned char *room = (unsigned char *)scales + job->scales_bytes;
    size_t first = index * job->panels_each,
           last = first + job->panels_each < p->panels ? first + job->panels_each : p->panels;
    for (size_t panel = first; panel < last; panel++) {
        size_t row = panel * nr;
        GemmRows rows = {.weights = room,
                         .stride = p->k,
                         .columns = p->n - row < nr ? p->n - row : nr,
                         .k = p->k,
                         .group = p->group};
        if (p->kind == WEIGHT_Q4)
            constant_codes(job->weight, row, rows.columns, room);
        else
            rows.weights = constant_rows(job->weight, row, rows.columns, room);
        if (job->row_scales) {
            constant_scales(job->weight, row, rows.columns, scales);
            rows.scales = scales;
        }
        p->gemm->pack(&rows, job->data + panel * p->panel_bytes);
    }
}

// After packing, the mapped originals may leave memory: a tied embedding comes back row by row as it is read.
static void forget(const Constant *weight) {
    for (size_t p = 0; p < weight->part_count; p++)
        forget(weight->parts[p]);
    if (!weight->part_count && weight->mapped)
        file_forget(weight->data, (size_t)weight->shape.dims[0] * constant_row_bytes(weight));
}

// What packed_free has to give back.
typedef struct Mapping {
    void *data;
    size_t bytes;
} Mapping;

static void packed_free(void *object) {
    Mapping *mapping = object;
    memory_unmap(mapping->data, mapping->bytes);
}

// Panels [0, panels) of the weight into `room`, on all threads of the pool.
static Status pack(Pool *pool, const Constant *weight, const PackedWeights *packed, unsigned char *room, Error *err) {
    size_t most_tiles = (size_t)pool_threads(pool) * 4;
    size_t tiles = most_tiles < packed->panels ? most_tiles : packed->panels;
    PackJob job = {.packed = packed, .weight = weight, .data = room};
    size_t element_bytes = packed->kind == WEIGHT_Q4 ? 1 : dtype_bytes(weight->dtype);
    job.row_scales = constant_row_scales(weight);
    job.panels_each = (packed->panels + tiles - 1) / tiles;
    job.scales_bytes = packed->gemm->nr * job.row_scales * sizeof(float);
    job.scratch_each = (job.scales_bytes + packed->gemm->nr * packed->k * element_bytes + 63) / 64 * 64;
    TRY_NEW(job.scratch = memory_map(tiles * job.scratch_each, err));
    pool_run(pool, (packed->panels + job.panels_each - 1) / job.panels_each, pack_tile, &job);
    memory_unmap(job.scratch, tiles * job.scratch_each);
    return OK;
}

Status packed_room(Arena *arena, size_t bytes, unsigned char **ret_data, Error *err) {
    Mapping *mapping = arena_array(arena, 1, sizeof *mapping, err);
    TRY_NEW(mapping);
    mapping->bytes = bytes;
    TRY_NEW(mapping->data = memory_map(bytes, err));
    TRY(arena_on_free(arena, packed_free, mapping, err));
    *ret_data = mapping->data;
    return OK;
}

static void set_kernel(PackedWeights *packed, const GemmKernel *gemm) {
    packed->gemm = gemm;
    packed->panels = gemm_panels(gemm, packed->n);
    packed->panel_bytes = gemm->panel_bytes(packed->k, packed->group);
}

// What is known of a weight before it has memory.
static Status describe(const Kernels *kernels, const Constant *weight, PackedWeights *ret, Error *err) {
    PackedWeights packed = {.n = (size_t)weight->shape.dims[0], .k = (size_t)weight->shape.dims[1]};
    TRY(packed_kind(weight, &packed.kind, err));
    if (packed.kind == WEIGHT_Q4) {
        packed.group = first_piece(weight)->group;
        packed.codes = first_piece(weight)->codes;
    }
    set_kernel(&packed, &kernels->gemm[packed.kind]);
    *ret = packed;
    return OK;
}

static const PackedPlace *place_find(const PackedBlock *block, const Constant *weight) {
    for (size_t i = 0; block && i < block->count; i++)
        if (block->places[i].weight == weight)
            return &block->places[i];
    return NULL;
}

Status packed_make(const OpPrepare *args, const Constant *weight, PackedWeights *ret_packed, Error *err) {
    const PackedPlace *place = place_find(args->block, weight);
    PackedWeights packed;
    TRY(describe(args->kernels, weight, &packed, err));
    unsigned char *room = NULL;
    if (place) {
        set_kernel(&packed, place->packed.gemm);
        packed.tilings = place->tilings;
        packed.data = args->block->data + place->offset;
        room = args->block->room ? args->block->room + place->offset : NULL;
    } else {
        TRY(packed_room(args->arena, packed.panels * packed.panel_bytes, &room, err));
        packed.data = room;
    }
    if (room) {
        TRY(pack(args->pool, weight, &packed, room, err));
        forget(weight);
    }
    *args->ret_packed_bytes += packed.panels * packed.panel_bytes;
    *ret_packed = packed;
    return OK;
}

Status packed_sample(const PackedWeights *packed, const Constant *weight, size_t rows, unsigned char *ret_panels,
                     Error *err) {
    PackedWeights part = *packed;
    part.n = rows < packed->n ? rows : packed->n;
    part.panels = gemm_panels(part.gemm, part.n);
    return pack(NULL, weight, &part, ret_panels, err);
}

void packed_place_set_kernel(PackedPlace *place, const GemmKernel *gemm) {
    set_kernel(&place->packed, gemm);
}

void packed_block_lay_out(PackedBlock *block) {
    block->bytes = 0;
    for (size_t i = 0; i < block->count; i++) {
        PackedPlace *place = &block->places[i];
        place->offset = block->bytes;
        place->bytes = place->packed.panels * place->packed.panel_bytes;
        block->bytes += (place->bytes + 63) / 64 * 64;
    }
}

Status packed_block_make(Arena *arena, const Kernels *kernels, const Graph *const *graphs, size_t graph_count,
                         PackedBlock *ret_block, Error *err) {
    PackedBlock block = {.count = 0};
    size_t most = 0;
    for (size_t g = 0; g < graph_count; g++)
        most += graphs[g]->node_count;
    TRY_NEW(block.places = arena_array(arena, most, sizeof *block.places, err));
    for (size_t g = 0; g < graph_count; g++)
        for (size_t i = 0; i < graphs[g]->node_count; i++) {
            const Node *node = graphs[g]->nodes[i];
            const Constant *weight = node->op == OP_LINEAR ? node->inputs[1].constant : NULL;
            if (!weight || place_find(&block, weight))
                continue;
            PackedPlace *place = &block.places[block.count];
            *place = (PackedPlace){.weight = weight, .graph = g};
            TRY(describe(kernels, weight, &place->packed, err));
            block.count++;
        }
    packed_block_lay_out(&block);
    *ret_block = block;
    return OK;
}

Status packed_block_map(Arena *arena, PackedBlock *block, Error *err) {
    TRY(packed_room(arena, block->bytes, &block->room, err));
    block->data = block->room;
    return OK;
}
