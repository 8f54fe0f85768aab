// SPDX-License-Identifier: Apache-2.0
// Copies by nests of loops, indices and sizes out of tensors.
#include "op/tensor/move.h"

#include <string.h>

void element_copy(void *to, const void *from, size_t bytes) {
    switch (bytes) {
    case 1:
        memcpy(to, from, 1);
        break;
    case 2:
        memcpy(to, from, 2);
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    default:
        memcpy(to, from, bytes);
    }
}

void elements_fill(const void *value, size_t width, size_t count, void *ret_elements) {
    unsigned char *to = ret_elements;
    size_t done = 1;
    if (!count)
        return;
    memcpy(to, value, width);
    for (; done < count; done *= 2) // what is there, once more
        memcpy(to + done * width, to, (done < count - done ? done : count - done) * width);
}

// Steps in bytes; loops of one round go, loops that step as one become one, and the innermost run becomes the element.
static void copy_simplify(StridedCopy *c) {
    int rank = 0;
    for (int i = 0; i < c->rank; i++) {
        int64_t dim = c->dims[i];
        if (dim == 1)
            continue;
        int64_t from = c->from_strides[i] * (int64_t)c->width, to = c->to_strides[i] * (int64_t)c->width;
        bool merges = rank && c->from_strides[rank - 1] == from * dim && c->to_strides[rank - 1] == to * dim;
        rank += !merges;
        c->dims[rank - 1] = merges ? c->dims[rank - 1] * dim : dim;
        c->from_strides[rank - 1] = from;
        c->to_strides[rank - 1] = to;
    }
    int64_t width = (int64_t)c->width;
    if (rank && c->from_strides[rank - 1] == width && c->to_strides[rank - 1] == width) {
        rank--;
        c->width *= (size_t)c->dims[rank];
    }
    c->rank = rank;
}

// Part of a copy that has been simplified: the inner loops are one line, or one plane (of which one side is read and
// the other written in order, so that it is done in tiles); the outer ones count items.
typedef struct CopyJob {
    StridedCopy copy;
    int outer; // loops outside of the line or the plane
    size_t blocks;
} CopyJob;

enum { TILE = 16, BAND = 4 * TILE, FEW_LINES = 256 };

#define LINE_COPY(width)                                                                                               \
    case width:                                                                                                        \
        for (int64_t i = 0; i < count; i++, from += from_step, to += to_step)                                          \
            memcpy(to, from, width);                                                                                   \
        break
static void line_copy(const unsigned char *from, int64_t from_step, unsigned char *to, int64_t to_step, int64_t count,
                      size_t width) {
    switch (width) {
        LINE_COPY(1);
        LINE_COPY(2);
        LINE_COPY(4);
        LINE_COPY(8);
    default:
        for (int64_t i = 0; i < count; i++, from += from_step, to += to_step)
            memcpy(to, from, width);
    }
}

// Where item `item` of the outer loops begins.
static void item_find(const CopyJob *job, size_t item, const unsigned char **ret_from, unsigned char **ret_to) {
    const StridedCopy *c = &job->copy;
    int64_t from = 0, to = 0;
    for (int i = job->outer; i-- > 0;) {
        int64_t at = (int64_t)(item % (size_t)c->dims[i]);
        item /= (size_t)c->dims[i];
        from += at * c->from_strides[i];
        to += at * c->to_strides[i];
    }
    *ret_from = (const unsigned char *)c->from + from;
    *ret_to = (unsigned char *)c->to + to;
}

static void lines_work(void *context, size_t first, size_t last) {
    const CopyJob *job = context;
    const StridedCopy *c = &job->copy;
    for (size_t item = first; item < last; item++) {
        const unsigned char *from;
        unsigned char *to;
        item_find(job, item, &from, &to);
        if (job->outer == c->rank)
            memcpy(to, from, c->width);
        else
            line_copy(from, c->from_strides[job->outer], to, c->to_strides[job->outer], c->dims[job->outer], c->width);
    }
}

// A tile of a plane by way of a small buffer, so that each line of memory is read and written once, however many of
// them fall into the same place of a cache.
#define TILE_COPY(width)                                                                                               \
    case width:                                                                                                        \
        for (size_t j = 0; j < columns; j++)                                                                           \
            memcpy(tile + j * TILE * width, from + (int64_t)j * from_step, rows * width);                              \
        for (size_t i = 0; i < rows; i++)                                                                              \
            for (size_t j = 0; j < columns; j++)                                                                       \
                memcpy(to + (int64_t)i * to_step + j * width, tile + (j * TILE + i) * width, width);                   \
        break
static void tile_copy(const unsigned char *from, int64_t from_step, unsigned char *to, int64_t to_step, size_t rows,
                      size_t columns, size_t bytes) {
    unsigned char tile[TILE * TILE * 8];
    switch (bytes) {
        TILE_COPY(1);
        TILE_COPY(2);
        TILE_COPY(4);
    default:
        TILE_COPY(8);
    }
}

// Items are bands of BAND rows of a plane: what is read lies together then.
static void planes_work(void *context, size_t first, size_t last) {
    const CopyJob *job = context;
    const StridedCopy *c = &job->copy;
    int row = job->outer, column = row + 1;
    for (size_t item = first; item < last; item++) {
        const unsigned char *from;
        unsigned char *to;
        item_find(job, item / job->blocks, &from, &to);
        int64_t start = (int64_t)(item % job->blocks) * BAND, end = start + BAND;
        end = end < c->dims[row] ? end : c->dims[row];
        for (int64_t j = 0; j < c->dims[column]; j += TILE) {
            int64_t columns = c->dims[column] - j < TILE ? c->dims[column] - j : TILE;
            for (int64_t i = start; i < end; i += TILE)
                tile_copy(from + i * c->from_strides[row] + j * c->from_strides[column], c->from_strides[column],
                          to + i * c->to_strides[row] + j * c->to_strides[column], c->to_strides[row],
                          (size_t)(end - i < TILE ? end - i : TILE), (size_t)columns, c->width);
        }
    }
}

static void bytes_work(void *context, size_t first, size_t last) {
    const StridedCopy *c = context;
    memcpy((unsigned char *)c->to + first, (const unsigned char *)c->from + first, last - first);
}

// Moves the loop that reads in order next to the innermost one, which writes in order. False: there is none.
static bool plane_make(StridedCopy *c) {
    int last = c->rank - 1, row = 0;
    while (row < last && c->from_strides[row] != (int64_t)c->width)
        row++;
    bool single = c->width == 1 || c->width == 2 || c->width == 4 || c->width == 8;
    if (!single || row >= last || c->to_strides[last] != (int64_t)c->width)
        return false;
    int64_t dim = c->dims[row], from = c->from_strides[row], to = c->to_strides[row];
    for (int i = row; i < last - 1; i++) {
        c->dims[i] = c->dims[i + 1];
        c->from_strides[i] = c->from_strides[i + 1];
        c->to_strides[i] = c->to_strides[i + 1];
    }
    c->dims[last - 1] = dim;
    c->from_strides[last - 1] = from;
    c->to_strides[last - 1] = to;
    return true;
}

void strided_copy(const Evaluation *run, const StridedCopy *copy) {
    CopyJob job = {.copy = *copy};
    StridedCopy *c = &job.copy;
    for (int i = 0; i < c->rank; i++)
        if (c->dims[i] == 0)
            return;
    copy_simplify(c);
    if (c->rank == 0) {
        evaluate_parallel(run, c->width, c->width / 4, bytes_work, c);
        return;
    }
    bool planes = plane_make(c);
    job.outer = planes ? c->rank - 2 : c->rank - 1;
    size_t items = 1, elements = c->width / 4 + 1;
    for (int i = 0; i < c->rank; i++) {
        items *= i < job.outer ? (size_t)c->dims[i] : 1;
        elements *= (size_t)c->dims[i];
    }
    if (c->width > 8 && items < FEW_LINES) // each run an item of its own, so that there are some for every thread
        items *= (size_t)c->dims[job.outer++];
    job.blocks = planes ? ((size_t)c->dims[job.outer] + BAND - 1) / BAND : 1;
    evaluate_parallel(run, items * job.blocks, elements, planes ? planes_work : lines_work, &job);
}

Status strided_output(Evaluation *run, const Shape *shape, int64_t first, const int64_t *strides, Error *err) {
    const Tensor *x = &run->inputs[0];
    StridedCopy copy = {.width = dtype_bytes(x->dtype), .rank = shape->rank};
    TRY(evaluate_output(run, 0, x->dtype, shape, &copy.to, err));
    if (!shape_count(shape))
        return OK;
    copy.from = (const unsigned char *)x->data + first * (int64_t)copy.width;
    memcpy(copy.dims, shape->dims, sizeof shape->dims);
    memcpy(copy.from_strides, strides, (size_t)shape->rank * sizeof *strides);
    shape_strides(shape, copy.to_strides);
    strided_copy(run, &copy);
    return OK;
}

int64_t index_at(const Tensor *indices, size_t i) {
    int64_t wide;
    int32_t narrow;
    if (indices->dtype == DTYPE_I64) {
        memcpy(&wide, (const char *)indices->data + i * sizeof wide, sizeof wide);
        return wide;
    }
    memcpy(&narrow, (const char *)indices->data + i * sizeof narrow, sizeof narrow);
    return narrow;
}

Status index_check(const Evaluation *run, size_t input, size_t place, int64_t index, int64_t size, int64_t *ret_index,
                   Error *err) {
    if (index < -size || index >= size)
        return FAIL(err, ERR_FORMAT, "%s: element %zu of input %zu, %lld, is no index into %lld", evaluate_name(run),
                    place, input, (long long)index, (long long)size);
    *ret_index = index < 0 ? index + size : index;
    return OK;
}

Status indices_take(Evaluation *run, size_t input, int64_t size, int64_t **ret_indices, Error *err) {
    TRY(evaluate_type(run, input, DTYPES_INDEX, err));
    const Tensor *tensor = &run->inputs[input];
    size_t count = shape_count(&tensor->shape);
    int64_t *indices = arena_array(run->scratch, count, sizeof *indices, err);
    TRY_NEW(indices);
    for (size_t i = 0; i < count; i++)
        TRY(index_check(run, input, i, index_at(tensor, i), size, &indices[i], err));
    *ret_indices = indices;
    return OK;
}

Status rank_check(const Evaluation *run, int rank, Error *err) {
    if (rank > SHAPE_MOST_DIMS)
        return FAIL(err, ERR_UNSUPPORTED, "%s: the result would have %d dimensions, at most %d are supported",
                    evaluate_name(run), rank, SHAPE_MOST_DIMS);
    return OK;
}

Status shape_take(const Evaluation *run, size_t input, Shape *ret_shape, Error *err) {
    Shape shape = {0};
    size_t rank;
    TRY(evaluate_ints(run, input, SHAPE_MOST_DIMS, shape.dims, &rank, err));
    for (size_t i = 0; i < rank; i++)
        if (shape.dims[i] < 0)
            return FAIL(err, ERR_FORMAT, "%s: input %zu has the negative size %lld", evaluate_name(run), input,
                        (long long)shape.dims[i]);
    shape.rank = (int)rank;
    *ret_shape = shape;
    return OK;
}

static bool axes_mark(const int64_t *axes, size_t count, int rank, int ret_marks[SHAPE_MOST_DIMS]) {
    memset(ret_marks, 0, SHAPE_MOST_DIMS * sizeof *ret_marks);
    for (size_t i = 0; i < count; i++) {
        int axis;
        if (!infer_axis(axes[i], rank, &axis) || ret_marks[axis])
            return false;
        ret_marks[axis] = (int)i + 1;
    }
    return true;
}

Status axes_take(const Evaluation *run, size_t input, int rank, int ret_marks[SHAPE_MOST_DIMS], Error *err) {
    int64_t axes[SHAPE_MOST_DIMS];
    size_t count;
    TRY(evaluate_ints(run, input, SHAPE_MOST_DIMS, axes, &count, err));
    if (!axes_mark(axes, count, rank, ret_marks))
        return FAIL(err, ERR_FORMAT, "%s: input %zu names an axis twice, or one that %d dimensions have not",
                    evaluate_name(run), input, rank);
    return OK;
}

bool infer_axes(const Node *node, size_t input, int rank, int ret_marks[SHAPE_MOST_DIMS]) {
    int64_t axes[SHAPE_MOST_DIMS];
    size_t count;
    return infer_ints(node, input, SHAPE_MOST_DIMS, axes, &count) && axes_mark(axes, count, rank, ret_marks);
}

bool infer_shape(const Node *node, size_t input, Shape *ret_shape) {
    size_t rank;
    if (!infer_ints(node, input, SHAPE_MOST_DIMS, ret_shape->dims, &rank))
        return false;
    ret_shape->rank = (int)rank;
    for (size_t i = 0; i < rank; i++)
        if (ret_shape->dims[i] < 0)
            return false;
    return true;
}

ValueType infer_of_shape(DType dtype, const Shape *shape) {
    ValueType type = {.dtype = dtype, .rank = shape->rank};
    for (int i = 0; i < shape->rank; i++)
        type.dims[i] = dim_of(shape->dims[i]);
    return type;
}

bool infer_known(ValueType type, Shape *ret_shape) {
    ret_shape->rank = type.rank;
    for (int i = 0; i < type.rank; i++) {
        if (type.dims[i].variable)
            return false;
        ret_shape->dims[i] = type.dims[i].value;
    }
    return type.rank >= 0;
}
