// SPDX-License-Identifier: Apache-2.0
// hone prune: a model with values set to zero, or with parts left out, written as a new folder.
#include "compress/prune.h"

#include <math.h>
#include <string.h>

#include "cli/measured.h"
#include "cli/prune_vocabulary.h"
#include "cli/written.h"

typedef struct Settings {
    const char *output, *method, *amount, *n, *mode, *only, *pattern, *store, *data, *held_out;
    int64_t samples;
    int64_t dim;
    bool global, generate, no_measure;
    int64_t min_count;
} Settings;

static const Option options[] = {
    {"output", 'o', "FOLDER", "where to write; new, empty, or written by hone", OPTION_TEXT,
     offsetof(Settings, output)},
    {"method", 0, "METHOD", "ln-structured, l1-unstructured, heads, ffn, layers or vocab", OPTION_TEXT,
     offsetof(Settings, method)},
    {"amount", 0, "F", "how much goes: a fraction from 0.0 to 1.0, or a count without a point", OPTION_TEXT,
     offsetof(Settings, amount)},
    {"n", 0, "N", "order of ln-structured's norm: a number above 0, inf or -inf (default: 2)", OPTION_TEXT,
     offsetof(Settings, n)},
    {"dim", 0, "D", "what ln-structured clears: 0 rows (default), 1 columns", OPTION_INT, offsetof(Settings, dim),
     .low = 0, .high = 1},
    {"global", 0, NULL, "rank the values of all weights together (l1-unstructured)", OPTION_FLAG,
     offsetof(Settings, global)},
    {"pattern", 0, "2:4", "of each four values of a row keep the two largest (l1-unstructured)", OPTION_TEXT,
     offsetof(Settings, pattern), .choices = "2:4"},
    {"mode", 0, "MODE", "uniform, the same in all layers (default), or ragged (heads, ffn)", OPTION_TEXT,
     offsetof(Settings, mode), .choices = "uniform|ragged"},
    {"store", 0, "FORM", "zeros dense (default), or as a bitmap, which hone alone reads (masks)", OPTION_TEXT,
     offsetof(Settings, store), .choices = "dense|bitmap"},
    {"data", 0, "DATA", "rows (JSON lines) to choose by (heads, ffn, vocab) and to measure the result on", OPTION_TEXT,
     offsetof(Settings, data)},
    {"data-samples", 0, "N", "rows of it at most: scored by (heads, ffn), measured on (default: 128)", OPTION_INT,
     offsetof(Settings, samples), .low = 1, .high = 1000000},
    {"no-measure", 0, NULL, "only choose by --data, whose rows then need no references", OPTION_FLAG,
     offsetof(Settings, no_measure)},
    {"only", 0, "PATTERN", "leave alone what has no tensor with such a name", OPTION_TEXT, offsetof(Settings, only)},
    {"min-count", 0, "N", "vocab: keep what the data has N times or more (default: 1)", OPTION_INT,
     offsetof(Settings, min_count), .low = 1, .high = 1e9},
    {"generate", 0, NULL, "vocab: keep also what the model writes for the data", OPTION_FLAG,
     offsetof(Settings, generate)},
    {"held-out", 0, "DATA", "vocab: tell how much longer these texts get, and measure on them", OPTION_TEXT,
     offsetof(Settings, held_out)},
    {0},
};

static Status order_parse(const char *text, double *ret_order, Error *err) {
    char *end;
    double order = strtod(text, &end);
    bool known = strspn(text, "0123456789.e") == strlen(text) ? order > 0 && isfinite(order)
                                                              : strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0;
    if (end == text || *end || !known)
        return FAIL(err, ERR_USAGE, "--n is '%s', expected a number above 0, inf or -inf", text);
    *ret_order = order;
    return OK;
}

// Whether data decides what goes.
static bool is_scored(const PruneOptions *prune) {
    return prune->method == PRUNE_HEADS || prune->method == PRUNE_FFN;
}

// Options that a method does not know are mistakes.
static Status check_options(const Settings *settings, const PruneOptions *prune, Error *err) {
    bool groups = is_scored(prune);
    const struct {
        const char *name;
        bool given, known;
    } all[] = {
        {"held-out", settings->held_out, false},
        {"min-count", settings->min_count, false},
        {"generate", settings->generate, false},
        {"n", settings->n, prune->method == PRUNE_LN_STRUCTURED},
        {"dim", settings->dim, prune->method == PRUNE_LN_STRUCTURED},
        {"global", settings->global, prune->method == PRUNE_L1_UNSTRUCTURED},
        {"pattern", settings->pattern, prune->method == PRUNE_L1_UNSTRUCTURED},
        {"mode", prune->ragged, groups},
        {"no-measure", settings->no_measure, groups},
        {"store", prune->bitmap, prune->method == PRUNE_LN_STRUCTURED || prune->method == PRUNE_L1_UNSTRUCTURED},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].given && !all[i].known)
            return FAIL(err, ERR_USAGE, "--%s means nothing to --method %s", all[i].name, settings->method);
    if (settings->no_measure && !settings->data)
        return FAIL(err, ERR_USAGE, "--no-measure is about --data, which is missing");
    if (prune->two_of_four && (settings->amount || settings->global))
        return FAIL(err, ERR_USAGE, "--pattern 2:4 removes half of each four: leave out --%s",
                    settings->amount ? "amount" : "global");
    if (!prune->two_of_four && !settings->amount)
        return FAIL(err, ERR_USAGE, "expected --amount, a fraction from 0.0 to 1.0, or a count without a point");
    return OK;
}

static Status options_fill(const Settings *settings, PruneOptions *ret_options, Error *err) {
    PruneOptions prune = {.n = 2, .dim = (int)settings->dim, .global = settings->global, .only = settings->only};
    if (!settings->output)
        return FAIL(err, ERR_USAGE, "expected -o FOLDER, the place for the pruned model");
    if (!settings->method)
        return FAIL(err, ERR_USAGE, "expected --method ln-structured, l1-unstructured, heads, ffn, layers or vocab");
    TRY(prune_method_parse(settings->method, &prune.method, err));
    prune.ragged = settings->mode && strcmp(settings->mode, "ragged") == 0;
    prune.bitmap = settings->store && strcmp(settings->store, "bitmap") == 0;
    prune.two_of_four = settings->pattern;
    if (is_scored(&prune)) {
        prune.data = settings->data;
        prune.samples = (size_t)settings->samples;
    }
    TRY(check_options(settings, &prune, err));
    if (settings->amount)
        TRY(prune_amount_parse(settings->amount, &prune.amount, err));
    if (settings->n)
        TRY(order_parse(settings->n, &prune.n, err));
    *ret_options = prune;
    return OK;
}

// What masks are good for here.
static const char *masked_note(const PruneReport *report) {
    return report->written.written_bytes < report->written.original_bytes
               ? "zeros are kept as bitmaps in the folder only: in memory the model is as large, and as fast, as before"
               : "zeros are stored like any other value: the folder is as large, and the model as fast, as before";
}

static double percent(size_t part, size_t whole) {
    return whole ? 100 * (double)part / (double)whole : 0;
}

static Status print_json(CommandRun *run, const PruneReport *report, const Measured *measured, Error *err) {
    const Settings *settings = run->settings;
    Buffer *out = &run->out.text;
    const RewriteReport *written = &report->written;
    buffer_add_text(out, "{\"output\":");
    buffer_add_json(out, settings->output, strlen(settings->output));
    buffer_format(out,
                  ",\"method\":\"%s\",\"original_mb\":%.6f,\"pruned_mb\":%.6f,\"reduction_percent\":%.2f,"
                  "\"unit\":\"%s\",\"units\":%zu,\"removed\":%zu,\"removed_percent\":%.4f,\"masked\":%s,\"layers\":[",
                  settings->method, megabytes(written->original_bytes), megabytes(written->written_bytes),
                  reduction(written->original_bytes, written->written_bytes), report->unit, report->units,
                  report->removed, percent(report->removed, report->units), report->masked ? "true" : "false");
    for (size_t i = 0; i < report->part_count; i++) {
        const PrunedPart *part = &report->parts[i];
        buffer_add_text(out, i ? ",{\"name\":" : "{\"name\":");
        buffer_add_json(out, part->name, strlen(part->name));
        buffer_format(out, ",\"units\":%zu,\"removed\":%zu}", part->units, part->removed);
    }
    buffer_add_text(out, "],");
    written_json(out, written, report->masked ? masked_note(report) : NULL);
    TRY(measured_json(run, measured, err));
    buffer_add_char(out, '}');
    return output_line(&run->out, err);
}

static void print_people(Buffer *out, const PruneReport *report) {
    const RewriteReport *written = &report->written;
    buffer_format(out, "%-44s %12s %12s\n", "part", report->unit, "removed");
    for (size_t i = 0; i < report->part_count; i++) {
        const PrunedPart *part = &report->parts[i];
        buffer_format(out, "%-44s %12zu %12zu %7.1f %%\n", part->name, part->units, part->removed,
                      percent(part->removed, part->units));
    }
    buffer_format(out, "%-44s %12zu %12zu %7.1f %%\n", "all", report->units, report->removed,
                  percent(report->removed, report->units));
    buffer_format(out, "files: original %.2f MB, pruned %.2f MB, reduction %.1f %%", megabytes(written->original_bytes),
                  megabytes(written->written_bytes), reduction(written->original_bytes, written->written_bytes));
    if (report->masked)
        buffer_format(out, "\n%s", masked_note(report));
}

// The vocabulary is no part of the layers: it has options and a report of its own.
static Status vocabulary_run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    const struct {
        const char *name;
        bool given;
    } others[] = {{"n", settings->n},           {"dim", settings->dim},
                  {"global", settings->global}, {"pattern", settings->pattern},
                  {"mode", settings->mode},     {"only", settings->only},
                  {"store", settings->store}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].given)
            return FAIL(err, ERR_USAGE, "--%s means nothing to --method vocab", others[i].name);
    if (!settings->output)
        return FAIL(err, ERR_USAGE, "expected -o FOLDER, the place for the pruned model");
    return prune_vocabulary(run,
                            &(PruneVocabulary){.output = settings->output,
                                               .data = settings->data,
                                               .held_out = settings->held_out,
                                               .amount = settings->amount,
                                               .min_count = settings->min_count,
                                               .generate = settings->generate,
                                               .no_measure = settings->no_measure,
                                               .samples = settings->samples},
                            err);
}

// What was written is told before it is measured, which may take longer.
static Status answer(CommandRun *run, const PruneReport *report, Measured *measured, Error *err) {
    const Settings *settings = run->settings;
    written_tell(&report->written);
    if (run->common.json) {
        TRY(measured_run(run, settings->output, measured, err));
        return print_json(run, report, measured, err);
    }
    print_people(&run->out.text, report);
    TRY(output_line(&run->out, err));
    return measured_people(run, settings->output, "pruned", measured, err);
}

static Status run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    if (settings->method && strcmp(settings->method, "vocab") == 0)
        return vocabulary_run(run, err);
    PruneOptions prune;
    TRY(options_fill(settings, &prune, err));
    prune.threads = run->common.threads;
    prune.level = run->common.level;
    Measured measured;
    MeasuredAsk ask = {.data = settings->no_measure ? NULL : settings->data,
                       .samples = settings->no_measure ? 0 : settings->samples,
                       .decided_on = prune.data,
                       .without = prune.data ? "--no-measure" : NULL};
    TRY(measured_open(run, &ask, &measured, err));
    Progress progress;
    progress_init(&progress, "pruning", 0, run->common.quiet);
    prune.meter = (WorkMeter){.tell = progress_tell, .context = &progress};
    PruneReport report;
    Status status = prune_model(run->arena, run->arguments[0], settings->output, &prune, &report, err);
    progress_done(&progress);
    TRY(status);
    return answer(run, &report, &measured, err);
}

const Command command_prune = {
    .arguments = "MODEL",
    .least = 1,
    .most = 1,
    .help =
        "Writes a model again with less in it. Masks, which set values of the layers' linear weights to zero as\n"
        "torch.nn.utils.prune does:\n"
        "  ln-structured     rows (or columns) of the smallest norm\n"
        "  l1-unstructured   single values of the smallest magnitude, of each weight or --global\n"
        "They make nothing smaller (but for --store bitmap) or faster. Cuts, which leave out whole parts and all\n"
        "that belongs to them, by the joint norm of their weights or, with --data, by how far outputs move\n"
        "without them:\n"
        "  ffn               neurons of the feed-forward blocks, multiples of 16 or 32 staying\n"
        "  heads             heads of the attentions; with --mode ragged\n"
        "  layers            layers of encoder and decoder; those that stay are spaced evenly\n"
        "And one that goes by data:\n"
        "  vocab             tokens that the texts of --data never use; the tokenizer is rewritten, so that those\n"
        "                    texts keep their tokens and any other still encodes. With --amount that share goes,\n"
        "                    the rarest first. Texts that are cut otherwise (--held-out counts them) cost quality,\n"
        "                    which hone eval tells: the model has not learned such cuts. Give all the text there is\n"
        "\n"
        "An amount is of each weight, layer or side. A ragged or global one is of all together: then sizes differ\n"
        "from layer to layer, and hone alone loads the model. A PATTERN is one as hone quantize's --keep has it:\n"
        "--only 'decoder.*' cuts the decoder alone.\n"
        "\n"
        "The result is measured on --data (of vocab: on --held-out, where there is one) before the command ends: what\n"
        "it loses, with 95 % intervals of the same rows of both models, and, on the first 32 rows one at a time in\n"
        "turns, how many times faster it is. Rows need references, but for --no-measure. Where the same rows chose\n"
        "what goes, the answer says so: on others more may be lost. Should measuring fail, the folder stays.\n",
    .settings_bytes = sizeof(Settings),
    .options = options,
    .json = true,
    .run = run,
};
