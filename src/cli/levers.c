// SPDX-License-Identifier: Apache-2.0
// What the levers did, as JSON and as sentences.
#include "cli/levers.h"

#include <stdio.h>

static double share(uint64_t part, uint64_t whole) {
    return whole ? (double)part / (double)whole : 0;
}

Status levers_check(const RuntimeFlags *flags, const GenerationOptions *options, Error *err) {
    if (!flags->lookup_decoding)
        return OK;
    if (options->num_beams > 1)
        return FAIL(err, ERR_USAGE,
                    "--lookup-decoding is for greedy decoding, and num_beams is %lld: leave one of them out",
                    (long long)options->num_beams);
    if (options->do_sample)
        return FAIL(err, ERR_USAGE,
                    "--lookup-decoding is for greedy decoding, not for sampling: leave one of them out");
    return OK;
}

bool levers_report(const RuntimeSettings *settings, const EngineCounts *counts, json_t *report) {
    bool good = true;
    uint64_t decided = counts->screened_rows - counts->unproven_rows;
    if (settings->lm_head_screen)
        good &= json_object_set_new(report, "lm_head_screen",
                                    json_pack("{s:I, s:I, s:f, s:f}", "rows", (json_int_t)counts->screened_rows,
                                              "fallbacks", (json_int_t)counts->unproven_rows, "fallback_share",
                                              share(counts->unproven_rows, counts->screened_rows), "candidates_per_row",
                                              share(counts->rescored_words, decided))) == 0;
    if (settings->lookup_decoding)
        good &= json_object_set_new(
                    report, "lookup_decoding",
                    json_pack("{s:I, s:I, s:I, s:f, s:f}", "steps", (json_int_t)counts->greedy_steps, "guessed",
                              (json_int_t)counts->guessed, "right", (json_int_t)counts->guessed_right, "acceptance",
                              share(counts->guessed_right, counts->guessed), "tokens_per_step",
                              counts->greedy_steps ? 1 + share(counts->guessed_right, counts->greedy_steps) : 0)) == 0;
    return good;
}

void levers_tell(const CommandRun *run, const RuntimeSettings *settings, const EngineCounts *counts,
                 const char *refusal) {
    if (run->common.quiet)
        return;
    if (refusal)
        fprintf(stderr, "hone: the screen of the lm head is left off: %s\n", refusal);
    else if (settings->lm_head_screen && (counts->screened_rows || !settings->screen_greedy_only))
        fprintf(stderr,
                "hone: lm head screen: %llu rows, %.2f %% of them needed the whole head, %.1f words rescored for each "
                "of the others\n",
                (unsigned long long)counts->screened_rows, 100 * share(counts->unproven_rows, counts->screened_rows),
                share(counts->rescored_words, counts->screened_rows - counts->unproven_rows));
    if (settings->lookup_decoding && counts->greedy_steps)
        fprintf(stderr, "hone: lookup decoding: %llu of %llu guesses were right (%.1f %%), %.2f tokens a step\n",
                (unsigned long long)counts->guessed_right, (unsigned long long)counts->guessed,
                100 * share(counts->guessed_right, counts->guessed),
                1 + share(counts->guessed_right, counts->greedy_steps));
}
