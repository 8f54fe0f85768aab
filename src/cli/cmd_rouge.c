// SPDX-License-Identifier: Apache-2.0
// hone rouge: ROUGE of pairs, line by line or as one aggregate.
#include <unistd.h>

#include "cli/lines.h"
#include "measure/rouge_aggregate.h"
#include "measure/rouge_request.h"

typedef struct Settings {
    const char *types;
    const char *tokenizer;
    bool stem;
    bool aggregate;
} Settings;

static const Option options[] = {
    {"types", 't', "LIST", "of rouge1 ... rouge9, rougeL, rougeLsum (default: " ROUGE_TYPES_USUAL ")", OPTION_TEXT,
     offsetof(Settings, types)},
    {"stem", 0, NULL, "compare English words by their Porter stems", OPTION_FLAG, offsetof(Settings, stem)},
    {"tokenizer", 0, "NAME", "default, unicode or char", OPTION_TEXT, offsetof(Settings, tokenizer),
     .choices = "default|unicode|char"},
    {"aggregate", 0, NULL, "one answer: means and bootstrap intervals of all pairs", OPTION_FLAG,
     offsetof(Settings, aggregate)},
    {0},
};

static Status answer_line(void *context, Arena *arena, const json_t *request, Buffer *answer, Error *err) {
    RougeScorer *scorer = context;
    RougeScore scores[ROUGE_TYPES_MOST];
    TRY(rouge_request_score(scorer, arena, request, scores, err));
    rouge_scores_print(rouge_options(scorer), scores, answer);
    return OK;
}

static Status add_line(RougeScorer *scorer, Arena *arena, size_t number, Bytes line, RougeAggregate *aggregate,
                       Error *err) {
    char name[32];
    snprintf(name, sizeof name, "line %zu", number);
    json_t *request = NULL;
    RougeScore scores[ROUGE_TYPES_MOST];
    TRY(json_parse(arena, name, line, true, &request, err));
    TRY(rouge_request_score(scorer, arena, request, scores, err));
    return rouge_aggregate_add(aggregate, scores, err);
}

// Lines that cannot be scored answer with an error each, before the aggregate of the others.
static Status aggregate_lines(CommandRun *run, RougeScorer *scorer, Lines *lines, Arena *arena,
                              RougeAggregate *aggregate, Error *err) {
    size_t bad = 0;
    for (;; arena_reset(arena)) {
        Bytes line = {0};
        bool there = true;
        Status status = lines_next(lines, &line, &there, err);
        if (status == ERR_IO || status == ERR_MEMORY)
            return status;
        if (!there)
            break;
        if (status == OK)
            status = add_line(scorer, arena, lines->number, line, aggregate, err);
        if (status != OK) {
            Error refused = *err;
            TRY(output_error(&run->out, &refused, err));
            bad++;
        }
    }
    if (aggregate->samples || !bad) {
        TRY(rouge_aggregate_print(aggregate, BOOTSTRAP_SEED, &run->out.text, err));
        TRY(output_line(&run->out, err));
    }
    return lines_verdict(bad, lines->number, err);
}

static Status aggregate_input(CommandRun *run, RougeScorer *scorer, Error *err) {
    Arena arena;
    Lines lines;
    RougeAggregate aggregate;
    arena_init(&arena, 0);
    lines_init(&lines, STDIN_FILENO, "standard input", NULL);
    rouge_aggregate_init(&aggregate, rouge_options(scorer));
    Status status = aggregate_lines(run, scorer, &lines, &arena, &aggregate, err);
    rouge_aggregate_done(&aggregate);
    lines_done(&lines);
    arena_done(&arena);
    return status;
}

static Status run_rouge(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    RougeOptions rouge = {.stem = settings->stem, .tokenizer = rouge_tokenizer_find(settings->tokenizer)};
    TRY(rouge_types_parse(settings->types, &rouge, err));
    RougeScorer *scorer = rouge_new(&rouge, err);
    TRY_NEW(scorer);
    Status status =
        settings->aggregate ? aggregate_input(run, scorer, err) : lines_serve(run, answer_line, scorer, err);
    rouge_free(scorer);
    return status;
}

const Command command_rouge = {
    .arguments = "",
    .help = "Reads lines {\"target\":TEXT or [TEXTS],\"prediction\":TEXT} from standard input and answers each with\n"
            "precision, recall and F of every type; of several targets each type takes the best F. Scores equal\n"
            "those of google-research's rouge_score. The default tokenizer knows a to z and digits only: for other\n"
            "languages take --tokenizer unicode (letters and digits of any script) or char, and name it with the\n"
            "score: numbers of different tokenizers do not compare. rougeLsum takes lines as sentences.\n",
    .settings_bytes = sizeof(Settings),
    .defaults = &(const Settings){.types = ROUGE_TYPES_USUAL, .tokenizer = "default"},
    .options = options,
    .json = true,
    .run = run_rouge,
};
