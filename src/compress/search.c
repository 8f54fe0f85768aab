// SPDX-License-Identifier: Apache-2.0
// The search, phase by phase.
#include "compress/search.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/build.h"
#include "base/clock.h"
#include "compress/search_work.h"
#include "measure/calibration.h"
#include "measure/model_mark.h"
#include "measure/token_samples.h"

enum { SENSITIVITY_SAMPLES = 32, BLOCKED_MOST = 3, SENTENCE_BYTES = 512 };

#define SENSITIVITY_SHARE 0.3 // of the time limit at most

static const char *const goal_names[SEARCH_GOALS] = {"latency", "throughput", "memory"};

const char *search_goal_name(SearchGoal goal) {
    return goal_names[goal];
}

SearchGoal search_goal_find(const char *name) {
    SearchGoal goal = 0;
    while (goal < SEARCH_GOALS && strcmp(goal_names[goal], name) != 0)
        goal++;
    return goal;
}

void search_say(const Search *search, const char *format, ...) {
    char sentence[SENTENCE_BYTES];
    if (!search->options->say)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    search->options->say(search->options->context, sentence);
}

void search_phase_begin(Search *search) {
    search->phase_ns = clock_ns();
}

void search_phase_end(Search *search, const char *name) {
    if (search->phase_count < SEARCH_MOST_PHASES)
        search->phases[search->phase_count++] = (Phase){name, (double)(clock_ns() - search->phase_ns) * 1e-9};
}

static double seconds_spent(const Search *search) {
    return (double)(clock_ns() - search->started_ns) * 1e-9;
}

bool search_goes_on(const Search *search) {
    const SearchOptions *o = search->options;
    bool time = o->seconds <= 0 || seconds_spent(search) < o->seconds;
    return time && (!o->most_evaluations || search->tried < o->most_evaluations);
}

// Tries a recipe and takes it where it is better; nothing once a limit is reached. *ret_candidate NULL then.
static Status attempt(Search *search, const char *name, const Recipe *recipe, Candidate **ret_candidate, Error *err) {
    *ret_candidate = NULL;
    if (!search_goes_on(search))
        return OK;
    TRY(search_try(search, name, recipe, ret_candidate, err));
    return search_consider(search, *ret_candidate, err);
}

// The rows that everybody asks for.
static Status fixed_run(Search *search, Error *err) {
    const struct {
        const char *name;
        Recipe recipe;
        bool wanted;
    } fixed[] = {
        {"FP16", {.scheme = STORE_FP16}, true},
        {"INT8 dynamic", {.scheme = STORE_INT8}, true},
        {"INT8 static", {.scheme = STORE_INT8_STATIC}, true},
        {"NF4", {.scheme = STORE_NF4, .double_quant = true}, true},
        {"INT4", {.scheme = STORE_INT4, .group = search->group, .gptq = true}, search->group > 0},
        {"pruned 30 %", {.cuts = {{PRUNE_FFN, 0.3, NULL}}, .cut_count = 1}, true},
        {"zeros 30 %", {.cuts = {{PRUNE_L1_UNSTRUCTURED, 0.3, NULL}}, .cut_count = 1}, true},
        {"vocabulary trimmed", {.vocabulary = true}, model_tokenizer(search->model) != NULL},
    };
    Candidate *candidate;
    search_phase_begin(search);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (fixed[i].wanted)
            TRY(attempt(search, fixed[i].name, &fixed[i].recipe, &candidate, err));
    search_phase_end(search, "fixed recipes");
    return OK;
}

static Status sensitivity_run(Search *search, Error *err) {
    static const WeightScheme schemes[] = {STORE_FP16, STORE_INT8, STORE_NF4, STORE_INT4};
    static const double amounts[] = {0.1, 0.3, 0.5, 0.7};
    if (!search_goes_on(search))
        return OK;
    search_phase_begin(search);
    const SearchOptions *o = search->options;
    uint64_t share = (uint64_t)(o->seconds * SENSITIVITY_SHARE * 1e9);
    char key[SHA256_TEXT_BYTES];
    search_key(search, "sensitivity", key);
    SensitivityOptions options = {.model = o->model,
                                  .data = &search->split.parts[SPLIT_TUNING],
                                  .data_name = o->data,
                                  .samples = SENSITIVITY_SAMPLES,
                                  .schemes = schemes,
                                  .scheme_count = search->group ? 4 : 3,
                                  .amounts = amounts,
                                  .amount_count = sizeof amounts / sizeof *amounts,
                                  .group = search->group,
                                  .threads = o->threads,
                                  .level = o->level,
                                  .cache = &search->evaluations,
                                  .cache_key = key,
                                  .meter = {.tell = o->tell, .context = o->context},
                                  .deadline_ns = share ? clock_ns() + share : 0};
    TRY(sensitivity_measure(search->arena, &options, &search->sensitivity, err));
    search_phase_end(search, "sensitivity");
    return moves_make(search, err);
}

static Status beginning_try(Search *search, size_t count, bool *ret_within, Error *err) {
    Recipe recipe;
    Candidate *candidate;
    TRY(moves_recipe(search, count, &recipe, err));
    TRY(attempt(search, NULL, &recipe, &candidate, err));
    *ret_within = candidate && candidate->within;
    return OK;
}

// The longest beginning of the list that stays within the budget; then again without the move that ended it.
static Status bisect(Search *search, Error *err) {
    size_t low = 0; // within
    search_phase_begin(search);
    for (size_t blocked = 0; blocked <= BLOCKED_MOST && search_goes_on(search); blocked++) {
        size_t high = search->move_count + 1; // not within, or beyond the end
        for (size_t at = search->move_count; low + 1 < high && search_goes_on(search); at = (low + high) / 2) {
            bool within;
            TRY(beginning_try(search, at, &within, err));
            *(within ? &low : &high) = at;
        }
        if (high > search->move_count)
            break;
        moves_block(search, high - 1);
    }
    search_phase_end(search, "layers' schemes by bisection");
    return OK;
}

static bool is_plain(const Candidate *candidate) {
    return candidate->name && candidate->tried && !candidate->recipe.cut_count && !candidate->recipe.vocabulary &&
           candidate->recipe.scheme != STORE_AS_IS;
}

// The scheme of the smallest fixed recipe within the budget; half precision where there is none.
static WeightScheme fallback_scheme(const Search *search) {
    const Candidate *smallest = NULL;
    for (size_t i = 0; i < search->count; i++) {
        const Candidate *candidate = &search->items[i];
        if (is_plain(candidate) && candidate->within && (!smallest || candidate->bytes < smallest->bytes))
            smallest = candidate;
    }
    return smallest ? smallest->recipe.scheme : STORE_FP16;
}

// How few of a fixed recipe's weights have to fall back for it to stay within the budget.
static Status fallbacks_bisect(Search *search, const Recipe *base, WeightScheme fallback, Error *err) {
    size_t count = 0, low = 0; // too few
    Recipe recipe;
    TRY(fallback_recipe(search, base, fallback, 0, &recipe, &count, err));
    for (size_t high = count, at = (count + 1) / 2; low + 1 < high && search_goes_on(search); at = (low + high) / 2) {
        Candidate *candidate;
        TRY(fallback_recipe(search, base, fallback, at, &recipe, &count, err));
        TRY(attempt(search, NULL, &recipe, &candidate, err));
        *(candidate && candidate->within ? &high : &low) = at;
    }
    return OK;
}

static Status fallbacks_run(Search *search, Error *err) {
    search_phase_begin(search);
    WeightScheme fallback = fallback_scheme(search);
    for (size_t i = 0, fixed = search->count; i < fixed; i++) {
        const Candidate *candidate = &search->items[i];
        if (is_plain(candidate) && !candidate->within && candidate->recipe.scheme != fallback)
            TRY(fallbacks_bisect(search, &candidate->recipe, fallback, err));
    }
    search_phase_end(search, "fall-backs by bisection");
    return OK;
}

// The best recipe with one thing more.
typedef struct Further {
    KvKind kv_kind;
    bool vocabulary, gptq;
    RecipeCut cut; // amount 0: none
    int ladder;    // cuts of one ladder go deeper step by step: the first that fails ends it; 0: no ladder
} Further;

static bool cut_like(const RecipeCut *a, const RecipeCut *b) {
    return a->method == b->method && (a->only == b->only || (a->only && b->only && strcmp(a->only, b->only) == 0));
}

// Layers that stay are numbered anew: those of the side no longer have schemes of their own.
static Status layers_forget(Search *search, const char *side, Recipe *recipe, Error *err) {
    RecipeLayer *kept = arena_array(search->arena, recipe->layer_count, sizeof *kept, err);
    TRY_NEW(kept);
    size_t count = 0;
    for (size_t i = 0; i < recipe->layer_count; i++) {
        bool gone;
        TRY(keep_rule_matches(&(KeepRule){.pattern = side}, recipe->layers[i].module, &gone, err));
        if (!gone)
            kept[count++] = recipe->layers[i];
    }
    recipe->layers = kept;
    recipe->layer_count = count;
    return OK;
}

// False where the recipe has it already, or a deeper one.
static bool cut_apply(const RecipeCut *cut, Recipe *recipe) {
    size_t at = 0;
    while (at < recipe->cut_count && !cut_like(&recipe->cuts[at], cut))
        at++;
    if (at == RECIPE_MOST_CUTS || (at < recipe->cut_count && recipe->cuts[at].amount >= cut->amount))
        return false;
    recipe->cuts[at] = *cut;
    recipe->cut_count += at == recipe->cut_count;
    return true;
}

// False where the recipe has it already.
static bool further_apply(const Further *further, Recipe *recipe) {
    if (further->cut.amount > 0)
        return cut_apply(&further->cut, recipe);
    if ((further->vocabulary && recipe->vocabulary) || (further->gptq && recipe->gptq) ||
        (further->kv_kind && recipe->kv_kind == further->kv_kind))
        return false;
    recipe->vocabulary |= further->vocabulary;
    recipe->gptq |= further->gptq;
    if (further->kv_kind)
        recipe->kv_kind = further->kv_kind;
    return true;
}

static bool has_int4(const Recipe *recipe) {
    bool has = recipe->scheme == STORE_INT4;
    for (size_t i = 0; i < recipe->layer_count; i++)
        has |= recipe->layers[i].scheme == STORE_INT4;
    return has;
}

static Status further_run(Search *search, Error *err) {
    double encoder = 1.0 / (double)search->info->encoder_layers, decoder = 1.0 / (double)search->info->decoder_layers;
    const Further all[] = {
        {.gptq = true},
        {.kv_kind = KV_F16},
        {.kv_kind = KV_S8},
        {.vocabulary = true},
        {.cut = {PRUNE_FFN, 0.125, "encoder.*"}, .ladder = 1},
        {.cut = {PRUNE_FFN, 0.25, "encoder.*"}, .ladder = 1},
        {.cut = {PRUNE_FFN, 0.375, "encoder.*"}, .ladder = 1},
        {.cut = {PRUNE_FFN, 0.5, "encoder.*"}, .ladder = 1},
        {.cut = {PRUNE_FFN, 0.125, "decoder.*"}, .ladder = 2},
        {.cut = {PRUNE_FFN, 0.25, "decoder.*"}, .ladder = 2},
        {.cut = {PRUNE_FFN, 0.375, "decoder.*"}, .ladder = 2},
        {.cut = {PRUNE_FFN, 0.5, "decoder.*"}, .ladder = 2},
        {.cut = {PRUNE_LAYERS, decoder, "decoder.*"}, .ladder = 3},
        {.cut = {PRUNE_LAYERS, 2 * decoder, "decoder.*"}, .ladder = 3},
        {.cut = {PRUNE_LAYERS, encoder, "encoder.*"}, .ladder = 4},
        {.cut = {PRUNE_LAYERS, 2 * encoder, "encoder.*"}, .ladder = 4},
        {.cut = {PRUNE_HEADS, 0.125, NULL}, .ladder = 5},
        {.cut = {PRUNE_HEADS, 0.25, NULL}, .ladder = 5},
    };
    bool ended[6] = {false};
    search_phase_begin(search);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        Recipe recipe = search->best->recipe;
        if (ended[all[i].ladder] || (all[i].gptq && !has_int4(&recipe)) || all[i].cut.amount >= 1 ||
            (all[i].vocabulary && !model_tokenizer(search->model)) || !further_apply(&all[i], &recipe))
            continue;
        if (all[i].cut.method == PRUNE_LAYERS)
            TRY(layers_forget(search, all[i].cut.only, &recipe, err));
        Candidate *candidate;
        TRY(attempt(search, NULL, &recipe, &candidate, err));
        if (all[i].ladder)
            ended[all[i].ladder] = !candidate || candidate != search->best;
    }
    search_phase_end(search, "further moves");
    return OK;
}

// Of all candidates the one that is surest, where none is within the budget.
static void nearest_take(Search *search) {
    double least = INFINITY;
    for (size_t i = 0; i < search->count; i++) {
        Candidate *candidate = &search->items[i];
        if (candidate->tried && candidate != search->original && candidate->loss.mean.high < least) {
            least = candidate->loss.mean.high;
            search->best = candidate;
        }
    }
}

// What hone.json will call the source of it all: the files of weights and config.json.
static Status sources_record(Search *search, Error *err) {
    const ModelInfo *info = search->info;
    FileRecords *sources = &search->sources;
    Bytes config;
    char *path = path_join(search->arena, info->folder, "config.json", err);
    TRY_NEW(path);
    TRY(file_map(search->arena, path, &config, err));
    TRY_NEW(sources->items = arena_array(search->arena, info->file_count + 1, sizeof(FileRecord), err));
    for (size_t i = 0; i < info->file_count; i++)
        file_record_fill(path_name(info->files[i]), info->contents[i], NULL, &sources->items[sources->count++]);
    file_record_fill("config.json", config, NULL, &sources->items[sources->count++]);
    return OK;
}

// Columns of every linear and table are whole groups, or there is no int4.
static size_t group_of(const Bundle *bundle, const TensorRole *roles) {
    for (size_t group = 64; group >= 32; group /= 2) {
        bool divides = true;
        for (size_t i = 0; i < bundle->count; i++)
            if (roles[i] == ROLE_LINEAR || roles[i] == ROLE_EMBEDDING)
                divides &= bundle->tensors[i].shape.dims[1] % (int64_t)group == 0;
        if (divides)
            return group;
    }
    return 0;
}

static Status key_stem_make(Search *search, const char *texts_sha256, Error *err) {
    char id[BUILD_ID_BYTES];
    build_id(id);
    TRY_NEW(search->key_stem =
                arena_format(search->arena, err, "hone %s %s model %s tuning %s selection %s texts %s generation %s",
                             HONE_VERSION, id, search->model_sha256, search->split.sha256[SPLIT_TUNING],
                             search->split.sha256[SPLIT_SELECTION], texts_sha256, search->options->generation_text));
    return OK;
}

// The vocabulary's texts: what was given, and the tuning rows, in one file.
static Status texts_join(Search *search, char ret_sha256[SHA256_TEXT_BYTES], Error *err) {
    Bytes parts[2];
    ret_sha256[0] = '\0';
    if (!search->options->texts)
        return OK;
    char *path = path_join(search->arena, search->maker.folder, "texts.jsonl", err);
    TRY_NEW(path);
    TRY(file_map(search->arena, search->options->texts, &parts[0], err));
    TRY(file_map(search->arena, search->maker.tuning, &parts[1], err));
    FileWriter *writer;
    TRY(file_create(path, &writer, err));
    Sha256 hash;
    sha256_init(&hash);
    Status status = OK;
    for (size_t i = 0; i < 2 && status == OK; i++) {
        sha256_add(&hash, parts[i].data, parts[i].size);
        status = file_write(writer, parts[i].data, parts[i].size, err);
        if (status == OK)
            status = file_write(writer, "\n", 1, err);
    }
    sha256_text(&hash, ret_sha256);
    if (status != OK) {
        file_discard(writer);
        return status;
    }
    search->maker.texts = path;
    return file_commit_soon(writer, err);
}

// Data that calibration would refuse later is refused now, by its own name.
static Status tuning_check(Search *search, Error *err) {
    Arena scratch;
    TokenSamples samples;
    const char *data = search->options->data;
    arena_init(&scratch, 0);
    Status status =
        token_samples_make(&scratch, search->model, &search->split.parts[SPLIT_TUNING], 0, "data", data, &samples, err);
    if (status == OK && samples.source_tokens < CALIBRATION_LEAST_TOKENS)
        status = FAIL(err, ERR_FORMAT,
                      "data '%s' is too short: the %zu rows to tune on have %zu tokens, and at least %d are needed",
                      data, samples.count, samples.source_tokens, CALIBRATION_LEAST_TOKENS);
    arena_done(&scratch);
    return status;
}

// Everything that can be wrong is looked at before the first minute is spent.
static Status prepare(Search *search, Error *err) {
    const SearchOptions *o = search->options;
    char *folder, texts_sha256[SHA256_TEXT_BYTES];
    TRY(folder_stage_check(search->arena, o->output, true, err));
    TRY(model_open(search->arena, o->model, false, &search->model, err));
    search->info = model_info(search->model);
    if (strncmp(search->info->quantization, "none", 4) != 0)
        return FAIL(err, ERR_UNSUPPORTED, "model '%s' is quantized already (%s): give the model that it was made from",
                    o->model, search->info->quantization);
    TRY(folder_scratch(&search->made, o->output, &folder, err));
    TRY(split_make(search->arena, o->data, folder, o->seed, &search->split, err));
    search->maker = (RecipeMaker){.model = o->model,
                                  .folder = folder,
                                  .tuning = search->split.files[SPLIT_TUNING],
                                  .threads = o->threads,
                                  .level = o->level};
    TRY(tuning_check(search, err));
    TRY(texts_join(search, texts_sha256, err));
    TRY(sources_record(search, err));
    TRY(model_digest(search->arena, o->model, search->model_sha256, err));
    TensorRole *roles;
    TRY(roles_find(search->arena, search->model, &roles, err));
    search->group = group_of(model_tensors(search->model), roles);
    search->evaluations.path = o->cache;
    GenerationOptions generation = *model_generation(search->model);
    if (o->generation)
        TRY(o->generation(o->generation_context, search->arena, &generation, err));
    search->beams = generation.num_beams > 1 || generation.do_sample;
    search_say(search, "%zu rows: %zu to tune on, %zu to choose by, %zu for the final figures", search->split.rows,
               search->split.parts[SPLIT_TUNING].count, search->split.parts[SPLIT_SELECTION].count,
               search->split.parts[SPLIT_FINAL].count);
    return key_stem_make(search, texts_sha256, err);
}

static Status run_phases(Search *search, SearchAnswer *ret_answer, Error *err) {
    TRY(prepare(search, err));
    TRY(search_try(search, "original", &(Recipe){0}, &search->original, err));
    search->best = search->original;
    TRY(fixed_run(search, err));
    TRY(sensitivity_run(search, err));
    TRY(bisect(search, err));
    TRY(fallbacks_run(search, err));
    TRY(further_run(search, err));
    if (search->best == search->original)
        nearest_take(search);
    TRY(search_runoff(search, err));
    TRY(search_confirm(search, err));
    Recipe chosen;
    TRY(search_levers(search, &chosen, err));
    return search_finish(search, &chosen, ret_answer, err);
}

Status search_run(Arena *arena, const SearchOptions *options, SearchAnswer *ret_answer, Error *err) {
    Search *search = arena_array(arena, 1, sizeof *search, err);
    TRY_NEW(search);
    search->arena = arena;
    search->options = options;
    search->started_ns = clock_ns();
    arena_init(&search->made, 0);
    Status status = run_phases(search, ret_answer, err);
    arena_done(&search->made);
    return status;
}
