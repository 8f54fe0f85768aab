// SPDX-License-Identifier: Apache-2.0
// Loop: a body run again and again. {body=(...), carried=N}
//
//   inputs:  most iterations or absent, condition or absent, N carried values, what the body reads from around it
//   body:    iteration (i64), condition, N carried values, what it reads -> condition, N carried values, K scanned
//   outputs: N carried values, K scanned ones, each stacked along a new first axis
#include <string.h>

#include "base/memory.h"
#include "op/tensor/body.h"
#include "op/tensor/evaluate.h"

enum { MOST_ITERATIONS = 1000000, FIRST_CARRIED = 2, SCAN_STEPS = 16 };

// What the body reads as its first two inputs, anew for each iteration: results may be views of it.
typedef struct Cell {
    int64_t iteration;
    bool condition;
} Cell;

// What a scanned output has gathered so far; room doubles.
typedef struct Scan {
    DType dtype;
    Shape shape; // of one step
    size_t step_bytes, room_bytes;
    unsigned char *data;
} Scan;

typedef struct Looping {
    Evaluation *run;
    const Graph *body;
    size_t carried, scan_count, inputs;
    Tensor *in; // of the body
    Scan *scans;
    const Tensor *results; // of the last iteration; NULL: none yet
    int64_t iteration;
    bool condition;
} Looping;

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    const Graph *body = node_graph(node, "body");
    int64_t carried = node_int(node, "carried", -1);
    if (!body || carried < 0 || (uint64_t)carried > node->output_count)
        return FAIL(err, ERR_FORMAT, "Loop '%s' needs a body and how many of its %zu outputs are {carried}",
                    node->output_count ? node->names[0] : "", node->output_count);
    for (size_t i = 0; i < node->output_count; i++) {
        ValueType type = body_result_type(body, i + 1);
        if (i < (size_t)carried) {
            ret_types[i] = body_either_type(type, infer_type(node, FIRST_CARRIED + i));
        } else if (type.rank < 0 || type.rank == SHAPE_MOST_DIMS) {
            ret_types[i] = type_unknown();
        } else {
            ret_types[i] = infer_rank(type.dtype, type.rank + 1);
            memcpy(&ret_types[i].dims[1], type.dims, (size_t)type.rank * sizeof *type.dims);
        }
    }
    return OK;
}

static Status looping_make(Evaluation *run, Looping *ret, Error *err) {
    const Node *node = run->node;
    const Graph *body = node_graph(node, "body");
    int64_t carried = node_int(node, "carried", -1);
    if (!body || carried < 0 || (uint64_t)carried > node->output_count ||
        node->input_count < FIRST_CARRIED + (size_t)carried || body->return_count != node->output_count + 1)
        return FAIL(err, ERR_FORMAT, "%s: %lld carried values, %zu inputs, %zu outputs and %zu results of its body",
                    evaluate_name(run), (long long)carried, node->input_count, node->output_count,
                    body ? body->return_count : 0);
    *ret = (Looping){.run = run,
                     .body = body,
                     .carried = (size_t)carried,
                     .scan_count = node->output_count - (size_t)carried,
                     .inputs = node->input_count,
                     .condition = true};
    TRY_NEW(ret->in = arena_array(run->scratch, node->input_count, sizeof *ret->in, err));
    TRY_NEW(ret->scans = arena_array(run->scratch, ret->scan_count, sizeof *ret->scans, err));
    memcpy(ret->in, run->inputs, node->input_count * sizeof *ret->in);
    return OK;
}

static Status scan_add(Looping *loop, Scan *scan, const Tensor *step, Error *err) {
    char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];
    size_t used, needed;
    if (!loop->iteration) {
        *scan = (Scan){.dtype = step->dtype, .shape = step->shape, .step_bytes = step->bytes};
    } else if (step->dtype != scan->dtype || !shape_equal(&step->shape, &scan->shape)) {
        return FAIL(err, ERR_FORMAT, "%s: iteration %lld scans %s%s, the first one %s%s", evaluate_name(loop->run),
                    (long long)loop->iteration, dtype_name(step->dtype), shape_text(&step->shape, a),
                    dtype_name(scan->dtype), shape_text(&scan->shape, b));
    }
    if (!size_multiply(scan->step_bytes, (size_t)loop->iteration, &used) || !size_add(used, scan->step_bytes, &needed))
        return FAIL(err, ERR_LIMIT, "%s: what it scans is more than any memory", evaluate_name(loop->run));
    if (needed > scan->room_bytes) {
        size_t room;
        if (!size_multiply(used ? used : scan->step_bytes, used ? 2 : SCAN_STEPS, &room))
            return FAIL(err, ERR_LIMIT, "%s: what it scans is more than any memory", evaluate_name(loop->run));
        unsigned char *data = arena_alloc(loop->run->scratch, room, 64, err);
        TRY_NEW(data);
        if (used)
            memcpy(data, scan->data, used);
        scan->data = data;
        scan->room_bytes = room;
    }
    if (scan->step_bytes)
        memcpy(scan->data + used, step->data, scan->step_bytes);
    return OK;
}

// One iteration. The last one's results are given back only when what came of them is there.
static Status step(Looping *loop, Error *err) {
    const Tensor *results;
    Cell *cell = arena_array(loop->run->scratch, 1, sizeof *cell, err);
    TRY_NEW(cell);
    *cell = (Cell){loop->iteration, loop->condition};
    loop->in[0] = (Tensor){.name = "iteration", .dtype = DTYPE_I64, .data = &cell->iteration, .bytes = 8};
    loop->in[1] = (Tensor){.name = "condition", .dtype = DTYPE_BOOL, .data = &cell->condition, .bytes = 1};
    TRY(evaluate_body(loop->run, loop->body, loop->in, loop->inputs, &results, err));
    const Tensor *condition = &results[0];
    if (condition->dtype != DTYPE_BOOL || shape_count(&condition->shape) != 1)
        return FAIL(err, ERR_FORMAT, "%s: the first result of its body is %s, expected one bool",
                    evaluate_name(loop->run), dtype_name(condition->dtype));
    loop->condition = *(const unsigned char *)condition->data != 0;
    for (size_t i = 0; i < loop->scan_count; i++)
        TRY(scan_add(loop, &loop->scans[i], &results[1 + loop->carried + i], err));
    if (loop->results)
        evaluate_body_done(loop->run, loop->results);
    loop->results = results;
    for (size_t i = 0; i < loop->carried; i++)
        loop->in[FIRST_CARRIED + i] = results[1 + i];
    return OK;
}

// Without an iteration there is no step to take the shape from but what the body says of it.
static Status scan_finish(Looping *loop, size_t index, Error *err) {
    Scan *scan = &loop->scans[index];
    if (!loop->iteration) {
        ValueType type = body_result_type(loop->body, 1 + loop->carried + index);
        scan->dtype = type.rank < 0 ? DTYPE_F32 : type.dtype;
        scan->shape.rank = type.rank < 0 ? 0 : type.rank;
        for (int i = 0; i < type.rank; i++)
            scan->shape.dims[i] = type.dims[i].variable ? 0 : type.dims[i].value;
    }
    if (scan->shape.rank == SHAPE_MOST_DIMS)
        return FAIL(err, ERR_LIMIT, "%s: it stacks values of %d dimensions", evaluate_name(loop->run), SHAPE_MOST_DIMS);
    Shape shape = {scan->shape.rank + 1, {loop->iteration}};
    memcpy(&shape.dims[1], scan->shape.dims, (size_t)scan->shape.rank * sizeof *shape.dims);
    void *data;
    TRY(evaluate_output(loop->run, loop->carried + index, scan->dtype, &shape, &data, err));
    if (loop->iteration && scan->step_bytes)
        memcpy(data, scan->data, scan->step_bytes * (size_t)loop->iteration);
    return OK;
}

// The last iteration's result, copied where it may be a view of a cell.
static Status carried_finish(Looping *loop, size_t index, Error *err) {
    const Tensor *last = &loop->results[1 + index];
    void *data;
    if (last->bytes > sizeof loop->iteration)
        return evaluate_result(loop->run, index, last, err);
    TRY(evaluate_output(loop->run, index, last->dtype, &last->shape, &data, err));
    if (last->bytes)
        memcpy(data, last->data, last->bytes);
    return OK;
}

static Status outputs_finish(Looping *loop, Error *err) {
    Evaluation *run = loop->run;
    for (size_t i = 0; i < loop->carried; i++) {
        const Tensor *initial = &run->inputs[FIRST_CARRIED + i];
        if (loop->results) {
            TRY(carried_finish(loop, i, err));
        } else {
            if (!evaluate_has(run, FIRST_CARRIED + i))
                return FAIL(err, ERR_FORMAT, "%s: input %zu is missing", evaluate_name(run), FIRST_CARRIED + i);
            TRY(evaluate_view(run, i, FIRST_CARRIED + i, initial->dtype, &initial->shape, err));
        }
    }
    for (size_t i = 0; i < loop->scan_count; i++)
        TRY(scan_finish(loop, i, err));
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    Looping loop = {0};
    int64_t most = MOST_ITERATIONS + 1;
    double condition = 1;
    size_t count;
    TRY(looping_make(run, &loop, err));
    if (evaluate_has(run, 0)) {
        TRY(evaluate_ints(run, 0, 1, &most, &count, err));
        if (!count)
            return FAIL(err, ERR_FORMAT, "%s: input 0 is empty, expected a number of iterations", evaluate_name(run));
    }
    if (evaluate_has(run, 1)) {
        TRY(evaluate_type(run, 1, DTYPES_BOOL, err));
        TRY(evaluate_number(run, 1, &condition, err));
    }
    loop.condition = condition != 0;
    for (; loop.condition && loop.iteration < most; loop.iteration++) {
        if (loop.iteration == MOST_ITERATIONS)
            return FAIL(err, ERR_LIMIT, "%s: more than %d iterations", evaluate_name(run), MOST_ITERATIONS);
        TRY(step(&loop, err));
    }
    return outputs_finish(&loop, err);
}

const OpDef op_tensor_loop = {.infer = infer, .evaluate = evaluate};
