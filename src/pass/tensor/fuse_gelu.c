// SPDX-License-Identifier: Apache-2.0
// fuse_gelu: x/2 (1 + erf(x/sqrt 2)) becomes Gelu, x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) Gelu
// {approximate=tanh}, x sigmoid(1.702 x) QuickGelu, in every arrangement: both the argument of the inner function t and
// the whole are compared as polynomials in x and t.
#include <math.h>

#include "pass/rewrite.h"
#include "pass/tensor/match.h"

enum { DEGREES_X = 4, DEGREES_T = 2, MOST_DEPTH = 8, MOST_CANDIDATES = 16 };

typedef struct Polynomial {
    double at[DEGREES_X][DEGREES_T]; // at[i][j] x^i t^j
} Polynomial;

// What is taken for x and t (absent: there is none).
typedef struct Unknowns {
    Value x, t;
    MatchNodes *nodes;
} Unknowns;

// sqrt(2 / pi), and 0.044715 of it
#define TANH_LINEAR 0.7978845608028654
#define TANH_CUBIC (0.044715 * TANH_LINEAR)

static const struct Form {
    OpCode inner;         // t, of
    double linear, cubic; // linear x + cubic x^3
    double x, xt;         // the whole: x + xt t
    OpCode becomes;
    bool tanh;
} forms[] = {
    {TENSOR_ERF, M_SQRT1_2, 0, 0.5, 0.5, TENSOR_GELU, false},
    {TENSOR_ERF, -M_SQRT1_2, 0, 0.5, -0.5, TENSOR_GELU, false},
    {TENSOR_TANH, TANH_LINEAR, TANH_CUBIC, 0.5, 0.5, TENSOR_GELU, true},
    {TENSOR_TANH, -TANH_LINEAR, -TANH_CUBIC, 0.5, -0.5, TENSOR_GELU, true},
    {TENSOR_SIGMOID, 2 * TANH_LINEAR, 2 * TANH_CUBIC, 0, 1, TENSOR_GELU, true},
    {TENSOR_SIGMOID, 1.702, 0, 0, 1, TENSOR_MS_QUICK_GELU, false},
};

static bool polynomial_multiply(const Polynomial *a, const Polynomial *b, Polynomial *ret) {
    Polynomial product = {0};
    for (int i = 0; i < DEGREES_X * DEGREES_T; i++)
        for (int k = 0; k < DEGREES_X * DEGREES_T; k++) {
            int x = i / DEGREES_T + k / DEGREES_T, t = i % DEGREES_T + k % DEGREES_T;
            double term = a->at[i / DEGREES_T][i % DEGREES_T] * b->at[k / DEGREES_T][k % DEGREES_T];
            if (term != 0 && (x >= DEGREES_X || t >= DEGREES_T))
                return false;
            if (term != 0)
                product.at[x][t] += term;
        }
    *ret = product;
    return true;
}

// a + factor b
static void polynomial_add(Polynomial *a, const Polynomial *b, double factor) {
    for (int i = 0; i < DEGREES_X; i++)
        for (int k = 0; k < DEGREES_T; k++)
            a->at[i][k] += factor * b->at[i][k];
}

static bool polynomial_take(const Unknowns *unknowns, Value value, int depth, Polynomial *ret);

static bool operand_take(const Unknowns *unknowns, const Node *node, size_t index, int depth, Polynomial *ret) {
    double number;
    if (match_scalar(node, index, &number)) {
        *ret = (Polynomial){{{number}}};
        return true;
    }
    return polynomial_take(unknowns, node->inputs[index], depth - 1, ret);
}

// x ^ 2, x ^ 3 ...
static bool power_take(const Unknowns *unknowns, const Node *node, int depth, Polynomial *ret) {
    double exponent;
    Polynomial base;
    if (!match_scalar(node, 1, &exponent) || !(exponent == 1 || exponent == 2 || exponent == 3) ||
        !polynomial_take(unknowns, node->inputs[0], depth - 1, &base))
        return false;
    *ret = base;
    for (int i = 1; i < (int)exponent; i++)
        if (!polynomial_multiply(ret, &base, ret))
            return false;
    return true;
}

// False: no polynomial in the unknowns.
static bool polynomial_take(const Unknowns *unknowns, Value value, int depth, Polynomial *ret) {
    const Node *node = value.node;
    Polynomial a, b;
    double number;
    *ret = (Polynomial){0};
    if (value_equal(value, unknowns->x) || value_equal(value, unknowns->t)) {
        ret->at[1][0] = value_equal(value, unknowns->x);
        ret->at[0][1] = value_equal(value, unknowns->t);
        return true;
    }
    if (!node || depth == 0)
        return false;
    match_nodes_add(unknowns->nodes, node);
    switch (node->op) {
    case TENSOR_ADD:
    case TENSOR_SUB:
        if (!operand_take(unknowns, node, 0, depth, &a) || !operand_take(unknowns, node, 1, depth, &b))
            return false;
        polynomial_add(&a, &b, node->op == TENSOR_ADD ? 1 : -1);
        *ret = a;
        return true;
    case TENSOR_MUL:
        return operand_take(unknowns, node, 0, depth, &a) && operand_take(unknowns, node, 1, depth, &b) &&
               polynomial_multiply(&a, &b, ret);
    case TENSOR_DIV:
        if (!match_scalar(node, 1, &number) || number == 0 || !operand_take(unknowns, node, 0, depth, &a))
            return false;
        polynomial_add(ret, &a, 1 / number);
        return true;
    case TENSOR_NEG:
        if (!polynomial_take(unknowns, node->inputs[0], depth - 1, &a))
            return false;
        polynomial_add(ret, &a, -1);
        return true;
    case TENSOR_POW:
        return power_take(unknowns, node, depth, ret);
    default:
        return false;
    }
}

// Whether all coefficients are those of `b`, as far as numbers of that type can be.
static bool polynomial_near(const Polynomial *a, const Polynomial *b, DType dtype) {
    double tolerance = dtype == DTYPE_F16 ? 1e-3 : dtype == DTYPE_BF16 ? 1e-2 : 1e-4;
    for (int i = 0; i < DEGREES_X; i++)
        for (int k = 0; k < DEGREES_T; k++)
            if (!(fabs(a->at[i][k] - b->at[i][k]) <= tolerance * fabs(b->at[i][k]) + 1e-9))
                return false;
    return true;
}

// Values that the argument may be a polynomial of: what it is made of by arithmetic.
static void candidates_add(Value value, Value *candidates, size_t *count, int depth) {
    for (size_t i = 0; i < *count; i++)
        if (value_equal(candidates[i], value))
            return;
    if (!value.node || *count == MOST_CANDIDATES)
        return;
    candidates[(*count)++] = value;
    OpCode op = value.node->op;
    bool arithmetic = op == TENSOR_ADD || op == TENSOR_SUB || op == TENSOR_MUL || op == TENSOR_DIV ||
                      op == TENSOR_NEG || op == TENSOR_POW;
    for (size_t i = 0; arithmetic && depth > 0 && i < value.node->input_count; i++)
        candidates_add(value.node->inputs[i], candidates, count, depth - 1);
}

static DType number_type(Value x, const Node *inner) {
    return value_type(x).rank >= 0     ? value_type(x).dtype
           : inner->types[0].rank >= 0 ? inner->types[0].dtype
                                       : DTYPE_F32;
}

// The whole that `inner` belongs to, searched upwards: each step has one reader.
static Node *whole_find(Graph *graph, const struct Form *form, const Node *inner, Value x, const size_t *uses,
                        const size_t *readers) {
    Polynomial expected = {{{0}, {form->x, form->xt}}}, found, argument;
    const Node *at = inner;
    for (int i = 0; i < MOST_DEPTH && uses[at->index] == 1 && readers[at->index] < graph->node_count; i++) {
        at = graph->nodes[readers[at->index]];
        MatchNodes nodes = {0};
        Unknowns unknowns = {x, value_of(inner, 0), &nodes};
        if (!polynomial_take(&unknowns, value_of(at, 0), MOST_DEPTH, &found) ||
            !polynomial_near(&found, &expected, number_type(x, inner)))
            continue;
        match_nodes_add(&nodes, inner);
        unknowns.t = (Value){0};
        bool again = polynomial_take(&unknowns, inner->inputs[0], MOST_DEPTH, &argument); // for its nodes
        return again && match_nodes_are_private(&nodes, uses) ? graph->nodes[at->index] : NULL;
    }
    return NULL;
}

static Status fuse(Graph *graph, Node *whole, const struct Form *form, Value x, Error *err) {
    bool quick = form->becomes == TENSOR_MS_QUICK_GELU;
    Attribute attribute =
        quick ? attribute_real("alpha", form->linear) : attribute_text("approximate", form->tanh ? "tanh" : "none");
    NodeSpec spec = {.op = form->becomes,
                     .inputs = &x,
                     .input_count = 1,
                     .attributes = &attribute,
                     .attribute_count = 1,
                     .note = whole->note};
    return graph_change_node(graph, whole, &spec, err);
}

static Status inner_try(Graph *graph, const Node *inner, const size_t *uses, const size_t *readers, Error *err) {
    Value candidates[MOST_CANDIDATES];
    size_t count = 0;
    candidates_add(inner->inputs[0], candidates, &count, MOST_DEPTH);
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
        for (size_t c = 0; forms[f].inner == inner->op && c < count; c++) {
            MatchNodes nodes = {0};
            Unknowns unknowns = {candidates[c], {0}, &nodes};
            Polynomial expected = {{{0}, {forms[f].linear}, {0}, {forms[f].cubic}}}, found;
            if (!polynomial_take(&unknowns, inner->inputs[0], MOST_DEPTH, &found) ||
                !polynomial_near(&found, &expected, number_type(candidates[c], inner)))
                continue;
            Node *whole = whole_find(graph, &forms[f], inner, candidates[c], uses, readers);
            if (whole)
                return fuse(graph, whole, &forms[f], candidates[c], err);
        }
    return OK;
}

Status pass_fuse_gelu(Graph *graph, const PassInputs *inputs, Error *err) {
    size_t *uses, *readers; // readers: one that reads the node; SIZE_MAX: only the graph returns it
    TRY(match_uses(graph, inputs, &uses, err));
    TRY_NEW(readers = arena_array(inputs->scratch, graph->node_count, sizeof *readers, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        readers[n] = SIZE_MAX;
        for (size_t i = 0; i < graph->nodes[n]->input_count; i++)
            if (graph->nodes[n]->inputs[i].node)
                readers[graph->nodes[n]->inputs[i].node->index] = n;
    }
    for (size_t n = 0; n < graph->node_count; n++) {
        OpCode op = graph->nodes[n]->op;
        if (op == TENSOR_ERF || op == TENSOR_TANH || op == TENSOR_SIGMOID)
            TRY(inner_try(graph, graph->nodes[n], uses, readers, err));
    }
    return pass_dead_code(graph, inputs, err);
}
