// SPDX-License-Identifier: Apache-2.0
// The reference set: a function for everything.
#include "kernel/ref/ref.h"
#include "kernel/sets.h"

void kernels_fill_ref(Kernels *kernels) {
    *kernels = (Kernels){
        .level = CPU_REF,
        .quantize_row_s8 = ref_quantize_row_s8,
        .quantize_row_s8_by = ref_quantize_row_s8_by,
        .range = ref_range,
        .quantize_u8 = ref_quantize_u8,
        .layer_norm = ref_layer_norm,
        .activate = ref_activate_many,
        .add = ref_add,
        .scale = ref_scale,
        .gather_row = ref_gather_row,
        .gather_codes = ref_gather_codes,
        .log_softmax = ref_log_softmax,
        .softmax = ref_softmax,
        .log_normalizer = ref_log_normalizer,
        .top_log_softmax = ref_top_log_softmax,
        .argmax = ref_argmax,
        .store_blocks = ref_store_blocks,
        .store_row = ref_store_row,
        .attention_blocks = ref_attention_blocks,
        .attention_rows = ref_attention_rows,
        .attention_s8 = ref_attention_s8,
    };
    for (size_t kind = 0; kind < WEIGHT_KIND_COUNT; kind++)
        kernels->gemm[kind] = ref_gemm[kind];
}
