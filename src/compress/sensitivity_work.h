// SPDX-License-Identifier: Apache-2.0
// One run of sensitivity_measure, passed between its steps.
#pragma once

#include "compress/groups.h"
#include "compress/sensitivity.h"
#include "compress/variant.h"
#include "engine/runtime.h"
#include "measure/forced_loss.h"

// A place in a model that can be changed by itself.
typedef struct Site {
    const char *layer;
    SessionStage stage;
    size_t place;         // in the graph of that stage: its first node
    Value output;         // what it gives; a head's logits and tables of words have none here
    const Tensor *tensor; // whose values change; NULL: a whole layer
    TensorRole role;
    const Group *group; // of whose units some go; else NULL
    Value passed;       // a whole layer: what goes on in place of its output
    const char *prefix; // a whole layer: how the names of its tensors begin
} Site;

// A row on its way.
typedef struct Entry {
    SensitivityRow row;
    const Site *site;
    size_t int4_group;
    size_t kept;              // units
    double nats, moved, size; // sums over the parts that were measured
    size_t parts;
    bool timed;
} Entry;

// Samples that run together.
typedef struct Part {
    size_t first, count;
    ForcedNeed need;
} Part;

typedef struct Sensing {
    Arena *arena; // of the result
    Arena scratch;
    const SensitivityOptions *options;
    Runtime *runtime; // its engine: once something has to run
    int32_t start;
    TensorRole *roles;
    Groups groups;
    Site *sites; // as they run
    size_t site_count;
    Entry *entries; // by site
    size_t entry_count;
    TokenSamples samples;
    Part *parts;
    size_t part_count;
    double base_nats;
    double base_ms, base_score;
    size_t score_rows; // that are written out and scored
    WorkMeter meter;
} Sensing;

// Finds the sites and what is to be changed at each.
MUST_CHECK Status sensing_find_sites(Sensing *sensing, Error *err);

// Makes the engine, large enough for the largest part, unless it is there.
MUST_CHECK Status sensing_start(Sensing *sensing, Error *err);
bool sensing_is_late(const Sensing *sensing);

// Steps of the site's stage: those that give its output, or, for a layer, all of it.
typedef struct SiteSteps {
    size_t first, last; // the last excluded
} SiteSteps;
SiteSteps site_steps(const Site *site, const Plan *plan);

// An entry's change, ready to be put into the session and taken out again.
typedef struct Change {
    const Sensing *sensing;
    Entry *entry;
    Arena arena;
    Variant variant;         // of all but whole layers
    SessionVariant prepared; // the same
    double bytes_saved;
    Status status;
    Error error;
} Change;

// Finds the constants of changes whose `entry` is set, on all threads. changes_done frees them, also after a failure.
MUST_CHECK Status changes_find(Sensing *sensing, Change *changes, size_t count, Error *err);
void changes_done(Change *changes, size_t count);

// One change in the session: prepared, put in, taken out.
MUST_CHECK Status change_prepare(Change *change, Error *err);
void change_put_in(const Change *change);
void change_take_out(const Change *change);

// What one weight becomes under a scheme. False: it has no form in it.
bool scheme_takes(const Sensing *sensing, const Tensor *tensor, WeightScheme scheme);
MUST_CHECK Status scheme_weight(const Sensing *sensing, const Tensor *tensor, WeightScheme scheme, Weight *ret_weight,
                                Error *err);

// Numbers of one entry of the cache, by name; false where it is not there or lacks one. Reals that are no numbers are
// kept as null and read as NaN.
typedef struct Kept {
    const char *name;
    double *value;
} Kept;
MUST_CHECK Status sensing_recall(Sensing *sensing, const char *key, const Kept *kept, size_t count, bool *ret_found,
                                 Error *err);
MUST_CHECK Status sensing_keep(Sensing *sensing, const char *key, const Kept *kept, size_t count, Error *err);

// The steps, in their order: times, losses and errors, scores.
MUST_CHECK Status sensing_times(Sensing *sensing, Error *err);
MUST_CHECK Status sensing_losses(Sensing *sensing, Error *err);
MUST_CHECK Status sensing_scores(Sensing *sensing, Error *err);
