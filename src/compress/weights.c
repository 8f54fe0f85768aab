// SPDX-License-Identifier: Apache-2.0
// Values through in pieces: one pass to check them and to find the scales, one to convert and write. Pages of the
// source leave memory as soon as a tensor is done.
#include "compress/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/encode.h"
#include "format/safetensors/safetensors.h"

enum {
    PIECE = 1 << 16,      // elements converted at once, or one row where that is longer
    WRITE_BYTES = 1 << 20 // written at once where nothing changes
};

#define F16_LARGEST 65504.0f

void meter_add(WorkMeter *meter, uint64_t bytes) {
    meter->done += bytes;
    if (meter->tell)
        meter->tell(meter->context, meter->done, meter->total);
}

void model_bytes_forget(const ModelInfo *info, const void *data, size_t bytes) {
    for (size_t i = 0; i < info->file_count; i++) {
        uintptr_t start = (uintptr_t)info->contents[i].data, at = (uintptr_t)data;
        if (at >= start && at - start <= info->contents[i].size && bytes <= info->contents[i].size - (at - start))
            file_forget(data, bytes);
    }
}

void weight_keep_rows(Weight *weight, const uint32_t *kept, size_t count) {
    weight->kept_rows = kept;
    weight->rows = count;
    weight->shape.dims[0] = (int64_t)count;
    weight->bytes = weight->rows * weight->columns * dtype_bytes(weight->dtype);
}

void weight_keep_columns(Weight *weight, const uint32_t *kept, size_t count) {
    weight->kept_columns = kept;
    weight->columns = count;
    weight->shape.dims[weight->shape.rank - 1] = (int64_t)count;
    weight->bytes = weight->rows * weight->columns * dtype_bytes(weight->dtype);
}

void weight_set_change(Weight *weight, WeightChange change) {
    weight->change = change;
    if (weight->dtype == DTYPE_F64)
        weight->dtype = DTYPE_F32;
    weight->bytes = weight->rows * weight->columns * dtype_bytes(weight->dtype);
}

static int by_file_name(const void *a, const void *b) {
    return strcmp(((const Weight *)a)->name, ((const Weight *)b)->name);
}

void weights_sort(WeightList *list) {
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, by_file_name);
}

// Room for one piece in each form it passes through.
typedef struct Pieces {
    float *wide;
    int8_t *small;
    unsigned char *gathered; // as in the source; NULL where nothing is cut
    size_t room;             // elements
    const ModelInfo *info;
} Pieces;

static bool is_cut(const Weight *weight) {
    return weight->kept_rows || weight->kept_columns;
}

static Status pieces_make(Arena *arena, const ModelInfo *info, const WeightList *list, Pieces *ret_pieces, Error *err) {
    Pieces pieces = {.room = PIECE, .info = info};
    bool cut = false;
    for (size_t i = 0; i < list->count; i++) {
        cut |= is_cut(&list->items[i]);
        if (list->items[i].packed && list->items[i].columns > pieces.room)
            pieces.room = list->items[i].columns;
    }
    if (cut)
        TRY_NEW(pieces.gathered = arena_array(arena, pieces.room, sizeof(double), err));
    TRY_NEW(pieces.wide = arena_array(arena, pieces.room, sizeof *pieces.wide, err));
    TRY_NEW(pieces.small = arena_array(arena, pieces.room, sizeof *pieces.small, err));
    *ret_pieces = pieces;
    return OK;
}

static size_t source_row(const Weight *weight, size_t row) {
    return weight->kept_rows ? weight->kept_rows[row] : row;
}

// The place in the source of an element of the weight.
static size_t source_element(const Weight *weight, size_t element) {
    size_t column = element % weight->columns;
    return source_row(weight, element / weight->columns) * weight->source_columns +
           (weight->kept_columns ? weight->kept_columns[column] : column);
}

// `count` elements of one row from `column` on, one behind the other.
static void row_gather(const Weight *weight, size_t row, size_t column, size_t count, unsigned char *to) {
    size_t size = dtype_bytes(weight->source->dtype);
    const unsigned char *from =
        (const unsigned char *)weight->source->data + source_row(weight, row) * weight->source_columns * size;
    if (!weight->kept_columns) {
        memcpy(to, from + column * size, count * size);
        return;
    }
    for (size_t c = 0; c < count; c++)
        memcpy(to + c * size, from + weight->kept_columns[column + c] * size, size);
}

// Elements [first, first + count) in the source's dtype: where they lie, or gathered.
static const void *piece_find(const Weight *weight, size_t first, size_t count, Pieces *pieces) {
    size_t size = dtype_bytes(weight->source->dtype);
    if (!is_cut(weight))
        return (const unsigned char *)weight->source->data + first * size;
    for (size_t done = 0, run; done < count; done += run) {
        size_t column = (first + done) % weight->columns;
        run = weight->columns - column < count - done ? weight->columns - column : count - done;
        row_gather(weight, (first + done) / weight->columns, column, run, pieces->gathered + done * size);
    }
    return pieces->gathered;
}

// The source of those elements leaves memory.
static void piece_forget(const Weight *weight, size_t first, size_t count, const Pieces *pieces) {
    size_t size = dtype_bytes(weight->source->dtype), start = source_element(weight, first);
    size_t end = source_element(weight, first + count - 1) + 1;
    model_bytes_forget(pieces->info, (const unsigned char *)weight->source->data + start * size, (end - start) * size);
}

// Elements [first, first + count) as f32 in pieces->wide, changed.
static void piece_widen(const Weight *weight, size_t first, size_t count, Pieces *pieces) {
    Tensor part = {.dtype = weight->source->dtype, .data = piece_find(weight, first, count, pieces)};
    part.bytes = count * dtype_bytes(part.dtype);
    tensor_to_f32(&part, pieces->wide);
    if (weight->change.apply)
        weight->change.apply(weight->change.context, first, count, pieces->wide);
    piece_forget(weight, first, count, pieces);
}

Status weight_not_finite(const Tensor *tensor, size_t element, float value, Error *err) {
    Shape place = tensor->shape;
    for (int d = place.rank; d-- > 0; element /= (size_t)tensor->shape.dims[d])
        place.dims[d] = (int64_t)(element % (size_t)tensor->shape.dims[d]);
    char text[SHAPE_TEXT_BYTES];
    return FAIL(err, ERR_FORMAT, "tensor '%s' is %g at %s, and weights must be finite", tensor->name, (double)value,
                shape_text(&place, text));
}

// Marks the values that are not zero.
static void bits_set(Weight *weight, const float *values, size_t first, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (values[i] != 0) {
            weight->bitmap[(first + i) / 8] |= (uint8_t)(1u << (first + i) % 8);
            weight->ones++;
        }
}

// The largest magnitude; scales too where the tensor is packed. Pieces are whole rows or blocks then.
static Status values_scan(Weight *weight, Pieces *pieces, float *ret_absmax, Error *err) {
    size_t elements = weight->rows * weight->columns, step = encode_step(weight, pieces->room), bytes;
    float absmax = 0;
    for (size_t first = 0; first < elements; first += step) {
        size_t count = elements - first < step ? elements - first : step;
        piece_widen(weight, first, count, pieces);
        for (size_t i = 0; i < count; i++) {
            if (!isfinite(pieces->wide[i]))
                return weight_not_finite(weight->source, source_element(weight, first + i), pieces->wide[i], err);
            float magnitude = fabsf(pieces->wide[i]);
            absmax = magnitude > absmax ? magnitude : absmax;
        }
        if (weight->sparse)
            bits_set(weight, pieces->wide, first, count);
        if (weight->packed)
            TRY(encode_piece(weight, pieces->wide, first, count, pieces->small, &bytes, err));
    }
    *ret_absmax = absmax;
    return OK;
}

static Status scales_take(Weight *weight, Error *err) {
    const Tensor *scales = weight->source_scales;
    tensor_to_f32(scales, weight->scales);
    for (size_t r = 0; r < weight->rows; r++)
        if (!isfinite(weight->scales[r]) || weight->scales[r] < 0)
            return FAIL(err, ERR_FORMAT, "tensor '%s' is %g for row %zu, and scales must be finite and not negative",
                        scales->name, (double)weight->scales[r], r);
    return OK;
}

static Status weight_scan(Arena *arena, Weight *weight, Pieces *pieces, Notes *notes, Error *err) {
    const Tensor *tensor = weight->source;
    if (weight->codes) // values were looked at when these were made
        return encode_sides(arena, weight, err);
    if (weight->packed)
        TRY_NEW(weight->scales = arena_array(arena, encode_scales(weight), sizeof *weight->scales, err));
    if (weight->source_scales) {
        TRY(scales_take(weight, err));
        return encode_sides(arena, weight, err);
    }
    bool real = dtype_is_real(tensor->dtype);
    float absmax = 0;
    if (weight->sparse)
        TRY_NEW(weight->bitmap = arena_array(arena, (weight->rows * weight->columns + 7) / 8, 1, err));
    if (real && tensor->bytes)
        TRY(values_scan(weight, pieces, &absmax, err));
    if (weight->dtype == DTYPE_F16 && absmax > F16_LARGEST) {
        weight->dtype = DTYPE_F32;
        weight->bytes *= 2;
        return notes_add(notes, arena, err, "tensor '%s' stays fp32: it holds %g and fp16 ends at %g", tensor->name,
                         (double)absmax, (double)F16_LARGEST);
    }
    return weight->packed || weight->sparse ? encode_sides(arena, weight, err) : OK;
}

Status weights_scan(Arena *arena, const ModelInfo *info, WeightList *list, WorkMeter *meter, Error *err) {
    Pieces pieces = {0};
    TRY(pieces_make(arena, info, list, &pieces, err));
    for (size_t i = 0; i < list->count; i++) {
        const Tensor *source = list->items[i].source;
        TRY(weight_scan(arena, &list->items[i], &pieces, &list->notes, err));
        model_bytes_forget(info, source->data, source->bytes); // pages that pieces share
        meter_add(meter, source->bytes);
    }
    return OK;
}

typedef struct Writing {
    const WeightList *list;
    Pieces pieces;
    WorkMeter *meter;
} Writing;

// `wide` as 16-bit elements in `small`: half of its room.
static void piece_narrow(Pieces *pieces, size_t count, DType dtype) {
    uint16_t *narrow = (uint16_t *)(void *)pieces->small;
    for (size_t i = 0; i < count; i++)
        narrow[i] = dtype == DTYPE_F16 ? f32_to_f16(pieces->wide[i]) : f32_to_bf16(pieces->wide[i]);
}

// Where bytes go: into a file, or into memory.
typedef struct Drain {
    SafetensorsSink *sink;
    Buffer *memory;
} Drain;

static Status drain_put(const Drain *drain, const void *data, size_t bytes, Error *err) {
    if (drain->sink)
        return safetensors_put(drain->sink, data, bytes, err);
    buffer_add(drain->memory, data, bytes);
    return buffer_status(drain->memory, err);
}

static Status bytes_put(const Tensor *tensor, const Pieces *pieces, const Drain *drain, Error *err) {
    const unsigned char *data = tensor->data;
    for (size_t at = 0; at < tensor->bytes; at += WRITE_BYTES) {
        size_t bytes = tensor->bytes - at < WRITE_BYTES ? tensor->bytes - at : WRITE_BYTES;
        TRY(drain_put(drain, data + at, bytes, err));
        model_bytes_forget(pieces->info, data + at, bytes);
    }
    return OK;
}

static Status kept_put(const Weight *weight, Pieces *pieces, const Drain *drain, Error *err) {
    size_t elements = weight->rows * weight->columns, size = dtype_bytes(weight->dtype);
    for (size_t first = 0; first < elements; first += pieces->room) {
        size_t count = elements - first < pieces->room ? elements - first : pieces->room;
        TRY(drain_put(drain, piece_find(weight, first, count, pieces), count * size, err));
        piece_forget(weight, first, count, pieces);
    }
    return OK;
}

static Status dense_put(const Weight *weight, Pieces *pieces, const Drain *drain, Error *err) {
    size_t elements = weight->rows * weight->columns, step = pieces->room / 2;
    for (size_t first = 0; first < elements; first += step) {
        size_t count = elements - first < step ? elements - first : step;
        piece_widen(weight, first, count, pieces);
        if (weight->dtype != DTYPE_F32)
            piece_narrow(pieces, count, weight->dtype);
        const void *from = weight->dtype == DTYPE_F32 ? (const void *)pieces->wide : pieces->small;
        TRY(drain_put(drain, from, count * dtype_bytes(weight->dtype), err));
    }
    return OK;
}

// The values that are not zero.
static Status sparse_put(const Weight *weight, Pieces *pieces, const Drain *drain, Error *err) {
    size_t elements = weight->rows * weight->columns, step = pieces->room / 2;
    for (size_t first = 0; first < elements; first += step) {
        size_t count = elements - first < step ? elements - first : step, kept = 0;
        piece_widen(weight, first, count, pieces);
        for (size_t i = 0; i < count; i++)
            if (pieces->wide[i] != 0)
                pieces->wide[kept++] = pieces->wide[i];
        if (weight->dtype != DTYPE_F32)
            piece_narrow(pieces, kept, weight->dtype);
        const void *from = weight->dtype == DTYPE_F32 ? (const void *)pieces->wide : pieces->small;
        TRY(drain_put(drain, from, kept * dtype_bytes(weight->dtype), err));
    }
    return OK;
}

static Status codes_put(const Weight *weight, Pieces *pieces, const Drain *drain, Error *err) {
    size_t elements = weight->rows * weight->columns, step = encode_step(weight, pieces->room), bytes;
    if (weight->codes)
        return drain_put(drain, weight->codes, elements / 2, err);
    for (size_t first = 0; first < elements; first += step) {
        size_t count = elements - first < step ? elements - first : step;
        piece_widen(weight, first, count, pieces);
        TRY(encode_piece(weight, pieces->wide, first, count, pieces->small, &bytes, err)); // the same scales again
        TRY(drain_put(drain, pieces->small, bytes, err));
    }
    return OK;
}

// The weight's own tensor; what stands beside it has its data already.
static Status weight_put(const Weight *weight, Pieces *pieces, const Drain *drain, Error *err) {
    if (weight->sparse)
        return sparse_put(weight, pieces, drain, err);
    if (weight->dtype == weight->source->dtype && !weight->change.apply)
        return is_cut(weight) ? kept_put(weight, pieces, drain, err) : bytes_put(weight->source, pieces, drain, err);
    return weight->packed ? codes_put(weight, pieces, drain, err) : dense_put(weight, pieces, drain, err);
}

typedef struct NameKey {
    const char *text;
    size_t length;
} NameKey;

static int by_name(const void *key, const void *item) {
    const NameKey *name = key;
    const char *other = ((const Weight *)item)->name;
    int order = strncmp(name->text, other, name->length);
    return order ? order : -(int)(other[name->length] != '\0');
}

// The weight that a tensor of the file holds: of its name, or of that without "_packed".
static const Weight *weight_of(const WeightList *list, const Tensor *tensor) {
    NameKey key = {tensor->name, strlen(tensor->name)};
    const Weight *weight = bsearch(&key, list->items, list->count, sizeof *weight, by_name);
    key.length -= encode_ending(tensor->name);
    return weight ? weight : bsearch(&key, list->items, list->count, sizeof *weight, by_name);
}

static Status produce(void *context, const Tensor *tensor, SafetensorsSink *sink, Error *err) {
    Writing *w = context;
    const Weight *weight = weight_of(w->list, tensor);
    const Tensor *source = weight->source;
    TRY(weight_put(weight, &w->pieces, &(Drain){.sink = sink}, err));
    model_bytes_forget(w->pieces.info, source->data, source->bytes); // pages that pieces share
    meter_add(w->meter, source->bytes);
    return OK;
}

Status weights_write(Arena *arena, const ModelInfo *info, const char *path, const WeightList *list, WorkMeter *meter,
                     Error *err) {
    Writing writing = {.list = list, .meter = meter};
    TRY(pieces_make(arena, info, list, &writing.pieces, err));
    Tensor *tensors = arena_array(arena, (1 + ENCODE_MOST_SIDES) * list->count, sizeof *tensors, err);
    TRY_NEW(tensors);
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const Weight *weight = &list->items[i];
        TRY(encode_tensor(arena, weight, &tensors[count++], err));
        for (size_t s = 0; s < weight->side_count; s++)
            tensors[count++] = weight->sides[s];
    }
    return safetensors_write(path, tensors, count, produce, &writing, err);
}

Status weight_tensors(Arena *arena, const ModelInfo *info, Weight *weight, Bundle *ret_bundle, Error *err) {
    WeightList list = {.items = weight, .count = 1};
    Bundle bundle = {.count = 1 + weight->side_count};
    Pieces pieces = {0};
    TRY(pieces_make(arena, info, &list, &pieces, err));
    TRY_NEW(bundle.tensors = arena_array(arena, bundle.count, sizeof *bundle.tensors, err));
    TRY(encode_tensor(arena, weight, &bundle.tensors[0], err));
    for (size_t s = 0; s < weight->side_count; s++)
        bundle.tensors[1 + s] = weight->sides[s];
    Buffer memory = {0};
    Status status = weight_put(weight, &pieces, &(Drain){.memory = &memory}, err);
    void *copy = status == OK ? arena_alloc(arena, memory.bytes, 64, err) : NULL;
    if (copy) {
        memcpy(copy, memory.data, memory.bytes);
        bundle.tensors[0].data = copy;
        bundle.tensors[0].bytes = memory.bytes;
    }
    buffer_done(&memory);
    if (!copy)
        return err->status;
    TRY(bundle_seal(&bundle, err));
    *ret_bundle = bundle;
    return OK;
}
