// SPDX-License-Identifier: Apache-2.0
// fuse_embed_norm: LayerNormalization of word + position [+ segment] embeddings, each a lookup in a constant table,
// becomes EmbedLayerNormalization. Positions that are 0, 1, 2 ... in every row are left to the operator.
#include <string.h>

#include "pass/rewrite.h"
#include "pass/tensor/norms.h"
#include "pass/tensor/symbols.h"

enum { WORDS, SEGMENTS, WORD_TABLE, POSITION_TABLE, SEGMENT_TABLE, GAIN, BETA, MASK, POSITIONS, INPUT_COUNT };
enum { MOST_LOOKUPS = 3, SUM_OUTPUT = 2 };

typedef struct Lookup {
    Value table, ids;
    int64_t rows;
} Lookup;

typedef struct Embedding {
    const Node *sum;
    Lookup lookups[MOST_LOOKUPS];
    size_t count;
    MatchNodes nodes;
    const Lookup *word, *position, *segment; // segment: NULL: there is none
    bool counted;                            // positions are 0, 1, 2 ...
} Embedding;

// The lookups that a value is the sum of.
static bool lookups_collect(Value value, Embedding *ret) {
    const Node *add = match_node(value, TENSOR_ADD), *gather = match_node(value, TENSOR_GATHER);
    if (value.node)
        match_nodes_add(&ret->nodes, value.node);
    if (add && ret->nodes.count < 2 * MOST_LOOKUPS)
        return lookups_collect(add->inputs[0], ret) && lookups_collect(add->inputs[1], ret);
    const Constant *table = gather ? gather->inputs[0].constant : NULL;
    if (!table || table->scheme != SCHEME_DENSE || table->shape.rank != 2 || !dtype_is_real(table->dtype) ||
        node_int(gather, "axis", 0) != 0 || ret->count == MOST_LOOKUPS)
        return false;
    ret->lookups[ret->count++] = (Lookup){gather->inputs[0], gather->inputs[1], table->shape.dims[0]};
    return true;
}

// What a value has its rows from, behind nodes that neither change nor reorder them.
static Value rows_source(Value value) {
    while (value.node &&
           (value.node->op == TENSOR_CAST || value.node->op == TENSOR_IDENTITY || value.node->op == TENSOR_RESHAPE ||
            value.node->op == TENSOR_UNSQUEEZE || value.node->op == TENSOR_EXPAND)) {
        ValueType from = value_type(value.node->inputs[0]), to = value_type(value);
        Dim a = from.rank > 0 ? from.dims[from.rank - 1] : (Dim){true, DIM_UNKNOWN},
            b = to.rank > 0 ? to.dims[to.rank - 1] : (Dim){true, DIM_UNKNOWN};
        if (a.variable != b.variable || a.value != b.value || (a.variable && a.value == DIM_UNKNOWN))
            break;
        value = value.node->inputs[0];
    }
    return value;
}

static bool dim_is(Dim a, Dim b) {
    return a.variable == b.variable && a.value == b.value && !(a.variable && a.value == DIM_UNKNOWN);
}

// A constant whose rows are 0, 1, 2 ...
static bool constant_counts(Value value) {
    const Constant *c = value.constant;
    size_t count;
    double number;
    if (!c || c->scheme != SCHEME_DENSE || !constant_has_data(c) || c->shape.rank < 1 ||
        (c->dtype != DTYPE_I64 && c->dtype != DTYPE_I32) || !shape_elements(&c->shape, &count))
        return false;
    size_t columns = (size_t)c->shape.dims[c->shape.rank - 1];
    for (size_t i = 0; i < count; i++) {
        elements_to_f64(c->dtype, (const char *)c->data + i * dtype_bytes(c->dtype), 1, &number);
        if (number != (double)(i % columns))
            return false;
    }
    return true;
}

// A Slice of the last of the dimensions that starts at 0 and ends at `end`.
static bool slices_start(const Node *slice, const SymbolTable *table, Dim end) {
    int64_t starts[8], axes[8], steps[8];
    size_t count, axis_count, step_count;
    const Symbols *ends = symbols_of(table, slice->inputs[2]);
    ValueType from = value_type(slice->inputs[0]);
    if (!match_ints(slice->inputs[1], starts, &count) || count != 1 || starts[0] != 0)
        return false;
    if (!value_absent(rewrite_input(slice, 4)) &&
        (!match_ints(slice->inputs[4], steps, &step_count) || step_count != 1 || steps[0] != 1))
        return false;
    bool last = value_absent(rewrite_input(slice, 3))
                    ? from.rank == 1
                    : match_ints(slice->inputs[3], axes, &axis_count) && axis_count == 1 &&
                          match_last_axis(axes[0], slice->inputs[0]);
    return last &&
           (dim_is(slice->types[0].rank > 0 ? slice->types[0].dims[slice->types[0].rank - 1] : (Dim){true, -1}, end) ||
            (ends && ends->count == 1 && dim_is(ends->items[0], end)));
}

// Whether positions are 0 .. length - 1 in every row.
static bool counts_up(Value ids, const SymbolTable *table, Dim length) {
    Value source = rows_source(ids);
    ValueType type = value_type(source);
    const Node *range = match_node(source, TENSOR_RANGE), *slice = match_node(source, TENSOR_SLICE);
    bool whole = type.rank > 0 && dim_is(type.dims[type.rank - 1], length);
    double start, step;
    if (range)
        return whole && match_number(range->inputs[0], &start) && start == 0 && match_number(range->inputs[2], &step) &&
               step == 1;
    if (slice)
        return slices_start(slice, table, length) && constant_counts(slice->inputs[0]);
    return whole && constant_counts(source);
}

// What the names say, or where the ids come from: 2: positions, 1: maybe, 0: hardly.
static int position_likeness(const Lookup *lookup) {
    Value source = rows_source(lookup->ids);
    if (!source.node || source.node->op != OP_INPUT)
        return 1;
    return strstr(source.node->names[0], "position") ? 2 : 0;
}

// Which lookup is which. Words have the largest table of those that are no positions; where nothing tells which are
// positions, the words' table is the largest of all, the segments' the smallest.
static bool roles_find(Embedding *e, const SymbolTable *table) {
    const Lookup *likely = NULL, *largest = NULL, *smallest = NULL;
    int best = 0;
    for (size_t i = 0; i < e->count; i++) {
        const Lookup *lookup = &e->lookups[i];
        ValueType type = value_type(lookup->ids);
        int like = position_likeness(lookup);
        for (size_t k = 0; k < e->count && like < 3; k++) { // counted along some other lookup's ids
            ValueType words = value_type(e->lookups[k].ids);
            if (k != i && words.rank == 2 && type.rank >= 1 && counts_up(lookup->ids, table, words.dims[1]))
                like = 3;
        }
        if (like > best)
            likely = lookup;
        else if (like == best && like)
            likely = NULL; // two
        best = like > best ? like : best;
        largest = !largest || lookup->rows > largest->rows ? lookup : largest;
        smallest = !smallest || lookup->rows <= smallest->rows ? lookup : smallest;
    }
    const Lookup *rest[MOST_LOOKUPS];
    size_t count = 0;
    for (size_t i = 0; i < e->count; i++)
        if (!likely && e->count == MOST_LOOKUPS && &e->lookups[i] != largest && &e->lookups[i] != smallest)
            likely = &e->lookups[i];
    if (!likely)
        likely = e->count == 2 ? smallest : NULL;
    for (size_t i = 0; i < e->count; i++)
        if (&e->lookups[i] != likely)
            rest[count++] = &e->lookups[i];
    if (!likely || count + 1 != e->count || count < 1)
        return false;
    e->position = likely;
    bool second = count == 2 && rest[1]->rows > rest[0]->rows;
    e->word = rest[second];
    e->segment = count == 2 ? rest[!second] : NULL;
    return true;
}

static bool is_index(const ValueType *type) {
    return type->dtype == DTYPE_I64 || type->dtype == DTYPE_I32;
}

// Equal, or variables that a run can only make equal.
static bool dims_fit(Dim a, Dim b) {
    return a.variable == b.variable && (a.variable || a.value == b.value);
}

static bool ids_fit(const Embedding *e) {
    ValueType words = value_type(e->word->ids), positions = value_type(e->position->ids);
    if (words.rank != 2 || !is_index(&words) || positions.rank < 1 || positions.rank > 2 || !is_index(&positions))
        return false;
    bool one = positions.rank == 1 || (!positions.dims[0].variable && positions.dims[0].value == 1);
    bool fit = dims_fit(positions.dims[positions.rank - 1], words.dims[1]) &&
               (one || dims_fit(positions.dims[0], words.dims[0]));
    if (e->segment) {
        ValueType segments = value_type(e->segment->ids);
        fit = fit && segments.rank == 2 && is_index(&segments) && dims_fit(segments.dims[0], words.dims[0]) &&
              dims_fit(segments.dims[1], words.dims[1]);
    }
    return fit;
}

static bool tables_fit(const Embedding *e, const Norm *norm) {
    const Constant *word = e->word->table.constant;
    bool fit = match_vector(norm->gain, word->shape.dims[1]) && match_vector(norm->bias, word->shape.dims[1]);
    for (size_t i = 0; i < e->count; i++) {
        const Constant *table = e->lookups[i].table.constant;
        fit = fit && table->shape.dims[1] == word->shape.dims[1] && table->dtype == word->dtype;
    }
    return fit;
}

static bool embedding_match(const Norm *norm, const SymbolTable *table, const size_t *uses, Embedding *ret) {
    *ret = (Embedding){.sum = match_node(norm->x, TENSOR_ADD)};
    if (!ret->sum || !norm->centered || !lookups_collect(norm->x, ret) || ret->count < 2 ||
        !match_nodes_are_private(&ret->nodes, uses) || !roles_find(ret, table) || !ids_fit(ret) ||
        !tables_fit(ret, norm))
        return false;
    ret->counted = counts_up(ret->position->ids, table, value_type(ret->word->ids).dims[1]);
    return true;
}

// The ids as i32, by a Cast that is there or a new one before `place`.
static Status ids_narrow(Graph *graph, const Node *place, Value ids, Value *ret, Error *err) {
    const Node *wide = match_node(ids, TENSOR_CAST);
    ValueType type = value_type(ids), narrow = wide ? value_type(wide->inputs[0]) : type;
    *ret = type.dtype == DTYPE_I32 ? ids : (Value){0};
    if (value_absent(*ret) && wide && narrow.rank >= 0 && narrow.dtype == DTYPE_I32)
        *ret = wide->inputs[0];
    for (size_t n = 0; n < place->index && value_absent(*ret); n++) {
        const Node *cast = graph->nodes[n];
        if (cast->op == TENSOR_CAST && node_int(cast, "to", 0) == 6 && value_equal(cast->inputs[0], ids))
            *ret = value_of(cast, 0);
    }
    if (!value_absent(*ret))
        return OK;
    const char *name = ids.node ? ids.node->names[ids.output] : ids.constant->name;
    Attribute to = attribute_int("to", 6);
    type.dtype = DTYPE_I32;
    NodeSpec spec = {.op = TENSOR_CAST,
                     .name = arena_format(graph->arena, err, "%s.i32", name),
                     .inputs = &ids,
                     .input_count = 1,
                     .attributes = &to,
                     .attribute_count = 1,
                     .types = &type,
                     .output_count = 1};
    TRY_NEW(spec.name);
    Node *cast;
    TRY(match_insert(graph, place, &spec, &cast, err));
    *ret = value_of(cast, 0);
    return OK;
}

// Positions of one row as [1, length].
static Status positions_raise(Graph *graph, const Node *place, Value ids, Value *ret, Error *err) {
    ValueType type = value_type(ids);
    Value inputs[2] = {ids};
    *ret = ids;
    if (type.rank != 1)
        return OK;
    TRY(match_ints_constant(graph, "axes", &(int64_t){0}, 1, &inputs[1], err));
    ValueType raised = {type.dtype, 2, {{false, 1}, type.dims[0]}};
    NodeSpec spec = {.op = TENSOR_UNSQUEEZE,
                     .name = "positions",
                     .inputs = inputs,
                     .input_count = 2,
                     .types = &raised,
                     .output_count = 1};
    Node *node;
    TRY(match_insert(graph, place, &spec, &node, err));
    *ret = value_of(node, 0);
    return OK;
}

static Status embedding_fuse(Graph *graph, const Embedding *e, const Node *node, const Norm *norm, bool sum_is_read,
                             Error *err) {
    Value values[INPUT_COUNT] = {0};
    Node *sum = graph->nodes[e->sum->index];
    TRY(ids_narrow(graph, sum, e->word->ids, &values[WORDS], err));
    values[WORD_TABLE] = e->word->table;
    values[POSITION_TABLE] = e->position->table;
    values[GAIN] = norm->gain;
    values[BETA] = norm->bias;
    if (e->segment) {
        TRY(ids_narrow(graph, sum, e->segment->ids, &values[SEGMENTS], err));
        values[SEGMENT_TABLE] = e->segment->table;
    }
    if (!e->counted) {
        TRY(positions_raise(graph, sum, e->position->ids, &values[POSITIONS], err));
        TRY(ids_narrow(graph, sum, values[POSITIONS], &values[POSITIONS], err));
    }
    ValueType types[] = {{0}, {DTYPE_I32, 1, {value_type(e->word->ids).dims[0]}}};
    Attribute attribute = attribute_real("epsilon", norm->epsilon);
    NodeSpec spec = {.op = TENSOR_MS_EMBED_LAYER_NORMALIZATION,
                     .inputs = values,
                     .input_count = INPUT_COUNT,
                     .attributes = &attribute,
                     .attribute_count = 1,
                     .types = types,
                     .output_count = 2}; // ONNX Runtime asks for the mask's index even where nobody reads it
    return norms_join(graph, sum, node, sum_is_read, SUM_OUTPUT, &spec, err);
}

// A norm of lookups.
typedef struct Found {
    const Node *node;
    Norm norm;
    Embedding embedding;
    bool sum_is_read;
} Found;

// A norm of a sum of lookups, whatever they are.
static bool is_candidate(const Graph *graph, const Node *node, Norm *ret_norm) {
    Embedding embedding = {0};
    return norms_read(graph, node, ret_norm) && !value_absent(ret_norm->bias) && match_node(ret_norm->x, TENSOR_ADD) &&
           lookups_collect(ret_norm->x, &embedding);
}

static size_t norms_count(const Graph *graph) {
    size_t count = 1; // one is looked at beyond those found
    for (size_t n = 0; n < graph->node_count; n++)
        count += graph->nodes[n]->op == TENSOR_LAYER_NORMALIZATION;
    return count;
}

// All are found before any is fused: symbols go by the places of nodes.
Status pass_fuse_embed_norm(Graph *graph, const PassInputs *inputs, Error *err) {
    size_t *uses, count = 0;
    SymbolTable *table = NULL;
    Found *found;
    TRY(match_uses(graph, inputs, &uses, err));
    TRY_NEW(found = arena_array(inputs->scratch, norms_count(graph), sizeof *found, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        Found *next = &found[count];
        next->node = graph->nodes[n];
        if (!is_candidate(graph, next->node, &next->norm))
            continue;
        if (!table)
            TRY(symbols_make(graph, inputs->scratch, &table, err));
        if (!embedding_match(&next->norm, table, uses, &next->embedding))
            continue;
        next->sum_is_read = uses[next->embedding.sum->index] > 1;
        count++;
    }
    for (size_t i = 0; i < count; i++)
        TRY(embedding_fuse(graph, &found[i].embedding, found[i].node, &found[i].norm, found[i].sum_is_read, err));
    return count ? pass_dead_code(graph, inputs, err) : OK;
}
