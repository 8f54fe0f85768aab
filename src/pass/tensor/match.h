// SPDX-License-Identifier: Apache-2.0
// Match: questions that rewrites of tensor graphs ask about the values around a node.
#pragma once

#include "graph/graph.h"
#include "op/op.h"

// The node of operator `op` whose first output the value is; NULL: another, a constant, or nothing.
const Node *match_node(Value value, OpCode op);

// A constant with values and one element, as a number.
bool match_number(Value value, double *ret);
// The same near `expected`: exporters write 0.7071 with more or fewer digits. 1e-4 of it.
bool match_near(Value value, double expected);
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
