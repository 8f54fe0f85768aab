// SPDX-License-Identifier: Apache-2.0
// The micro model in INT8.
#pragma once

#include <math.h>

#include "model/variants.h"

// The scale and, for fc2, factors beside "X.weight"; how many there are.
static inline size_t input_add(Scratch *scratch, const Tensor *weight, float input_scale, Tensor *ret_tensors) {
    Error err;
    int length = (int)(strlen(weight->name) - strlen(".weight"));
    size_t columns = (size_t)weight->shape.dims[1];
    bool factors = strstr(weight->name, ".fc2.");
    float *values = arena_array(&scratch->arena, columns + 1, sizeof *values, &err);
    for (size_t i = 0; i <= columns; i++)
        values[i] = i < columns ? 1 + (float)(i % 3) / 4 : input_scale;
    ret_tensors[0] = (Tensor){.name = arena_format(&scratch->arena, &err, "%.*s.input_scale", length, weight->name),
                              .dtype = DTYPE_F32,
                              .shape = {1, {1}},
                              .data = values + columns,
                              .bytes = sizeof *values};
    ret_tensors[1] = (Tensor){.name = arena_format(&scratch->arena, &err, "%.*s.input_factors", length, weight->name),
                              .dtype = DTYPE_F32,
                              .shape = {1, {(int64_t)columns}},
                              .data = values,
                              .bytes = columns * sizeof *values};
    return factors ? 2 : 1;
}

// Every matrix as int8 rows with scales beside them, or as the numbers these mean. `input_scale` not 0: what linears
// read is rounded by it; those named fc2 have factors too.
static inline const char *rounded_folder(Scratch *scratch, const char *name, bool codes, float input_scale) {
    Error err;
    const char *folder = variant_folder(scratch, name, MICRO, "{}");
    Bundle bundle = variant_tensors(&scratch->arena, MICRO);
    Tensor *tensors = arena_array(&scratch->arena, 4 * bundle.count, sizeof *tensors, &err);
    size_t count = 0;
    for (size_t i = 0; i < bundle.count; i++) {
        Tensor *t = &tensors[count++];
        *t = bundle.tensors[i];
        if (t->shape.rank != 2 || t->shape.dims[0] == 1)
            continue;
        size_t rows = (size_t)t->shape.dims[0], columns = (size_t)t->shape.dims[1];
        const float *from = t->data;
        float *scales = arena_array(&scratch->arena, rows, sizeof *scales, &err);
        float *reals = arena_array(&scratch->arena, rows * columns, sizeof *reals, &err);
        int8_t *bytes = arena_array(&scratch->arena, rows * columns, sizeof *bytes, &err);
        for (size_t e = 0; e < rows * columns; e++) {
            scales[e / columns] = 0.01f * (float)(1 + e / columns % 3);
            bytes[e] = (int8_t)fmaxf(-127, fminf(127, roundf(from[e] / scales[e / columns])));
            reals[e] = (float)bytes[e] * scales[e / columns];
        }
        t->data = codes ? (const void *)bytes : reals;
        if (!codes)
            continue;
        t->dtype = DTYPE_I8;
        t->bytes = rows * columns;
        tensors[count++] = (Tensor){.name = arena_format(&scratch->arena, &err, "%s_scale", t->name),
                                    .dtype = DTYPE_F32,
                                    .shape = {2, {(int64_t)rows, 1}},
                                    .data = scales,
                                    .bytes = rows * sizeof *scales};
        if (input_scale > 0 && strstr(t->name, "layers."))
            count += input_add(scratch, t, input_scale, &tensors[count]);
    }
    variant_write(scratch, folder, "model.safetensors", tensors, count);
    return folder;
}
