// SPDX-License-Identifier: Apache-2.0
// Confirming on the final rows. A winner of many trials on the selection rows owes something to luck, and the final
// rows may not bear it out. So a sequence is fixed before they are looked at, safest first: of the candidates that were
// the best at some time those that lose less on the selection rows, and last the best itself. Each is tested on the
// final rows at the interval's own level; the first that fails ends it. In such a sequence the chance that any
// candidate beyond the budget is let through is that of one test, however long it is (A. Angelopoulos, S. Bates et al.
// 2021, "Learn then Test", 4.2; fixed-sequence testing). Of those let through, the best by the goal is the answer.
#include <stdlib.h>

#include "compress/search_work.h"

enum { SEQUENCE_MOST = 10 };

static int by_bound(const void *a, const void *b) {
    const Candidate *x = *(Candidate *const *)a, *y = *(Candidate *const *)b;
    if (x->loss.mean.high != y->loss.mean.high)
        return x->loss.mean.high < y->loss.mean.high ? -1 : 1;
    return x < y ? -1 : x > y; // candidates lie in the order in which they were tried
}

// The safest, those nearest to the best, and the best.
static size_t sequence_make(const Search *search, Candidate *ret_sequence[SEQUENCE_MOST]) {
    Candidate *safer[SEARCH_MOST_CANDIDATES];
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < search->best_count; i++) {
        Candidate *candidate = search->bests[i];
        if (candidate != search->best && candidate->loss.mean.high <= search->best->loss.mean.high)
            safer[count++] = candidate;
    }
    qsort(safer, count, sizeof *safer, by_bound);
    size_t skipped = count > SEQUENCE_MOST - 1 ? count - (SEQUENCE_MOST - 2) : 1;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || i >= skipped)
            ret_sequence[kept++] = safer[i];
    ret_sequence[kept++] = search->best;
    return kept;
}

// The later a candidate became the best, the better it is by the goal.
static size_t rank_of(const Search *search, const Candidate *candidate) {
    if (candidate == search->best)
        return search->best_count;
    size_t rank = 0;
    for (size_t i = 0; i < search->best_count; i++)
        if (search->bests[i] == candidate)
            rank = i;
    return rank;
}

Status search_confirm(Search *search, Error *err) {
    Candidate *sequence[SEQUENCE_MOST], *confirmed = NULL;
    Quality original;
    if (search->best == search->original)
        return OK;
    search_phase_begin(search);
    size_t count = sequence_make(search, sequence);
    TRY(search_quality(search, &search->original->recipe, SPLIT_FINAL, &original, err));
    for (size_t i = 0; i < count; i++) {
        Quality quality;
        TRY(search_quality(search, &sequence[i]->recipe, SPLIT_FINAL, &quality, err));
        RelativeLoss loss = trial_loss(&original, &quality).mean;
        bool within = loss.high <= search->options->max_loss;
        search_say(search, "final rows: %s loses %.2f %% [%.2f, %.2f]%s", sequence[i]->text, 100 * loss.relative,
                   100 * loss.low, 100 * loss.high, within ? "" : ", not shown to be within the budget");
        if (!within)
            break;
        if (!confirmed || rank_of(search, sequence[i]) > rank_of(search, confirmed))
            confirmed = sequence[i];
    }
    if (confirmed)
        search->best = confirmed;
    search_phase_end(search, "confirming on the final rows");
    return OK;
}
