// SPDX-License-Identifier: Apache-2.0
// TopK: the best k along an axis and where they were, best first; of equal ones the first. {axis=-1, largest=1,
// sorted=1} A NaN counts as larger than any number. Elements are compared as keys: integers in the elements' order.
#include <string.h>

#include "op/tensor/axis.h"
#include "op/tensor/integers.h"

typedef struct Entry {
    uint64_t key; // larger is better
    size_t at;
} Entry;

typedef struct Job {
    AxisView view;
    DType dtype;
    const uint64_t *integers; // of integer types
    const double *reals;      // of real ones
    bool largest;
    size_t k, element_bytes;
    Entry *entries; // [rows][k]
    const unsigned char *x;
    unsigned char *values;
    int64_t *indices;
} Job;

static uint64_t key_of(const Job *job, size_t at) {
    uint64_t sign = UINT64_C(1) << 63, key;
    if (job->reals) {
        double real = job->reals[at] == 0 ? 0 : job->reals[at]; // -0 equals 0
        memcpy(&key, &real, sizeof key);
        key = real != real ? UINT64_MAX : key & sign ? ~key : key | sign;
    } else {
        key = DTYPE_BIT(job->dtype) & DTYPES_SIGNED ? job->integers[at] ^ sign : job->integers[at];
    }
    return job->largest ? key : ~key;
}

static bool is_better(Entry a, Entry b) {
    return a.key != b.key ? a.key > b.key : a.at < b.at;
}

// A heap whose root is the worst: entries[0 .. count) with a hole at its root, filled by `entry`.
static void sink(Entry *entries, size_t count, Entry entry) {
    size_t hole = 0;
    for (size_t child; (child = 2 * hole + 1) < count; hole = child) {
        if (child + 1 < count && is_better(entries[child], entries[child + 1]))
            child++;
        if (!is_better(entry, entries[child]))
            break;
        entries[hole] = entries[child];
    }
    entries[hole] = entry;
}

static void rise(Entry *entries, size_t hole, Entry entry) {
    for (; hole && is_better(entries[(hole - 1) / 2], entry); hole = (hole - 1) / 2)
        entries[hole] = entries[(hole - 1) / 2];
    entries[hole] = entry;
}

// The best k of a row, best first.
static void row_select(const Job *job, size_t row, Entry *entries) {
    size_t from = axis_row(&job->view, row);
    for (size_t i = 0; i < job->view.count; i++) {
        Entry entry = {key_of(job, from + i * job->view.inners), i};
        if (i < job->k)
            rise(entries, i, entry);
        else if (is_better(entry, entries[0]))
            sink(entries, job->k, entry);
    }
    for (size_t last = job->k - 1; last > 0; last--) {
        Entry worst = entries[0];
        sink(entries, last, entries[last]);
        entries[last] = worst;
    }
}

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    size_t bytes = job->element_bytes;
    AxisView to = {job->view.outers, job->k, job->view.inners};
    for (size_t row = first; row < last; row++) {
        Entry *entries = job->entries + row * job->k;
        row_select(job, row, entries);
        for (size_t i = 0; i < job->k; i++) {
            size_t from = axis_row(&job->view, row) + entries[i].at * job->view.inners;
            size_t at = axis_row(&to, row) + i * to.inners;
            memcpy(job->values + at * bytes, job->x + from * bytes, bytes);
            job->indices[at] = (int64_t)entries[i].at;
        }
    }
}

static Status evaluate(Evaluation *run, Error *err) {
    const Tensor *x = &run->inputs[0];
    int64_t k;
    size_t count;
    int axis;
    TRY(evaluate_type(run, 0, DTYPES_NUMBER, err));
    TRY(evaluate_ints(run, 1, 1, &k, &count, err));
    TRY(evaluate_axis(run, "axis", -1, x->shape.rank, false, &axis, err));
    if (count != 1 || k < 0 || k > x->shape.dims[axis])
        return FAIL(err, ERR_FORMAT, "%s: k is %lld, expected 0 to the %lld elements of axis %d", evaluate_name(run),
                    count ? (long long)k : -1LL, (long long)x->shape.dims[axis], axis);
    Shape to = x->shape;
    to.dims[axis] = k;
    Job job = {.view = axis_view(&x->shape, axis),
               .dtype = x->dtype,
               .largest = node_int(run->node, "largest", 1) != 0,
               .k = (size_t)k,
               .element_bytes = dtype_bytes(x->dtype),
               .x = x->data};
    size_t results = shape_count(&to);
    if (DTYPE_BIT(x->dtype) & DTYPES_REAL)
        TRY(evaluate_as_f64(run, 0, &job.reals, err));
    else
        TRY(integers_widen(run, 0, &job.integers, err));
    TRY_NEW(job.entries = arena_alloc(run->scratch, results * sizeof *job.entries, 64, err));
    TRY(evaluate_output(run, 0, x->dtype, &to, &job.values, err));
    TRY(evaluate_output(run, 1, DTYPE_I64, &to, &job.indices, err));
    if (results)
        evaluate_parallel(run, results / job.k, shape_count(&x->shape), work, &job);
    return OK;
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType to = infer_type(node, 0);
    int64_t k;
    size_t count;
    int axis;
    if (to.rank >= 0) {
        if (infer_axis(node_int(node, "axis", -1), to.rank, &axis))
            to.dims[axis] = infer_ints(node, 1, 1, &k, &count) && count == 1 && k >= 0 ? dim_of(k) : dim_unknown();
        else
            to = type_unknown();
    }
    ret_types[0] = to;
    ret_types[1] = infer_as(to, DTYPE_I64);
    return OK;
}

const OpDef op_tensor_topk = {.infer = infer, .evaluate = evaluate};
