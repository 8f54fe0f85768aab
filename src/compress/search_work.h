// SPDX-License-Identifier: Apache-2.0
// One run of search_run, passed between its steps.
#pragma once

#include "compress/evaluations.h"
#include "compress/manifest.h"
#include "compress/recipe.h"
#include "compress/search.h"
#include "compress/sensitivity.h"
#include "compress/split.h"
#include "compress/trial.h"

enum { SEARCH_MOST_CANDIDATES = 256, SEARCH_BATCH = 16, SEARCH_MOST_PHASES = 12 };

// A recipe and what is known of it. NaN: not known.
typedef struct Candidate {
    const char *name; // of its row in the table; NULL: found by searching
    Recipe recipe;
    const char *text;   // as recipe_describe has it
    const char *reason; // why it cannot be made of this model; NULL: it can
    Quality quality;    // on the selection rows
    TrialLoss loss;     // against the original
    double bytes;       // of the files of weights
    double kv_bytes;    // of K and V of the longest source and output
    double ms;          // a sample, batch 1 (throughput: in batches); measured beside the original
    bool tried, within;
} Candidate;

// A step of the list that bisection cuts: one layer's next scheme, or a further cut of one side's neurons.
typedef struct Move {
    size_t item;   // which layer or side
    size_t option; // which of its choices
    double slope;  // saved for each unit of loss
} Move;

typedef struct MoveOption {
    WeightScheme scheme; // of a layer
    double amount;       // of a side's neurons
    double loss, saved;
} MoveOption;

typedef struct MoveItem {
    const char *module; // of the weight; NULL: neurons of a side
    bool table;         // the word table or the head
    bool decoder;
    MoveOption options[8]; // on the hull, ascending; [0] is what it was
    size_t option_count;
} MoveItem;

typedef struct Phase {
    const char *name;
    double seconds;
} Phase;

typedef struct Search {
    Arena *arena;
    Arena made; // holds the scratch folder
    const SearchOptions *options;
    const Model *model; // as it was, opened without passes
    const ModelInfo *info;
    RecipeMaker maker;
    Split split;
    FileRecords sources; // of the model
    char model_sha256[SHA256_TEXT_BYTES];
    Evaluations evaluations;
    char *key_stem; // what every quality depends on
    Candidate items[SEARCH_MOST_CANDIDATES];
    size_t count;
    Candidate *original, *best;               // best: within the budget; the original where there is none
    Candidate *bests[SEARCH_MOST_CANDIDATES]; // each better by the goal than those before it
    size_t best_count;
    Sensitivity sensitivity;
    MoveItem *moves_of;
    size_t item_count;
    Move *moves;
    size_t move_count;
    size_t group; // of int4, which divides all weights' columns; 0: there is none
    size_t tried; // trials of quality, found in the cache or not
    uint64_t started_ns, phase_ns;
    Phase phases[SEARCH_MOST_PHASES];
    size_t phase_count;
    bool beams; // the generation options ask for more than greedy decoding
} Search;

void search_say(const Search *search, const char *format, ...) __attribute__((format(printf, 2, 3)));
void search_phase_begin(Search *search);
void search_phase_end(Search *search, const char *name);
// Whether another trial may begin.
bool search_goes_on(const Search *search);

// search_try.c: adds a candidate, or finds the one with the same recipe; makes it, scores it on the selection rows, and
// decides whether it is within the budget. A recipe that does not fit the model has a reason instead.
MUST_CHECK Status search_try(Search *search, const char *name, const Recipe *recipe, Candidate **ret_candidate,
                             Error *err);
// Takes a candidate as the best where it is within the budget and better by the search's goal.
MUST_CHECK Status search_consider(Search *search, Candidate *candidate, Error *err);
// How good a recipe is on some rows, or was: without texts where it comes from the cache.
MUST_CHECK Status search_quality(Search *search, const Recipe *recipe, SplitPart part, Quality *ret_quality,
                                 Error *err);
// A key of the cache: the stem and further text, hashed.
void search_key(const Search *search, const char *text, char ret_key[SHA256_TEXT_BYTES]);
TrialOptions search_trial_options(const Search *search, SplitPart part);
MUST_CHECK Status search_recipe_text(const Search *search, const Recipe *recipe, unsigned parts, char **ret_text,
                                     Error *err);

// search_moves.c: from sensitivity to the list of moves, and to the recipe of its first `count`.
MUST_CHECK Status moves_make(Search *search, Error *err);
MUST_CHECK Status moves_recipe(Search *search, size_t count, Recipe *ret_recipe, Error *err);
// Takes a move out of the list, and with it the further ones of its layer.
void moves_block(Search *search, size_t index);

// search_levers.c: the best once more against the fixed recipes, by time.
MUST_CHECK Status search_runoff(Search *search, Error *err);
// Threads, batch and the levers that change no output, by time.
MUST_CHECK Status search_levers(Search *search, Recipe *ret_recipe, Error *err);

// A fixed recipe whose `kept` weights that lose most have another scheme; *ret_count: how many there are.
MUST_CHECK Status fallback_recipe(Search *search, const Recipe *base, WeightScheme fallback, size_t kept,
                                  Recipe *ret_recipe, size_t *ret_count, Error *err);

// search_confirm.c: the final rows decide whether it is the best, or one that was the best before.
MUST_CHECK Status search_confirm(Search *search, Error *err);

// search_final.c: the table, the answer, and the document.
MUST_CHECK Status search_finish(Search *search, const Recipe *chosen, SearchAnswer *ret_answer, Error *err);
