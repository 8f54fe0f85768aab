// SPDX-License-Identifier: Apache-2.0
// What goes together when a part of a model is removed, told by the nodes that read it, so that no family's names are
// known here.
//
//     neurons of a feed-forward:  row i of fc1, its bias's element i, column i of fc2
//     heads of an attention:      head_dim rows of q, k, v, as many elements of their biases, as many columns of out
#pragma once

#include "measure/calibration.h"

typedef enum GroupKind { GROUP_NEURONS, GROUP_HEADS, GROUP_CROSS_HEADS } GroupKind;

typedef struct GroupMember {
    const Tensor *tensor;
    bool columns; // of a matrix; else rows
    bool vector;  // elements of a bias
} GroupMember;

enum { GROUP_MOST_MEMBERS = 7 };

typedef struct Group {
    GroupKind kind;
    bool decoder;
    size_t layer;       // of its side
    size_t units, wide; // units that may go, and rows or columns of each
    GroupMember members[GROUP_MOST_MEMBERS];
    size_t member_count;
    double *scores; // [units] by groups_score
} Group;

typedef struct Groups {
    Group *items; // encoder before decoder, layer by layer
    size_t count;
} Groups;

// `model` must have been opened without passes. ERR_UNSUPPORTED for weights that are not real, or shared by groups.
MUST_CHECK Status groups_find(Arena *arena, const Model *model, Groups *ret_groups, Error *err);

// Scores the groups of one kind (heads: of both kinds). Without `calibration`: the joint L2 norm of all that belongs to
// a unit. With it: how far the outputs of the linear behind it move on average when the unit is left out, as if units
// had nothing to do with each other: the root of the sum over its columns j of |W[:,j]|^2 mean(x[j]^2), which is
// Wanda's |W| |x| (Sun et al. 2023, "A Simple and Effective Pruning Approach for Large Language Models") over whole
// columns. ERR_FORMAT for values that are not finite.
MUST_CHECK Status groups_score(const ModelInfo *info, const Calibration *calibration, Groups *groups, GroupKind kind,
                               Error *err);

// Where the name of the group's first tensor has its layer's number: behind "encoder.layers.". ERR_UNSUPPORTED where it
// has none.
MUST_CHECK Status group_number_find(const Group *group, size_t *ret_at, Error *err);

// The linear that reads a node's output; NULL: none.
const Node *linear_after(const Graph *graph, const Node *node);

// Neurons come in whole vectors of 16, in large layers in whole panels of 32; heads one by one.
size_t group_step(const Group *group);

// How many units can stay where `kept` are to: whole steps, the nearest number of them, one at least.
size_t group_round(const Group *group, size_t kept);

typedef struct GroupUnit {
    double score; // over the norm of its group's scores where groups are ranked together
    uint32_t group, unit;
} GroupUnit;

// All units of a scored group; `index` is what they are to say of their group. For qsort: the smallest first, of equal
// ones the last.
void group_units(const Group *group, uint32_t index, bool together, GroupUnit *ret_units);
int group_unit_order(const void *a, const void *b);

// Rows or columns [kept * wide] of the `kept` units of the largest scores, ascending.
MUST_CHECK Status group_places(Arena *arena, const Group *group, size_t kept, uint32_t **ret_places, Error *err);
