// SPDX-License-Identifier: Apache-2.0
// Packed weights and their choices, for people and as JSON.
#include "cli/explain_engine.h"

#include <string.h>

#include "base/clock.h"

static const char *origin_name(EngineOrigin origin) {
    return origin == ENGINE_MAPPED ? "mapped" : origin == ENGINE_PACKED ? "packed" : "uncached";
}

Status explain_origin(CommandRun *run, Session *session, Error *err) {
    const PackedBlock *block;
    const Tuning *tuning;
    const EngineReport *report = session_engine(session, &block, &tuning);
    Buffer *text = &run->out.text;
    double tuned_ms = (double)tuning->spent_ns * 1e-6;
    const char *path = report->path ? report->path : "";
    if (run->common.json) {
        buffer_format(text, "{\"engine\":\"%s\",\"path\":", origin_name(report->origin));
        buffer_add_json(text, path, strlen(path));
        buffer_add_text(text, ",\"note\":");
        buffer_add_json(text, report->note, strlen(report->note));
        buffer_format(text, ",\"matrices\":%zu,\"shapes\":%zu,\"packed_bytes\":%zu,\"tuned_ms\":%.1f}", block->count,
                      tuning->count, block->bytes, tuned_ms);
        return output_line(&run->out, err);
    }
    buffer_format(text, "engine: %zu matrices, %.1f MB, ", block->count, (double)block->bytes / 1e6);
    if (report->origin == ENGINE_UNCACHED)
        buffer_add_text(text, "packed at this start as usual, untuned: no engine cache");
    else
        buffer_format(text, "%s %s, tuned in %.1f ms",
                      report->origin == ENGINE_MAPPED ? "mapped from" : "packed at this start and written to", path,
                      tuned_ms);
    if (report->note[0])
        buffer_format(text, " (%s)", report->note);
    return output_line(&run->out, err);
}

static const PackedPlace *place_of(const PackedBlock *block, const Node *node) {
    for (size_t i = 0; node->op == OP_LINEAR && i < block->count; i++)
        if (block->places[i].weight == node->inputs[1].constant)
            return &block->places[i];
    return NULL;
}

static void choice_json(Buffer *text, const ShapeTuning *shape, size_t class, LinearTiling tiling, bool tuned) {
    buffer_format(text, ",\"tile_rows\":%u,\"tile_panels\":%u,\"tiling\":\"%s\",\"kernels_tried\":[", tiling.most_rows,
                  tiling.most_panels, tuned ? "timed" : "usual");
    for (uint32_t i = 0; shape && i < shape->kernel_count; i++)
        buffer_format(text, "%s{\"kernel\":\"%s\",\"rows\":%u,\"us\":%.2f}", i ? "," : "", shape->kernels[i].name,
                      shape->kernel_rows, (double)shape->kernels[i].us);
    buffer_add_text(text, "],\"tilings_tried\":[");
    for (uint32_t i = 0; shape && i < shape->classes[class].count; i++)
        buffer_format(text, "%s{\"tile_rows\":%u,\"tile_panels\":%u,\"rows\":%zu,\"us\":%.2f}", i ? "," : "",
                      shape->classes[class].tilings[i].most_rows, shape->classes[class].tilings[i].most_panels,
                      row_class_typical(class), (double)shape->classes[class].us[i]);
    buffer_add_char(text, ']');
}

static void choice_text(Buffer *text, const ShapeTuning *shape, size_t class, LinearTiling tiling, bool tuned) {
    buffer_format(text, "  [tile %ux%u %s", tiling.most_rows, tiling.most_panels, tuned ? "timed" : "usual");
    for (uint32_t i = 0; shape && i < shape->classes[class].count; i++)
        buffer_format(text, "%s %ux%u %.1f us", i ? "," : ":", shape->classes[class].tilings[i].most_rows,
                      shape->classes[class].tilings[i].most_panels, (double)shape->classes[class].us[i]);
    for (uint32_t i = 0; shape && i < shape->kernel_count; i++)
        buffer_format(text, "%s %s %.1f us", i ? "," : "; sample:", shape->kernels[i].name,
                      (double)shape->kernels[i].us);
    buffer_add_char(text, ']');
}

void explain_choice(CommandRun *run, Session *session, const Node *node, size_t rows, Buffer *text) {
    const PackedBlock *block;
    const Tuning *tuning;
    session_engine(session, &block, &tuning);
    const PackedPlace *place = place_of(block, node);
    if (!place)
        return;
    const ShapeTuning *shape = tuning_find(tuning, place);
    PackedWeights packed = place->packed;
    packed.tilings = place->tilings;
    size_t class = row_class(rows);
    LinearTiling tiling = tiling_choose(&packed, rows, (size_t)pool_threads(session_pool(session)));
    (run->common.json ? choice_json : choice_text)(text, shape, class, tiling, place->tilings[class].most_rows != 0);
}

enum { TILE_NS = 5000 };

// Takes TILE_NS of a thread's time.
static void busy(void *context, size_t index) {
    (void)context;
    (void)index;
    for (uint64_t end = clock_ns() + TILE_NS; clock_ns() < end;)
        ;
}

Status explain_region(CommandRun *run, Pool *pool, Error *err) {
    enum { WINDOWS = 1000, REGIONS = 5 };
    uint64_t least = UINT64_MAX;
    for (int w = 0; w < WINDOWS; w++) {
        uint64_t before = clock_ns();
        for (int r = 0; r < REGIONS; r++)
            pool_run(pool, (size_t)pool_threads(pool), busy, NULL);
        uint64_t spent = clock_ns() - before;
        least = spent < least ? spent : least;
    }
    double cost = ((double)least / REGIONS - TILE_NS) * 1e-3;
    buffer_format(&run->out.text,
                  run->common.json ? "{\"region_us\":%.3f}" : "a region of the threads: %.3f us more than its work",
                  cost > 0 ? cost : 0);
    return output_line(&run->out, err);
}
