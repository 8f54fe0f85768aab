// SPDX-License-Identifier: Apache-2.0
// Heads: how exporters split [batch, length, heads * head_dim] into [batch, heads, length, head_dim], by Reshape and
// Transpose, and join the result again.
#pragma once

#include "pass/tensor/match.h"

enum { HEADS_RANK = 4 };
extern const int64_t heads_perm[HEADS_RANK]; // 0, 2, 1, 3

typedef struct HeadsSplit {
    Value whole; // [batch, length, heads * head_dim]
    int64_t heads, head_dim;
} HeadsSplit;

// Whether a value is such a split; not `transposed`: the Reshape alone, [batch, length, heads, head_dim].
bool heads_split(Value value, bool transposed, HeadsSplit *ret);

typedef struct HeadsJoin {
    const Node *transpose;
    Node *reshape;
} HeadsJoin;

// Whether all that reads a node's first output is a join of heads, into whatever shape. `uses` as graph_count_uses has
// them.
bool heads_join(const Graph *graph, const Node *node, const size_t *uses, HeadsJoin *ret);

// The type of the joined value, [batch, length, heads * head_dim] of V.
ValueType heads_joined_type(const HeadsJoin *join, const HeadsSplit *v);

// `node`, whose first output is joined, stands for the join from now on.
void heads_join_replace(Graph *graph, const HeadsJoin *join, const Node *node);

// A mask [.., .., 1, keys] with the queries' length, dimension `axis` of q, written out before `place`: ONNX Runtime's
// operators broadcast the other dimensions only. Any other mask stays as it is.
MUST_CHECK Status heads_mask_lengthen(Graph *graph, const Node *place, Value q, int axis, Value *mask, Error *err);
