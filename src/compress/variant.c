// SPDX-License-Identifier: Apache-2.0
// Through the weight's tensors, as a file would hold them, into a constant, as a family reads it.
#include "compress/variant.h"

#include "arch/weights.h"
#include "tensor/sparse.h"

size_t variant_group(const Tensor *tensor) {
    for (size_t group = 128; group >= 32; group /= 2)
        if (tensor->shape.rank == 2 && (size_t)tensor->shape.dims[1] % group == 0)
            return group;
    return 0;
}

Status variant_make(Arena *arena, const Model *model, Weight *weight, Variant *ret_variant, Error *err) {
    WeightList list = {.items = weight, .count = 1};
    Bundle bundle;
    TRY(weights_scan(arena, model_info(model), &list, &(WorkMeter){0}, err));
    TRY(weight_tensors(arena, model_info(model), weight, &bundle, err));
    size_t ignored;
    TRY(sparse_expand(arena, &bundle, &ignored, err));
    Graph *graph = graph_make(arena, "variant", err);
    TRY_NEW(graph);
    ArchInput input = {.config_name = "its weight", .tensors = &bundle};
    GraphBuilder builder = {.graph = graph, .input = &input, .err = err};
    const Constant *constant =
        builder_constant(&builder, (const char *const[]){weight->name, NULL}, weight->rows, weight->columns);
    TRY(builder.status);
    *ret_variant = (Variant){.constant = *constant, .original_bytes = weight->original_bytes, .bytes = weight->bytes};
    ret_variant->constant.name = weight->source->name;
    return OK;
}
