// SPDX-License-Identifier: Apache-2.0
// Hashes against hone.json, then every number of every tensor.
#include "compress/verify.h"

#include <math.h>
#include <string.h>

#include "op/op.h"
#include "tensor/four_bits.h"

enum { PIECE = 1 << 12 };

// The evidence is of the weights whose hash is `sha256`; "" where there are none to compare with, which is a problem
// already.
static Status evidence_check(Arena *arena, const char *sha256, VerifyReport *report, Error *err) {
    const json_t *evidence = report->manifest.evidence;
    Error damage;
    if (!evidence)
        return OK;
    if (evidence_summarize(evidence, &report->evidence, &damage) != OK)
        return notes_add(&report->problems, arena, err, "%s", damage.message);
    report->evidence_read = true;
    const char *told = report->evidence.weights_sha256;
    if (told && *sha256 && strcmp(told, sha256) != 0)
        return notes_add(&report->problems, arena, err,
                         "the evidence in hone.json is of other weights: of SHA-256 %.12s..., and that of "
                         "'model.safetensors' is %.12s...",
                         told, sha256);
    return OK;
}

static Status hashes_check(Arena *arena, const ModelInfo *info, WorkMeter *meter, VerifyReport *report, Error *err) {
    TRY(manifest_read(arena, info->folder, &report->manifest, err));
    const FileRecords *files = &report->manifest.files;
    bool weights = false;
    char weights_sha256[SHA256_TEXT_BYTES] = "";
    for (size_t i = 0; i < files->count; i++) {
        const FileRecord *told = &files->items[i];
        bool is_weights = strcmp(told->name, "model.safetensors") == 0;
        char *path = path_join(arena, info->folder, told->name, err);
        TRY_NEW(path);
        weights |= is_weights;
        if (path_kind(path) != PATH_FILE) {
            TRY(notes_add(&report->problems, arena, err, "file '%s' is missing, which hone.json lists", told->name));
            continue;
        }
        Bytes bytes;
        FileRecord found;
        TRY(file_map(arena, path, &bytes, err));
        file_record_fill(told->name, bytes, meter, &found);
        report->files++;
        if (is_weights)
            memcpy(weights_sha256, found.sha256, sizeof weights_sha256);
        if (found.bytes != told->bytes)
            TRY(notes_add(&report->problems, arena, err, "file '%s' has %zu bytes, and hone.json says %zu", told->name,
                          found.bytes, told->bytes));
        else if (strcmp(found.sha256, told->sha256) != 0)
            TRY(notes_add(&report->problems, arena, err,
                          "file '%s' has changed: its SHA-256 is %.12s..., and hone.json "
                          "says %.12s...",
                          told->name, found.sha256, told->sha256));
    }
    if (report->manifest.there && !weights)
        TRY(notes_add(&report->problems, arena, err, "hone.json does not list 'model.safetensors'"));
    return evidence_check(arena, weights_sha256, report, err);
}

// The first element that is not finite; `elements`: none.
static size_t find_not_finite(const Tensor *tensor, size_t elements, float *ret_value) {
    float values[PIECE];
    size_t size = dtype_bytes(tensor->dtype);
    for (size_t first = 0; first < elements; first += PIECE) {
        size_t count = elements - first < PIECE ? elements - first : PIECE;
        Tensor part = {
            .dtype = tensor->dtype, .data = (const unsigned char *)tensor->data + first * size, .bytes = count * size};
        tensor_to_f32(&part, values);
        for (size_t i = 0; i < count; i++)
            if (!isfinite(values[i])) {
                *ret_value = values[i];
                return first + i;
            }
    }
    return elements;
}

static Status real_check(Arena *arena, const Tensor *tensor, VerifyReport *report, Error *err) {
    size_t elements = tensor->bytes / dtype_bytes(tensor->dtype);
    float value;
    size_t bad = find_not_finite(tensor, elements, &value);
    report->real_tensors++;
    if (bad == elements)
        return OK;
    return notes_add(&report->problems, arena, err, "tensor '%s': element %zu is %g", tensor->name, bad, (double)value);
}

static bool row_is_zero(const int8_t *row, size_t columns) {
    for (size_t c = 0; c < columns; c++)
        if (row[c])
            return false;
    return true;
}

// hone's own weights end at -127; other writers use -128 too.
static Status rows_check(Arena *arena, const Tensor *tensor, const float *scales, size_t rows, VerifyReport *report,
                         Error *err) {
    size_t columns = rows ? tensor->bytes / rows : 0;
    const int8_t *row = tensor->data;
    for (size_t r = 0; r < rows; r++, row += columns) {
        bool finite = isfinite(scales[r]) && scales[r] >= 0;
        if (!finite || (scales[r] == 0 && !row_is_zero(row, columns)))
            return notes_add(&report->problems, arena, err,
                             "tensor '%s': the scale of row %zu is %g, and scales are positive", tensor->name, r,
                             (double)scales[r]);
        const int8_t *least = report->manifest.there ? memchr(row, 0x80, columns) : NULL;
        if (least)
            return notes_add(&report->problems, arena, err,
                             "tensor '%s': row %zu, column %zu is -128, and hone writes "
                             "-127 to 127",
                             tensor->name, r, (size_t)(least - row));
    }
    return OK;
}

static Status int8_check(Arena *arena, const Tensor *tensor, const Tensor *scale_tensor, VerifyReport *report,
                         Error *err) {
    size_t rows = scale_tensor->bytes / dtype_bytes(scale_tensor->dtype);
    float *scales = arena_array(arena, rows, sizeof *scales, err);
    TRY_NEW(scales);
    tensor_to_f32(scale_tensor, scales);
    report->int8_tensors++;
    return rows_check(arena, tensor, scales, rows, report, err);
}

static Status tensors_check(Arena *arena, const Model *model, WorkMeter *meter, VerifyReport *report, Error *err) {
    const Bundle *bundle = model_tensors(model);
    TensorRole *roles;
    TRY(roles_find(arena, model, &roles, err));
    WeightForm form = {.described = strcmp(report->info->quantization, "none") != 0,
                       .ragged = report->info->shapes.ragged,
                       .sparse = report->info->sparse_tensors,
                       .graphs = report->info->onnx};
    for (size_t i = 0; i < bundle->count; i++) {
        const Tensor *tensor = &bundle->tensors[i];
        FourBitForm four = role_is_weight(roles[i]) ? four_bits_form(bundle, tensor) : FOUR_BITS_NONE;
        const Tensor *scales = role_is_weight(roles[i]) ? scales_of(bundle, tensor) : NULL;
        bool real = dtype_is_real(tensor->dtype);
        if (four != FOUR_BITS_NONE)
            report->four_bit_tensors++; // model_open has read its scales
        else if (scales)
            TRY(int8_check(arena, tensor, scales, report, err));
        else if (real && roles[i] != ROLE_SCALES)
            TRY(real_check(arena, tensor, report, err));
        bool linear = roles[i] == ROLE_LINEAR;
        form.int8 |= scales && linear;
        form.int8_static |= scales && linear && input_scale_of(bundle, tensor);
        form.factors |= scales && linear && input_factors_of(bundle, tensor);
        form.int4 |= four == FOUR_BITS_INT4 && linear;
        form.blocks |= (four == FOUR_BITS_NF4 || four == FOUR_BITS_FP4) && linear;
        form.tables |= (scales || four != FOUR_BITS_NONE) && !linear;
        model_bytes_forget(report->info, tensor->data, tensor->bytes);
        meter_add(meter, tensor->bytes);
    }
    loaders_judge(form, report->loaders);
    return OK;
}

Status verify_model(Arena *arena, const char *path, WorkMeter *meter, VerifyReport *ret_report, Error *err) {
    const Model *model;
    TRY(model_open(arena, path, false, &model, err));
    TRY(op_verify(model_session(model)->encode, err));
    TRY(op_verify(model_session(model)->decode, err));
    TRY(op_verify(model_session(model)->head, err));
    VerifyReport report = {.info = model_info(model)};
    meter->total = 2 * (uint64_t)report.info->weight_bytes;
    TRY(hashes_check(arena, report.info, meter, &report, err));
    TRY(tensors_check(arena, model, meter, &report, err));
    *ret_report = report;
    return OK;
}
