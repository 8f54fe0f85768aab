// SPDX-License-Identifier: Apache-2.0
// ROUGE of a pair: tokens of both texts get numbers by sorting; n-grams are pairs of the number of the (n-1)-gram and
// the next token, numbered the same way. Sorting instead of hashing leaves no text that is slow on purpose.
#include "measure/rouge.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "measure/lcs.h"

struct RougeScorer {
    RougeOptions options;
    Arena scratch;      // of one pair
    size_t chunk_bytes; // what `scratch` holds without asking the heap
    uint64_t steps;     // of the present call: work of about a nanosecond each
};

// A call that would take more is refused: what a text costs is known before it is paid.
static const uint64_t STEPS_MOST = (uint64_t)1 << 30;
enum { STEPS_PER_BYTE = 8, STEPS_PER_SORTED = 64 };

// The tokens of both texts as numbers: those of the target first, then those of the prediction.
typedef struct Pair {
    RougeTokens target, prediction;
    size_t count;    // of tokens in both
    uint32_t *ids;   // [count] below id_count
    size_t id_count; // different tokens
    uint32_t *grams; // [count] number of the n-gram that starts here
    uint64_t *keys;  // [count] what is being sorted
    uint32_t *order; // [count] positions
    uint32_t *spare; // [count]
} Pair;

typedef int Compare(const void *context, uint32_t a, uint32_t b);

static const char *const type_names[ROUGE_TYPE_END] = {
    NULL,     "rouge1", "rouge2", "rouge3", "rouge4", "rouge5",
    "rouge6", "rouge7", "rouge8", "rouge9", "rougeL", "rougeLsum",
};

const char *rouge_type_name(RougeType type) {
    return (unsigned)type < ROUGE_TYPE_END ? type_names[type] : NULL;
}

Status rouge_types_parse(const char *names, RougeOptions *ret_options, Error *err) {
    RougeType types[ROUGE_TYPES_MOST];
    size_t count = 0;
    for (const char *name = names;; name++) {
        size_t bytes = strcspn(name, ",");
        RougeType type = ROUGE_N_FIRST;
        while (type < ROUGE_TYPE_END &&
               (strlen(type_names[type]) != bytes || memcmp(type_names[type], name, bytes) != 0))
            type++;
        if (type == ROUGE_TYPE_END)
            return FAIL(err, ERR_USAGE, "'%.*s' is no ROUGE type; expected rouge1 to rouge9, rougeL or rougeLsum",
                        bytes > 40 ? 40 : (int)bytes, name);
        bool known = false;
        for (size_t i = 0; i < count; i++)
            known |= types[i] == type;
        if (!known)
            types[count++] = type;
        name += bytes;
        if (!*name)
            break;
    }
    memcpy(ret_options->types, types, count * sizeof *types);
    ret_options->type_count = count;
    return OK;
}

RougeScorer *rouge_new(const RougeOptions *options, Error *err) {
    RougeScorer *scorer = memory_new(1, sizeof *scorer, err);
    if (!scorer)
        return NULL;
    *scorer = (RougeScorer){.options = *options};
    arena_init(&scorer->scratch, 0);
    return scorer;
}

void rouge_free(RougeScorer *scorer) {
    if (!scorer)
        return;
    arena_done(&scorer->scratch);
    memory_free(scorer);
}

const RougeOptions *rouge_options(const RougeScorer *scorer) {
    return &scorer->options;
}

static Status steps_take(RougeScorer *scorer, uint64_t steps, const char *what, Error *err) {
    if (steps > STEPS_MOST - scorer->steps)
        return FAIL(err, ERR_LIMIT, "these texts are too long to compare: with %s more than %" PRIu64 " steps of work",
                    what, STEPS_MOST);
    scorer->steps += steps;
    return OK;
}

// Empties the scratch memory and sees to it that the next pair, if no larger than the largest so far, fits into one
// chunk of it.
static Status scratch_reset(RougeScorer *scorer, Error *err) {
    enum { ALIGNMENT_LOSS_BYTES = 4096 };
    size_t used_bytes = scorer->scratch.used_bytes;
    arena_reset(&scorer->scratch);
    if (used_bytes + ALIGNMENT_LOSS_BYTES <= scorer->chunk_bytes)
        return OK;
    arena_done(&scorer->scratch);
    scorer->chunk_bytes = used_bytes + used_bytes / 4 + ALIGNMENT_LOSS_BYTES;
    TRY_NEW(arena_alloc(&scorer->scratch, scorer->chunk_bytes, 16, err));
    arena_reset(&scorer->scratch);
    return OK;
}

// Merge sort of pair->order from the bottom up.
static void order_sort(Pair *pair, size_t count, Compare *compare, const void *context) {
    for (size_t run = 1; run < count; run *= 2) {
        const uint32_t *from = pair->order;
        for (size_t start = 0; start < count; start += 2 * run) {
            size_t middle = start + run < count ? start + run : count;
            size_t end = middle + run < count ? middle + run : count;
            size_t left = start;
            size_t right = middle;
            for (size_t k = start; k < end; k++) {
                bool take_left = right == end || (left < middle && compare(context, from[left], from[right]) <= 0);
                pair->spare[k] = from[take_left ? left++ : right++];
            }
        }
        uint32_t *sorted = pair->spare;
        pair->spare = pair->order;
        pair->order = sorted;
    }
}

static const RougeToken *token_at(const Pair *pair, uint32_t at) {
    return at < pair->target.count ? pair->target.items + at : pair->prediction.items + (at - pair->target.count);
}

static int tokens_compare(const void *context, uint32_t a, uint32_t b) {
    const RougeToken *x = token_at(context, a);
    const RougeToken *y = token_at(context, b);
    int order = memcmp(x->text, y->text, x->bytes < y->bytes ? x->bytes : y->bytes);
    return order ? order : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int keys_compare(const void *context, uint32_t a, uint32_t b) {
    const uint64_t *keys = context;
    return (keys[a] > keys[b]) - (keys[a] < keys[b]);
}

static Status pair_make(RougeScorer *scorer, Bytes target, Bytes prediction, Pair *ret_pair, Error *err) {
    const RougeOptions *options = &scorer->options;
    Arena *arena = &scorer->scratch;
    Pair p = {0};
    TRY(steps_take(scorer, STEPS_PER_BYTE * ((uint64_t)target.size + prediction.size), "tokens", err));
    TRY(rouge_tokens_make(arena, target, options->tokenizer, options->stem, &p.target, err));
    TRY(rouge_tokens_make(arena, prediction, options->tokenizer, options->stem, &p.prediction, err));
    p.count = p.target.count + p.prediction.count;
    TRY(steps_take(scorer, STEPS_PER_SORTED * (uint64_t)p.count, "tokens", err));
    TRY_NEW(p.ids = arena_array(arena, p.count, sizeof *p.ids, err));
    TRY_NEW(p.grams = arena_array(arena, p.count, sizeof *p.grams, err));
    TRY_NEW(p.keys = arena_array(arena, p.count, sizeof *p.keys, err));
    TRY_NEW(p.order = arena_array(arena, p.count, sizeof *p.order, err));
    TRY_NEW(p.spare = arena_array(arena, p.count, sizeof *p.spare, err));
    for (size_t i = 0; i < p.count; i++)
        p.order[i] = (uint32_t)i;
    order_sort(&p, p.count, tokens_compare, &p);
    for (size_t i = 0; i < p.count; i++) {
        p.id_count += i == 0 || tokens_compare(&p, p.order[i - 1], p.order[i]) != 0;
        p.ids[p.order[i]] = (uint32_t)p.id_count - 1;
    }
    *ret_pair = p;
    return OK;
}

static RougeScore score_make(uint64_t hits, uint64_t target_units, uint64_t prediction_units) {
    RougeScore s = {0};
    if (prediction_units)
        s.precision = (double)hits / (double)prediction_units;
    if (target_units)
        s.recall = (double)hits / (double)target_units;
    if (hits)
        s.fmeasure = 2 * s.precision * s.recall / (s.precision + s.recall);
    return s;
}

static size_t grams_in(const RougeTokens *tokens, size_t n) {
    return tokens->count < n ? 0 : tokens->count - n + 1;
}

// Numbers the n-grams, given the (n-1)-grams in pair->grams (all 0 for n = 1), and counts the clipped matches.
static RougeScore ngrams_score(Pair *pair, size_t n) {
    size_t target_grams = grams_in(&pair->target, n);
    size_t prediction_grams = grams_in(&pair->prediction, n);
    size_t count = target_grams + prediction_grams;
    for (size_t i = 0; i < count; i++) {
        size_t at = i < target_grams ? i : pair->target.count + (i - target_grams);
        pair->order[i] = (uint32_t)at;
        pair->keys[at] = (uint64_t)pair->grams[at] << 32 | pair->ids[at + n - 1];
    }
    order_sort(pair, count, keys_compare, pair->keys);
    uint64_t hits = 0;
    uint32_t number = 0;
    for (size_t i = 0; i < count; number++) {
        uint64_t key = pair->keys[pair->order[i]];
        size_t sides[2] = {0, 0};
        for (; i < count && pair->keys[pair->order[i]] == key; i++) {
            sides[pair->order[i] >= pair->target.count]++;
            pair->grams[pair->order[i]] = number;
        }
        hits += sides[0] < sides[1] ? sides[0] : sides[1];
    }
    return score_make(hits, target_grams, prediction_grams);
}

// Where each line with tokens starts among `tokens`, and after the last the end: ret_starts[*ret_count + 1].
static Status lines_find(Arena *arena, const RougeTokens *tokens, size_t **ret_starts, size_t *ret_count,
                         size_t *ret_longest, Error *err) {
    size_t *starts = arena_alloc(arena, (tokens->count + 1) * sizeof *starts, 16, err);
    TRY_NEW(starts);
    size_t count = 0;
    size_t longest = 0;
    for (size_t i = 0; i < tokens->count; i++)
        if (i == 0 || tokens->items[i].line != tokens->items[i - 1].line)
            starts[count++] = i;
    starts[count] = tokens->count;
    for (size_t k = 0; k < count; k++)
        if (starts[k + 1] - starts[k] > longest)
            longest = starts[k + 1] - starts[k];
    *ret_starts = starts;
    *ret_count = count;
    *ret_longest = longest;
    return OK;
}

static Status lcs_score(RougeScorer *scorer, const Pair *pair, RougeScore *ret_score, Error *err) {
    size_t m = pair->target.count;
    size_t n = pair->prediction.count;
    TRY(steps_take(scorer, lcs_steps(m, n), "rougeL", err));
    LcsSpace *space = lcs_make(&scorer->scratch, m, n, pair->id_count, false, err);
    TRY_NEW(space);
    lcs_load(space, pair->ids, m);
    *ret_score = score_make(lcs_length(space, pair->ids + m, n), m, n);
    return OK;
}

// For each target line the union of its common subsequences with every prediction line; a token counts as often as
// both texts have it.
static Status lcs_sum_score(RougeScorer *scorer, const Pair *pair, RougeScore *ret_score, Error *err) {
    Arena *arena = &scorer->scratch;
    size_t *target_lines, *prediction_lines;
    size_t target_count, prediction_count, target_longest, prediction_longest;
    TRY(lines_find(arena, &pair->target, &target_lines, &target_count, &target_longest, err));
    TRY(lines_find(arena, &pair->prediction, &prediction_lines, &prediction_count, &prediction_longest, err));
    size_t m = pair->target.count;
    size_t n = pair->prediction.count;
    uint64_t steps = 0;
    for (size_t k = 0; k < target_count; k++)
        steps += 2 * lcs_steps(target_lines[k + 1] - target_lines[k], n) + lcs_steps(0, 0) * prediction_count;
    TRY(steps_take(scorer, steps, "rougeLsum", err));
    LcsSpace *space = lcs_make(arena, target_longest, prediction_longest, pair->id_count, true, err);
    TRY_NEW(space);
    uint32_t *left[2]; // per side: how often a token may still count
    for (size_t side = 0; side < 2; side++)
        TRY_NEW(left[side] = arena_array(arena, pair->id_count, sizeof **left, err));
    for (size_t i = 0; i < pair->count; i++)
        left[i >= m][pair->ids[i]]++;
    bool *marked = arena_array(arena, m, sizeof *marked, err);
    TRY_NEW(marked);
    uint64_t hits = 0;
    for (size_t k = 0; k < target_count; k++) {
        lcs_load(space, pair->ids + target_lines[k], target_lines[k + 1] - target_lines[k]);
        for (size_t l = 0; l < prediction_count; l++)
            lcs_mark(space, pair->ids + m + prediction_lines[l], prediction_lines[l + 1] - prediction_lines[l],
                     marked + target_lines[k]);
    }
    for (size_t i = 0; i < m; i++) {
        uint32_t id = pair->ids[i];
        if (marked[i] && left[0][id] && left[1][id]) {
            hits++;
            left[0][id]--;
            left[1][id]--;
        }
    }
    *ret_score = score_make(hits, m, n);
    return OK;
}

// All types of one pair, in the options' order.
static Status pair_score(RougeScorer *scorer, Bytes target, Bytes prediction, RougeScore *ret_scores, Error *err) {
    const RougeOptions *options = &scorer->options;
    TRY(scratch_reset(scorer, err));
    Pair pair;
    TRY(pair_make(scorer, target, prediction, &pair, err));
    size_t longest = 0;
    for (size_t k = 0; k < options->type_count; k++)
        if (options->types[k] <= ROUGE_N_LAST && options->types[k] > longest)
            longest = options->types[k];
    TRY(steps_take(scorer, longest * STEPS_PER_SORTED * (uint64_t)pair.count, "n-grams", err));
    RougeScore ngrams[ROUGE_N_LAST + 1];
    for (size_t n = 1; n <= longest; n++)
        ngrams[n] = ngrams_score(&pair, n);
    for (size_t k = 0; k < options->type_count; k++) {
        RougeType type = options->types[k];
        if (type <= ROUGE_N_LAST)
            ret_scores[k] = ngrams[type];
        else if (type == ROUGE_L)
            TRY(lcs_score(scorer, &pair, &ret_scores[k], err));
        else
            TRY(lcs_sum_score(scorer, &pair, &ret_scores[k], err));
    }
    return OK;
}

Status rouge_score(RougeScorer *scorer, const Bytes *targets, size_t target_count, Bytes prediction,
                   RougeScore *ret_scores, Error *err) {
    if (!target_count)
        return FAIL(err, ERR_FORMAT, "there is no target to compare the prediction with, expected at least one");
    scorer->steps = 0;
    RougeScore best[ROUGE_TYPES_MOST];
    RougeScore scores[ROUGE_TYPES_MOST];
    for (size_t t = 0; t < target_count; t++) {
        TRY(pair_score(scorer, targets[t], prediction, scores, err));
        for (size_t k = 0; k < scorer->options.type_count; k++)
            if (t == 0 || scores[k].fmeasure > best[k].fmeasure)
                best[k] = scores[k];
    }
    memcpy(ret_scores, best, scorer->options.type_count * sizeof *best);
    return OK;
}
