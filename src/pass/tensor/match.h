// SPDX-License-Identifier: Apache-2.0
// Match: questions that rewrites of tensor graphs ask about the values around a node.
#pragma once

#include "graph/graph.h"
#include "op/op.h"
#include "pass/pass.h"

// The node of operator `op` whose first output the value is; NULL: another, a constant, or nothing.
const Node *match_node(Value value, OpCode op);

// A constant with values and one element, as a number.
bool match_number(Value value, double *ret);
// Two numbers that are equal to 1e-4 of the second.
bool number_near(double a, double b);

// A constant vector of `count` elements (count < 0: any number), of a real type.
bool match_vector(Value value, int64_t count);
// Integers of a constant list or number (i64 or i32): at most 8; false otherwise.
bool match_ints(Value value, int64_t ret_values[8], size_t *ret_count);
// Those of an attribute.
bool match_attribute_ints(const Node *node, const char *name, const int64_t *expected, size_t count);

// Of a node of two inputs: the operand that `op` makes, and the other one. Both orders are tried.
bool match_operands(const Node *node, OpCode op, const Node **ret_made, Value *ret_other);
// The operand that is a number, and the other one.
bool match_operand_number(const Node *node, double *ret_number, Value *ret_other);

// Types: rank and the last dimension known; equal and wholly known.
bool type_is_known(const ValueType *type);
bool types_are_equal_and_known(const ValueType *a, const ValueType *b);
// A dimension that is a number; -1 where it is none.
int64_t type_dim(const ValueType *type, int from_end);

// Adds a node before `place` with one output whose type follows by its rule (refined by `type`, if not NULL).
MUST_CHECK Status match_insert(Graph *graph, const Node *place, const NodeSpec *spec, Node **ret_node, Error *err);
// An i64 list as a constant.
MUST_CHECK Status match_ints_constant(Graph *graph, const char *name, const int64_t *values, size_t count, Value *ret,
                                      Error *err);

// A number as a constant of rank 0, of a type that match_takes_number.
bool match_takes_number(DType dtype); // i32, i64 and what reals are computed in
MUST_CHECK Status match_number_constant(Graph *graph, const char *name, DType dtype, double number, Value *ret,
                                        Error *err);
// Shape of dimension `axis` of a value alone, i64 [1]; the attributes lie in ret_range.
NodeSpec match_dim_spec(const Value *value, int64_t axis, Attribute ret_range[2]);

// Removes what nothing reads, and counts the uses of what is left: [node_count]. A pass that looks at uses begins so.
MUST_CHECK Status match_uses(Graph *graph, const PassInputs *inputs, size_t **ret_uses, Error *err);

// The nodes that a pattern consists of, the one that computes its result first.
enum { MATCH_MOST_NODES = 32 };
typedef struct MatchNodes {
    const Node *nodes[MATCH_MOST_NODES];
    size_t count; // MATCH_MOST_NODES + 1: there were more
} MatchNodes;
void match_nodes_add(MatchNodes *nodes, const Node *node);
// All are there, and nobody else reads any but the first.
bool match_nodes_are_private(const MatchNodes *nodes, const size_t *uses);

// Input `index` of a node of two is a number that does not widen the other's shape.
bool match_scalar(const Node *node, size_t index, double *ret);

// A value as a product: scale * factor ^ power * ..., taken apart through Mul, Div, Neg, Reciprocal, Sqrt and Pow by
// numbers. Equal factors are one.
enum { MATCH_MOST_FACTORS = 8 };
typedef struct MatchFactor {
    Value value;
    double power;
} MatchFactor;
typedef struct MatchProduct {
    double scale;
    MatchFactor factors[MATCH_MOST_FACTORS];
    size_t count;
} MatchProduct;
// `whole` (may be absent) is a factor that is not taken apart. The nodes gone through are added to `nodes`. False: more
// factors than fit.
bool match_product(Value value, Value whole, MatchNodes *nodes, MatchProduct *ret);
// The first factor of that power after `after` (NULL: from the start); NULL: none.
const MatchFactor *match_product_factor(const MatchProduct *product, double power, const MatchFactor *after);

// The mean over the last axis, which stays as 1: of what.
bool match_mean(Value value, Value *ret_of);
// Whether an axis is the last of a value: -1, or rank - 1 where the rank is known.
bool match_last_axis(int64_t axis, Value value);
// A sum with a constant vector along the last dimension, which the vector does not widen.
bool match_bias(Value sum, Value *ret_rest, Value *ret_bias);
