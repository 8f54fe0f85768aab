// SPDX-License-Identifier: Apache-2.0
// Greedy and sampled sequences. Several chains extended from one row is the first step of a request that wants several
// samples: they all begin with the same token.
#include "engine/chain.h"

Status chains_make(Arena *arena, const Rules *rules, size_t count, Chain **ret_chains, Error *err) {
    Chain *chains = arena_array(arena, count, sizeof *chains, err);
    TRY_NEW(chains);
    Random seeds = {rules->options.seed};
    for (size_t i = 0; i < count; i++) {
        TRY_NEW(chains[i].history = arena_array(arena, rules->max_length, sizeof *chains[i].history, err));
        TRY_NEW(chains[i].log_probabilities =
                    arena_array(arena, rules->max_length, sizeof *chains[i].log_probabilities, err));
        chains[i].history[0] = generation_start_token(&rules->options);
        chains[i].count = 1;
        chains[i].random.state = random_next(&seeds);
    }
    *ret_chains = chains;
    return OK;
}

void chain_append(Chain *chain, const Rules *rules, int32_t token, double log_probability) {
    chain->log_probabilities[chain->count] = log_probability;
    chain->history[chain->count++] = token;
    chain->done = rules_ends(rules, token, chain->count, &chain->finish);
}

double chain_score(const Chain *chain) {
    double score = 0;
    for (size_t i = 1; i < chain->count; i++)
        score += chain->log_probabilities[i];
    return score;
}

bool chains_extend_drawn(Chain *chains, size_t count, const Rules *rules, float *row) {
    Draw draw;
    if (!draw_init(&draw, row, rules->vocabulary))
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t token = draw_one(&draw, &chains[i].random);
        chain_append(&chains[i], rules, (int32_t)token, draw_log_probability(&draw, row[token]));
    }
    return true;
}
