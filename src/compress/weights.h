// SPDX-License-Identifier: Apache-2.0
// Weights on their way into another form: what each tensor becomes (assign.c), what its values allow, and the file that
// holds the result (weights.c).
#pragma once

#include "compress/roles.h"
#include "compress/scheme.h"
#include "format/notes.h"
#include "tensor/quantize4.h"

typedef struct QuantizeOptions QuantizeOptions;

typedef struct Weight {
    const Tensor *source;
    const Tensor *source_scales; // where the source is int8 already
    TensorRole role;
    DType dtype;         // of the elements to write
    WeightScheme packed; // STORE_INT8 and on: codes with scales beside them; else STORE_AS_IS
    size_t group;        // elements to a scale where packed
    Int4Rule rule;       // of STORE_INT4's scales
    bool nested;         // STORE_NF4 under double quantization
    size_t rows, columns;
    float *scales; // by row, group or block; filled, as what follows, by weights_scan
    Tensor *sides; // what stands beside the codes
    size_t side_count;
    size_t original_bytes, bytes; // sides included
} Weight;

// Sorted by name. Further names of a tied table are left out, scales belong to their tensor.
typedef struct WeightList {
    Weight *items;
    size_t count;
    Notes notes;
} WeightList;

// Told how many of `total` bytes of work are done; may be NULL.
typedef struct WorkMeter {
    void (*tell)(void *context, uint64_t done, uint64_t total);
    void *context;
    uint64_t done, total;
} WorkMeter;

void meter_add(WorkMeter *meter, uint64_t bytes);

// "fp32", "fp16", "bf16", "int8", "int4", "nf4", or the dtype's name.
const char *weight_scheme(const Weight *weight);

// Decides what every tensor becomes. ERR_USAGE for a keep rule that matches nothing and for packed tables that
// `options->loadable` forbids, as for groups that do not divide a weight's columns; ERR_UNSUPPORTED for a packed tensor
// that is asked to become something else.
MUST_CHECK Status weights_assign(Arena *arena, const Model *model, const QuantizeOptions *options, WeightList *ret_list,
                                 Error *err);

// Reads every value once: ERR_FORMAT names the tensor and the place of one that is not finite. Tensors that do not fit
// into half precision become f32, with a note. Fills scales and sides.
MUST_CHECK Status weights_scan(Arena *arena, const ModelInfo *info, WeightList *list, WorkMeter *meter, Error *err);

// Writes them as one safetensors file, tensor by tensor; only one piece of one tensor is in memory at a time.
MUST_CHECK Status weights_write(Arena *arena, const ModelInfo *info, const char *path, const WeightList *list,
                                WorkMeter *meter, Error *err);

// Tells the kernel that a tensor's bytes are not needed again soon, if they lie in one of the model's file maps.
void model_bytes_forget(const ModelInfo *info, const void *data, size_t bytes);
