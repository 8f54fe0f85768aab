// SPDX-License-Identifier: Apache-2.0
// Einsum: products of operands summed over the labels that the result lacks. {equation} Operands are contracted from
// the left, two at a time, as batched matrix products; what does not lie as these need it is copied.
#include "base/memory.h"
#include "op/tensor/einsum_equation.h"
#include "op/tensor/product.h"

// Elements by their labels: `set` has bit 1 << label, a step for each; 0 where the dimension repeats.
typedef struct View {
    const void *data;
    uint64_t set;
    size_t steps[EINSUM_LABELS];
} View;

typedef struct Work {
    Evaluation *run;
    DType dtype; // f32, f64, or u64
    size_t bytes;
    size_t sizes[EINSUM_LABELS];
} Work;

// Labels in an order, the last the fastest.
typedef struct Order {
    int count;
    uint8_t labels[EINSUM_LABELS];
} Order;

// SIZE_MAX where there are more, which no memory holds.
static size_t order_size(const Work *work, const Order *order) {
    size_t size = 1;
    for (int i = 0; i < order->count; i++)
        if (!size_multiply(size, work->sizes[order->labels[i]], &size))
            return SIZE_MAX;
    return size;
}

// Labels of a set by how far apart they lie in a view, the farthest first.
static Order order_of(uint64_t set, const View *view) {
    Order order = {0};
    for (int label = 0; label < EINSUM_LABELS; label++) {
        if (!(set >> label & 1))
            continue;
        int at = order.count++;
        for (; at && view->steps[order.labels[at - 1]] < view->steps[label]; at--)
            order.labels[at] = order.labels[at - 1];
        order.labels[at] = (uint8_t)label;
    }
    return order;
}

static Order order_join(const Order *a, const Order *b, const Order *c) {
    Order all = {0};
    const Order *parts[] = {a, b, c};
    for (size_t p = 0; p < 3; p++)
        for (int i = 0; i < parts[p]->count; i++)
            all.labels[all.count++] = parts[p]->labels[i];
    return all;
}

// Whether these labels step through a view as one dimension would; its step is *ret.
static bool order_is_one(const Work *work, const View *view, const Order *order, size_t *ret) {
    size_t step = 0, next = 0;
    for (int i = order->count - 1; i >= 0; i--) {
        size_t size = work->sizes[order->labels[i]];
        if (size == 1)
            continue;
        if (!next)
            step = view->steps[order->labels[i]];
        else if (view->steps[order->labels[i]] != next)
            return false;
        next = view->steps[order->labels[i]] * size;
        if (!next) // a dimension that repeats
            return false;
    }
    *ret = step;
    return true;
}

static size_t order_offset(const Work *work, const View *view, const Order *order, size_t index) {
    size_t at = 0;
    for (int i = order->count - 1; i >= 0; i--) {
        size_t size = work->sizes[order->labels[i]];
        at += index % size * view->steps[order->labels[i]];
        index /= size;
    }
    return at;
}

// A dense tensor of an order.
static View dense_view(const Work *work, const Order *order, const void *data) {
    View view = {.data = data};
    size_t step = 1;
    for (int i = order->count - 1; i >= 0; i--) {
        view.set |= UINT64_C(1) << order->labels[i];
        view.steps[order->labels[i]] = step;
        step *= work->sizes[order->labels[i]];
    }
    return view;
}

// ret[i] = the sum over `summed` of the elements at place i of `order`: a copy where nothing is summed. The last label
// of the order is walked without a division for each element.
#define GATHER(Type, Sum)                                                                                              \
    for (size_t i = 0; i < count; i += inner) {                                                                        \
        const Type *from = (const Type *)view->data + order_offset(work, view, &outer, i / inner);                     \
        for (size_t j = 0; j < inner; j++) {                                                                           \
            Sum sum = 0;                                                                                               \
            for (size_t k = 0; k < terms; k++)                                                                         \
                sum += from[j * step + (terms == 1 ? 0 : order_offset(work, view, summed, k))];                        \
            ((Type *)ret)[i + j] = (Type)sum;                                                                          \
        }                                                                                                              \
    }

static void gather(const Work *work, const View *view, const Order *order, const Order *summed, void *ret) {
    size_t count = order_size(work, order), terms = order_size(work, summed), inner = 1, step = 0;
    Order outer = *order;
    if (!count)
        return;
    if (terms == 1 && order_is_one(work, view, order, &step) && (step == 1 || count == 1)) {
        memcpy(ret, view->data, count * work->bytes);
        return;
    }
    if (outer.count) {
        int last = outer.labels[--outer.count];
        inner = work->sizes[last];
        step = view->steps[last];
    }
    if (work->dtype == DTYPE_F32) {
        GATHER(float, double)
    } else if (work->dtype == DTYPE_F64) {
        GATHER(double, double)
    } else {
        GATHER(uint64_t, uint64_t)
    }
}

static Status gather_new(const Work *work, const View *view, const Order *order, const Order *summed, View *ret,
                         Error *err) {
    size_t bytes;
    if (!size_multiply(order_size(work, order), work->bytes, &bytes))
        return FAIL(err, ERR_LIMIT, "%s: an operand is larger than any memory", evaluate_name(work->run));
    void *data = arena_alloc(work->run->scratch, bytes, 64, err);
    TRY_NEW(data);
    gather(work, view, order, summed, data);
    *ret = dense_view(work, order, data);
    return OK;
}

// Sums over labels that neither the result nor another operand has.
static Status sum_out(const Work *work, uint64_t keep, View *view, Error *err) {
    Order order = order_of(view->set & keep, view), summed = order_of(view->set & ~keep, view);
    return summed.count ? gather_new(work, view, &order, &summed, view, err) : OK;
}

// A view in which each group of labels steps as one dimension, the last of x side by side.
static Status matrices(const Work *work, const Order *batch, const Order *rows, const Order *columns, bool side_by_side,
                       View *view, size_t *ret_row, size_t *ret_column, Error *err) {
    const Order none = {0};
    bool fits = order_is_one(work, view, rows, ret_row) && order_is_one(work, view, columns, ret_column);
    if (fits && (!side_by_side || *ret_column == 1 || order_size(work, columns) == 1))
        return OK;
    Order all = order_join(batch, rows, columns);
    TRY(gather_new(work, view, &all, &none, view, err));
    *ret_column = 1;
    *ret_row = order_size(work, columns);
    return OK;
}

static Status offsets(const Work *work, const View *view, const Order *batch, size_t count, const size_t **ret,
                      Error *err) {
    size_t *at = arena_array(work->run->scratch, count, sizeof *at, err);
    TRY_NEW(at);
    for (size_t i = 0; i < count; i++)
        at[i] = order_offset(work, view, batch, i);
    *ret = at;
    return OK;
}

static Status indices(const Work *work, size_t count, const size_t **ret, Error *err) {
    size_t *index = arena_array(work->run->scratch, count, sizeof *index, err);
    TRY_NEW(index);
    for (size_t i = 0; i < count; i++)
        index[i] = i;
    *ret = index;
    return OK;
}

// a times b, with the labels in `keep` left: a view of [batch, rows of a, columns of b].
static Status contract(const Work *work, View a, View b, uint64_t keep, View *ret, Error *err) {
    TRY(sum_out(work, keep | b.set, &a, err));
    TRY(sum_out(work, keep | a.set, &b, err));
    uint64_t both = a.set & b.set;
    Order batch = order_of(both & keep, &a), sum = order_of(both & ~keep, &a), rows = order_of(a.set & ~both, &a),
          columns = order_of(b.set & ~both, &b);
    Product product = {.dtype = work->dtype, .batches = order_size(work, &batch), .m = order_size(work, &rows)};
    ProductWeights *w = &product.weights;
    *w = (ProductWeights){
        .dtype = work->dtype, .count = product.batches, .k = order_size(work, &sum), .n = order_size(work, &columns)};
    size_t ignored = 0;
    TRY(matrices(work, &batch, &rows, &sum, true, &a, &product.x_row, &ignored, err));
    TRY(matrices(work, &batch, &sum, &columns, false, &b, &w->k_step, &w->n_step, err));
    if (w->k == 1)
        w->k_step = 1;
    if (w->n == 1)
        w->n_step = 1;
    product.x = a.data;
    w->data = b.data;
    TRY(offsets(work, &a, &batch, product.batches, &product.x_at, err));
    TRY(offsets(work, &b, &batch, product.batches, &w->at, err));
    TRY(indices(work, product.batches, &product.w_index, err));
    Order all = order_join(&batch, &rows, &columns);
    size_t bytes;
    if (!size_multiply(order_size(work, &all), work->bytes, &bytes))
        return FAIL(err, ERR_LIMIT, "%s: an intermediate result is larger than any memory", evaluate_name(work->run));
    TRY_NEW(product.y = arena_alloc(work->run->scratch, bytes, 64, err));
    TRY(product_run(work->run, &product, err));
    *ret = dense_view(work, &all, product.y);
    return OK;
}

// Sizes of all labels, and the operand's steps; a label that is there twice walks the diagonal.
static Status operand_view(Work *work, size_t index, const EinsumTerm *term, View *ret, Error *err) {
    const Shape *shape = &work->run->inputs[index].shape;
    int64_t steps[SHAPE_MOST_DIMS];
    char text[SHAPE_TEXT_BYTES];
    View view = {.data = NULL};
    bool one[EINSUM_LABELS] = {false};
    shape_strides(shape, steps);
    for (int i = 0; i < term->rank; i++) {
        int label = term->labels[i];
        size_t size = (size_t)shape->dims[i];
        bool again = view.set >> label & 1;
        if (again ? one[label] != (size == 1) : false)
            return FAIL(err, ERR_FORMAT, "%s: no diagonal of operand %zu of shape %s", evaluate_name(work->run), index,
                        shape_text(shape, text));
        if (work->sizes[label] != size && work->sizes[label] != 1 && size != 1)
            return FAIL(err, ERR_FORMAT,
                        "%s: dimension %d of operand %zu of shape %s has another size than the same label elsewhere",
                        evaluate_name(work->run), i, index, shape_text(shape, text));
        work->sizes[label] = size == 1 ? work->sizes[label] : size;
        view.set |= UINT64_C(1) << label;
        view.steps[label] += size == 1 ? 0 : (size_t)steps[i];
        one[label] = size == 1;
    }
    TRY(product_operand(work->run, index, &view.data, err));
    *ret = view;
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    const Node *node = run->node;
    int ranks[EINSUM_MOST_OPERANDS];
    for (size_t i = 0; i < node->input_count && i < EINSUM_MOST_OPERANDS; i++) {
        TRY(evaluate_type(run, i, DTYPES_NUMBER, err));
        TRY(evaluate_same_type(run, 0, i, err));
        ranks[i] = run->inputs[i].shape.rank;
    }
    EinsumEquation equation;
    TRY(einsum_equation(node, ranks, &equation, err));
    DType dtype = run->inputs[0].dtype;
    Work work = {.run = run, .dtype = product_type(dtype)};
    work.bytes = dtype_bytes(work.dtype);
    for (int i = 0; i < EINSUM_LABELS; i++)
        work.sizes[i] = 1;
    View *views = arena_array(run->scratch, node->input_count, sizeof *views, err);
    TRY_NEW(views);
    for (size_t i = 0; i < node->input_count; i++)
        TRY(operand_view(&work, i, &equation.operands[i], &views[i], err));
    Order output = {.count = equation.output.rank};
    Shape to = {.rank = output.count};
    uint64_t keep = 0;
    for (int i = 0; i < to.rank; i++) {
        output.labels[i] = equation.output.labels[i];
        to.dims[i] = (int64_t)work.sizes[output.labels[i]];
        keep |= UINT64_C(1) << output.labels[i];
    }
    View all = views[0];
    for (size_t i = 1; i < node->input_count; i++) {
        uint64_t later = keep;
        for (size_t j = i + 1; j < node->input_count; j++)
            later |= views[j].set;
        TRY(contract(&work, all, views[i], later, &all, err));
    }
    void *y, *room;
    TRY(evaluate_output(run, 0, dtype, &to, &y, err));
    TRY(product_room(run, dtype, y, shape_count(&to), &room, err));
    Order summed = order_of(all.set & ~keep, &all);
    gather(&work, &all, &output, &summed, room);
    product_store(dtype, room, shape_count(&to), y);
    return OK;
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    int ranks[EINSUM_MOST_OPERANDS];
    EinsumEquation equation;
    Dim dims[EINSUM_LABELS];
    ret_types[0] = type_unknown();
    for (size_t i = 0; i < node->input_count && i < EINSUM_MOST_OPERANDS; i++) {
        ranks[i] = infer_type(node, i).rank;
        if (ranks[i] < 0)
            return OK;
    }
    TRY(einsum_equation(node, ranks, &equation, err));
    for (int i = 0; i < EINSUM_LABELS; i++)
        dims[i] = dim_of(1);
    for (size_t i = 0; i < node->input_count; i++) {
        ValueType x = infer_type(node, i);
        for (int d = 0; d < x.rank; d++) {
            ValueType a = {.rank = 1, .dims = {dims[equation.operands[i].labels[d]]}};
            dims[equation.operands[i].labels[d]] =
                infer_broadcast(a, (ValueType){.rank = 1, .dims = {x.dims[d]}}).dims[0];
        }
    }
    ret_types[0] = infer_rank(infer_type(node, 0).dtype, equation.output.rank);
    for (int i = 0; i < equation.output.rank; i++)
        ret_types[0].dims[i] = dims[equation.output.labels[i]];
    return OK;
}

const OpDef op_tensor_einsum = {.infer = infer, .evaluate = evaluate};
