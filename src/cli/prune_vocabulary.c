// SPDX-License-Identifier: Apache-2.0
// What became of a vocabulary, for people and as JSON.
#include "cli/prune_vocabulary.h"

#include <stdio.h>
#include <string.h>

#include "cli/measured.h"
#include "cli/runtime.h"
#include "cli/written.h"
#include "compress/vocabulary.h"

enum { GENERATE_BATCH = 16 };

// In percent; `whole` 0: all of nothing.
static double share(uint64_t part, uint64_t whole) {
    return whole ? 100 * (double)part / (double)whole : 100;
}

static const char *const reason_names[KEEP_REASONS] = {
    [KEEP_NOT] = "dropped", [KEEP_SPECIAL] = "special", [KEEP_ALPHABET] = "alphabet",
    [KEEP_USED] = "used",   [KEEP_MERGES] = "merges",   [KEEP_ROUNDING] = "rounding"};

static void add_texts_json(Buffer *out, const char *name, const VocabularyTexts *texts) {
    buffer_format(out, ",\"%s\":{\"texts\":%zu,\"changed\":%zu,\"tokens\":%llu,\"tokens_now\":%llu}", name,
                  texts->texts, texts->changed, (unsigned long long)texts->tokens,
                  (unsigned long long)texts->tokens_now);
}

static Status print_json(CommandRun *run, const PruneVocabulary *wanted, const VocabularyReport *report,
                         const Measured *measured, Error *err) {
    Buffer *out = &run->out.text;
    const RewriteReport *files = &report->files;
    buffer_add_text(out, "{\"output\":");
    buffer_add_json(out, wanted->output, strlen(wanted->output));
    buffer_format(out,
                  ",\"method\":\"vocab\",\"original_mb\":%.6f,\"pruned_mb\":%.6f,\"reduction_percent\":%.2f,"
                  "\"unit\":\"tokens\",\"units\":%zu,\"removed\":%zu,\"removed_percent\":%.4f,\"reasons\":{",
                  megabytes(files->original_bytes), megabytes(files->written_bytes),
                  reduction(files->original_bytes, files->written_bytes), report->rows, report->rows - report->kept,
                  share(report->rows - report->kept, report->rows));
    for (size_t i = KEEP_SPECIAL; i < KEEP_REASONS; i++)
        buffer_format(out, "%s\"%s\":%zu", i > KEEP_SPECIAL ? "," : "", reason_names[i], report->by_reason[i]);
    buffer_format(out, "},\"covered\":%.6f,\"generated_tokens\":%llu",
                  share(report->covered_tokens, report->data_tokens) / 100,
                  (unsigned long long)report->generated_tokens);
    add_texts_json(out, "data", &report->data);
    if (wanted->held_out)
        add_texts_json(out, "held_out", &report->held_out);
    buffer_add_char(out, ',');
    written_json(out, files, NULL);
    TRY(measured_json(run, measured, err));
    buffer_add_char(out, '}');
    return output_line(&run->out, err);
}

static void print_texts(Buffer *out, const char *name, const VocabularyTexts *texts) {
    if (texts->texts)
        buffer_format(out, "\n%s: %zu of %zu texts are cut otherwise, %.2f %% more tokens in all", name, texts->changed,
                      texts->texts, share(texts->tokens_now, texts->tokens) - 100);
}

static void print_people(Buffer *out, const VocabularyReport *report) {
    static const char *const why[KEEP_REASONS] = {[KEEP_SPECIAL] = "special tokens, and those that settings name",
                                                  [KEEP_ALPHABET] = "single bytes and characters",
                                                  [KEEP_USED] = "used by the data",
                                                  [KEEP_MERGES] = "made on the way to those",
                                                  [KEEP_ROUNDING] = "the next ones, to a whole number of panels",
                                                  [KEEP_NOT] = "dropped"};
    buffer_format(out, "%8s  %s\n", "tokens", "why");
    for (size_t i = KEEP_SPECIAL; i < KEEP_REASONS; i++)
        buffer_format(out, "%8zu  %s\n", report->by_reason[i], why[i]);
    buffer_format(out, "%8zu  %s\n", report->by_reason[KEEP_NOT], why[KEEP_NOT]);
    buffer_format(out, "%zu of %zu tokens stay, which are %.2f %% of the data's %llu", report->kept, report->rows,
                  share(report->covered_tokens, report->data_tokens), (unsigned long long)report->data_tokens);
    if (report->generated_tokens)
        buffer_format(out, ", %llu of them the model's own", (unsigned long long)report->generated_tokens);
    print_texts(out, "data", &report->data);
    print_texts(out, "held out", &report->held_out);
    const RewriteReport *files = &report->files;
    buffer_format(out, "\nfiles: original %.2f MB, pruned %.2f MB, reduction %.1f %%", megabytes(files->original_bytes),
                  megabytes(files->written_bytes), reduction(files->original_bytes, files->written_bytes));
}

// The runtime's threads must have ended before anything is timed.
static Status trim(CommandRun *run, const PruneVocabulary *wanted, VocabularyOptions *options, VocabularyReport *report,
                   Error *err) {
    if (wanted->generate) {
        RuntimeSettings settings = runtime_settings(run, &(RuntimeFlags){0}, GENERATE_BATCH);
        TRY(runtime_new(run->arguments[0], &settings, &options->runtime, err));
    }
    Progress progress;
    progress_init(&progress, "pruning", 0, run->common.quiet);
    options->meter = (WorkMeter){.tell = progress_tell, .context = &progress};
    Status status = vocabulary_trim(run->arena, run->arguments[0], wanted->output, options, report, err);
    progress_done(&progress);
    runtime_free(options->runtime);
    return status;
}

static Status answer(CommandRun *run, const PruneVocabulary *wanted, const VocabularyReport *report, Measured *measured,
                     Error *err) {
    written_tell(&report->files);
    if (run->common.json) {
        TRY(measured_run(run, wanted->output, measured, err));
        return print_json(run, wanted, report, measured, err);
    }
    print_people(&run->out.text, report);
    TRY(output_line(&run->out, err));
    return measured_people(run, wanted->output, "pruned", measured, err);
}

Status prune_vocabulary(CommandRun *run, const PruneVocabulary *wanted, Error *err) {
    if (!wanted->data)
        return FAIL(err, ERR_USAGE, "expected --data DATA, the texts whose tokens stay");
    if (wanted->no_measure && wanted->samples)
        return FAIL(err, ERR_USAGE, "--data-samples counts rows that are measured, and --no-measure says none are");
    VocabularyOptions options = {
        .data = wanted->data, .held_out = wanted->held_out, .min_count = (size_t)wanted->min_count};
    PruneAmount amount;
    if (wanted->amount) {
        TRY(prune_amount_parse(wanted->amount, &amount, err));
        options.amount = &amount;
    }
    Measured measured;
    MeasuredAsk ask = {.data = wanted->no_measure ? NULL
                               : wanted->held_out ? wanted->held_out
                                                  : wanted->data,
                       .samples = wanted->samples,
                       .decided_on = wanted->data,
                       .new_ids = true,
                       .without = "--no-measure"};
    TRY(measured_open(run, &ask, &measured, err));
    VocabularyReport report;
    TRY(trim(run, wanted, &options, &report, err));
    return answer(run, wanted, &report, &measured, err);
}
