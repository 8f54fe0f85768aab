// SPDX-License-Identifier: Apache-2.0
// Weights on their way into another form: what each tensor becomes (assign.c), what its values allow, and the file that
// holds the result (weights.c).
#pragma once

#include "compress/roles.h"
#include "compress/scheme.h"
#include "format/notes.h"
#include "tensor/quantize4.h"

typedef struct QuantizeOptions QuantizeOptions;
typedef struct GptqLayer GptqLayer;

// Changes values on their way into the file: values [count] are elements [first, first + count) of the weight as it is
// written, rows and columns that go already left out. Called more than once for each element, in any order.
typedef struct WeightChange {
    void (*apply)(const void *context, size_t first, size_t count, float *values); // NULL: nothing changes
    const void *context;
} WeightChange;

// source -> kept rows and columns -> changed values -> scheme -> file.
typedef struct Weight {
    const Tensor *source;
    const char *name;                         // in the file
    Shape shape;                              // of what is kept
    const uint32_t *kept_rows, *kept_columns; // of the source, ascending; NULL: all
    WeightChange change;                      // of real weights; F64 becomes F32
    const Tensor *source_scales;              // where the source is int8 already
    TensorRole role;
    DType dtype;         // of the elements to write
    WeightScheme packed; // STORE_INT8 and on: codes with scales beside them; else STORE_AS_IS
    size_t group;        // elements to a scale where packed
    Int4Rule rule;       // of STORE_INT4's scales
    bool nested;         // STORE_NF4 under double quantization
    bool static_input;   // STORE_INT8 whose activations have one scale (compress/static_input.h)
    float input_scale;
    const float *input_factors; // [columns] that activations are multiplied with before, or NULL
    size_t rows, columns;       // kept; a vector is one row
    size_t source_columns;
    float *scales;         // by row, group or block; filled, as what follows, by weights_scan
    const uint8_t *codes;  // of STORE_INT4, ready with their scales; NULL: made on the way
    const GptqLayer *gptq; // how they came out (compress/gptq_weights.h); NULL: made otherwise
    bool sparse;           // asked to be a bitmap and values (tensor/sparse.h); stays where that is smaller
    uint8_t *bitmap;       // filled by weights_scan
    size_t ones;
    Tensor *sides; // what stands beside the codes
    size_t side_count;
    size_t original_bytes, bytes; // sides included
} Weight;

// Sorted by name in the file. Further names of a tied table are left out, scales belong to their tensor.
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

// "fp32", "fp16", "bf16", "int8", "int8-static", "int4", "nf4", or the dtype's name.
const char *weight_scheme(const Weight *weight);

// Decides what every tensor becomes. ERR_USAGE for a keep rule that matches nothing and for packed tables that
// `options->loadable` forbids, as for groups that do not divide a weight's columns; ERR_UNSUPPORTED for a packed tensor
// that is asked to become something else.
MUST_CHECK Status weights_assign(Arena *arena, const Model *model, const QuantizeOptions *options, WeightList *ret_list,
                                 Error *err);

// The same for one tensor, whatever else `options` say of it.
MUST_CHECK Status weight_assign(const Bundle *bundle, const Tensor *tensor, TensorRole role,
                                const QuantizeOptions *options, WeightScheme scheme, Weight *ret_weight, Error *err);

// Reads every value once: ERR_FORMAT names the tensor and the place of one that is not finite. Tensors that do not fit
// into half precision become f32, with a note. Fills scales and sides.
MUST_CHECK Status weights_scan(Arena *arena, const ModelInfo *info, WeightList *list, WorkMeter *meter, Error *err);

// Writes them as one safetensors file, tensor by tensor; only one piece of one tensor is in memory at a time.
MUST_CHECK Status weights_write(Arena *arena, const ModelInfo *info, const char *path, const WeightList *list,
                                WorkMeter *meter, Error *err);

// What the file would hold of one weight of a scanned list, with its data, in `arena`: its own tensor and those beside
// it.
MUST_CHECK Status weight_tensors(Arena *arena, const ModelInfo *info, Weight *weight, Bundle *ret_bundle, Error *err);

// Leaves rows or columns of the source out: `kept` [count] are those that stay, ascending. Only for real weights, each
// way at most once.
void weight_keep_rows(Weight *weight, const uint32_t *kept, size_t count);
void weight_keep_columns(Weight *weight, const uint32_t *kept, size_t count);

// Has its values changed on their way.
void weight_set_change(Weight *weight, WeightChange change);

// Puts a list whose names changed in order again.
void weights_sort(WeightList *list);

// ERR_FORMAT that names the tensor and the place of a value that is not finite.
MUST_CHECK Status weight_not_finite(const Tensor *tensor, size_t element, float value, Error *err);

// Tells the kernel that a tensor's bytes are not needed again soon, if they lie in one of the model's file maps.
void model_bytes_forget(const ModelInfo *info, const void *data, size_t bytes);
