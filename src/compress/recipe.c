// SPDX-License-Identifier: Apache-2.0
// Recipes as text, and the folders they make.
#include "compress/recipe.h"

#include <string.h>

#include "base/hash.h"
#include "compress/quantize.h"
#include "compress/vocabulary.h"

enum { GENERATE_BATCH = 16, NAME_DIGITS = 16 };

static void add_member(Buffer *out, const char *key) {
    buffer_format(out, "%s\"%s\": ", out->data[out->bytes - 1] == '{' ? "" : ", ", key);
}

static void print_cuts(const Recipe *recipe, Buffer *out) {
    if (!recipe->cut_count)
        return;
    add_member(out, "cuts");
    for (size_t i = 0; i < recipe->cut_count; i++) {
        const RecipeCut *cut = &recipe->cuts[i];
        buffer_format(out, "%s{\"method\": \"%s\", \"amount\": %.9g", i ? ", " : "[", prune_method_name(cut->method),
                      cut->amount);
        if (cut->only)
            buffer_format(out, ", \"only\": \"%s\"", cut->only);
        buffer_add_char(out, '}');
    }
    buffer_add_char(out, ']');
}

static bool uses_scheme(const Recipe *recipe, WeightScheme scheme) {
    bool uses = recipe->scheme == scheme || recipe->embeddings == scheme;
    for (size_t i = 0; i < recipe->layer_count; i++)
        uses |= recipe->layers[i].scheme == scheme;
    return uses;
}

static void print_schemes(const Recipe *recipe, Buffer *out) {
    if (recipe->scheme != STORE_AS_IS) {
        add_member(out, "scheme");
        buffer_format(out, "\"%s\"", weight_scheme_name(recipe->scheme));
    }
    if (recipe->embeddings != STORE_AS_IS) {
        add_member(out, "embeddings");
        buffer_format(out, "\"%s\"", weight_scheme_name(recipe->embeddings));
    }
    if (recipe->layer_count) {
        add_member(out, "layers");
        for (size_t i = 0; i < recipe->layer_count; i++) {
            buffer_add_text(out, i ? ", " : "{");
            buffer_add_json(out, recipe->layers[i].module, strlen(recipe->layers[i].module));
            buffer_format(out, ": \"%s\"", weight_scheme_name(recipe->layers[i].scheme));
        }
        buffer_add_char(out, '}');
    }
    if (uses_scheme(recipe, STORE_INT4) && recipe->group) {
        add_member(out, "group");
        buffer_format(out, "%zu", recipe->group);
    }
    if (uses_scheme(recipe, STORE_NF4) && recipe->double_quant) {
        add_member(out, "double_quant");
        buffer_add_text(out, "true");
    }
    if (uses_scheme(recipe, STORE_INT4) && recipe->gptq) {
        add_member(out, "gptq");
        buffer_add_text(out, "true");
    }
}

static void print_running(const Recipe *recipe, Buffer *out) {
    const struct {
        const char *name;
        bool on;
    } levers[] = {{"lm_head_screen", recipe->lm_head_screen}, {"lookup_decoding", recipe->lookup_decoding}};
    for (size_t i = 0; i < sizeof levers / sizeof *levers; i++)
        if (levers[i].on) {
            add_member(out, levers[i].name);
            buffer_add_text(out, "true");
        }
    if (recipe->threads) {
        add_member(out, "threads");
        buffer_format(out, "%d", recipe->threads);
    }
    if (recipe->batch) {
        add_member(out, "batch");
        buffer_format(out, "%zu", recipe->batch);
    }
}

void recipe_print(const Recipe *recipe, unsigned parts, Buffer *out) {
    buffer_add_char(out, '{');
    if (out->failed != OK)
        return;
    if (parts & RECIPE_CUTS)
        print_cuts(recipe, out);
    if (parts & RECIPE_VOCABULARY && recipe->vocabulary) {
        add_member(out, "vocabulary");
        buffer_add_text(out, "\"trimmed\"");
    }
    if (parts & RECIPE_SCHEMES)
        print_schemes(recipe, out);
    if (parts & RECIPE_KV && recipe->kv_kind) {
        add_member(out, "kv_type");
        buffer_format(out, "\"%s\"", kv_kind_name(recipe->kv_kind));
    }
    if (parts & RECIPE_RUNNING)
        print_running(recipe, out);
    buffer_add_char(out, '}');
}

// How many of the weights with a scheme of their own have this one.
static size_t count_layers(const Recipe *recipe, WeightScheme scheme) {
    size_t count = 0;
    for (size_t i = 0; i < recipe->layer_count; i++)
        count += recipe->layers[i].scheme == scheme;
    return count;
}

static const char *scheme_words(const Recipe *recipe, WeightScheme scheme) {
    if (scheme == STORE_NF4 && recipe->double_quant)
        return "nf4 (scales quantized)";
    if (scheme == STORE_INT4 && recipe->gptq)
        return "int4 (GPTQ)";
    return scheme == STORE_AS_IS ? "as it was" : weight_scheme_name(scheme);
}

static void describe_cuts(const Recipe *recipe, Buffer *out) {
    static const char *const units[PRUNE_COUNT] = {"rows to zero", "values to zero", "heads", "neurons", "layers"};
    for (size_t i = 0; i < recipe->cut_count; i++) {
        const RecipeCut *cut = &recipe->cuts[i];
        const char *side = !cut->only ? "" : strncmp(cut->only, "encoder", 7) == 0 ? "encoder " : "decoder ";
        buffer_format(out, "; %s%s -%.0f %%", side, units[cut->method], 100 * cut->amount);
    }
}

void recipe_describe(const Recipe *recipe, Buffer *out) {
    buffer_add_text(out, scheme_words(recipe, recipe->scheme));
    for (WeightScheme s = 0; s < STORE_COUNT; s++)
        if (count_layers(recipe, s))
            buffer_format(out, ", %zu weight%s %s", count_layers(recipe, s), count_layers(recipe, s) > 1 ? "s" : "",
                          scheme_words(recipe, s));
    if (recipe->embeddings != STORE_AS_IS && recipe->embeddings != recipe->scheme)
        buffer_format(out, ", tables %s", scheme_words(recipe, recipe->embeddings));
    describe_cuts(recipe, out);
    if (recipe->vocabulary)
        buffer_add_text(out, "; vocabulary trimmed");
    if (recipe->kv_kind)
        buffer_format(out, "; K/V %s", kv_kind_name(recipe->kv_kind));
    if (recipe->lm_head_screen)
        buffer_add_text(out, "; head screened");
    if (recipe->lookup_decoding)
        buffer_add_text(out, "; lookup decoding");
    if (recipe->threads)
        buffer_format(out, "; %d thread%s", recipe->threads, recipe->threads > 1 ? "s" : "");
    if (recipe->batch > 1)
        buffer_format(out, "; batch %zu", recipe->batch);
}

// "<16 digits of the text's hash>" in the scratch folder.
static Status folder_name(Arena *arena, const RecipeMaker *maker, const Recipe *recipe, unsigned parts,
                          char **ret_folder, Error *err) {
    Buffer text = {0};
    char digits[SHA256_TEXT_BYTES];
    recipe_print(recipe, parts, &text);
    Status status = buffer_status(&text, err);
    if (status == OK) {
        Sha256 hash;
        sha256_init(&hash);
        sha256_add(&hash, text.data, text.bytes);
        sha256_text(&hash, digits);
        digits[NAME_DIGITS] = '\0';
    }
    buffer_done(&text);
    TRY(status);
    TRY_NEW(*ret_folder = path_join(arena, maker->folder, digits, err));
    return OK;
}

static Status cut(Arena *arena, const RecipeMaker *maker, const Recipe *recipe, size_t index, const char *from,
                  const char *to, Error *err) {
    const RecipeCut *cut = &recipe->cuts[index];
    bool scored = cut->method == PRUNE_HEADS || cut->method == PRUNE_FFN;
    PruneOptions options = {.method = cut->method,
                            .amount = {.fraction = cut->amount},
                            .n = 2,
                            .global = cut->method == PRUNE_L1_UNSTRUCTURED,
                            .ragged = cut->method == PRUNE_HEADS,
                            .data = scored ? maker->tuning : NULL,
                            .threads = maker->threads,
                            .level = maker->level,
                            .only = cut->only};
    PruneReport report;
    return prune_model(arena, from, to, &options, &report, err);
}

static Status trim(Arena *arena, const RecipeMaker *maker, const char *from, const char *to, Error *err) {
    VocabularyOptions options = {.data = maker->texts ? maker->texts : maker->tuning};
    RuntimeSettings settings = {.level = maker->level, .threads = maker->threads, .batch = GENERATE_BATCH};
    if (!maker->texts)
        TRY(runtime_new(from, &settings, &options.runtime, err));
    VocabularyReport report;
    Status status = vocabulary_trim(arena, from, to, &options, &report, err);
    runtime_free(options.runtime);
    return status;
}

static Status quantize(Arena *arena, const RecipeMaker *maker, const Recipe *recipe, const char *from, const char *to,
                       Error *err) {
    KeepRule *keeps = arena_array(arena, recipe->layer_count, sizeof *keeps, err);
    TRY_NEW(keeps);
    for (size_t i = 0; i < recipe->layer_count; i++)
        keeps[i] = (KeepRule){recipe->layers[i].module, recipe->layers[i].scheme};
    bool gptq = recipe->gptq && uses_scheme(recipe, STORE_INT4), statics = uses_scheme(recipe, STORE_INT8_STATIC);
    QuantizeOptions options = {.scheme = recipe->scheme,
                               .embeddings = recipe->embeddings,
                               .keeps = keeps,
                               .keep_count = recipe->layer_count,
                               .group = recipe->group,
                               .int4_rule = INT4_FIT,
                               .double_quant = recipe->double_quant,
                               .gptq = gptq,
                               .statics = {.data = gptq || statics ? maker->tuning : NULL,
                                           .rule = THRESHOLD_MSE,
                                           .threads = maker->threads,
                                           .level = maker->level}};
    RewriteReport report;
    return quantize_model(arena, from, to, &options, &report, err);
}

// One step, where its folder is not there yet. What it needs beyond the path it leaves is freed at once.
static Status step(Arena *arena, const RecipeMaker *maker, const Recipe *recipe, size_t cuts, unsigned parts,
                   const char **from, Error *err) {
    Recipe prefix = *recipe;
    prefix.cut_count = cuts;
    char *to;
    TRY(folder_name(arena, maker, &prefix, parts, &to, err));
    Arena scratch;
    arena_init(&scratch, 0);
    Status status = OK;
    if (path_kind(to) == PATH_NONE && parts & RECIPE_SCHEMES)
        status = quantize(&scratch, maker, recipe, *from, to, err);
    else if (path_kind(to) == PATH_NONE && parts & RECIPE_VOCABULARY)
        status = trim(&scratch, maker, *from, to, err);
    else if (path_kind(to) == PATH_NONE)
        status = cut(&scratch, maker, recipe, cuts - 1, *from, to, err);
    arena_done(&scratch);
    *from = to;
    return status;
}

static bool packs(const Recipe *recipe) {
    return recipe->scheme != STORE_AS_IS || recipe->embeddings != STORE_AS_IS || recipe->layer_count;
}

Status recipe_make(Arena *arena, const RecipeMaker *maker, const Recipe *recipe, const char **ret_folder, Error *err) {
    const char *from = maker->model;
    for (size_t i = 1; i <= recipe->cut_count; i++)
        TRY(step(arena, maker, recipe, i, RECIPE_CUTS, &from, err));
    if (recipe->vocabulary)
        TRY(step(arena, maker, recipe, recipe->cut_count, RECIPE_CUTS | RECIPE_VOCABULARY, &from, err));
    if (packs(recipe))
        TRY(step(arena, maker, recipe, recipe->cut_count, RECIPE_FOLDER, &from, err));
    *ret_folder = from;
    return OK;
}

void recipe_forget(const RecipeMaker *maker, const Recipe *recipe) {
    Arena arena;
    Error ignored;
    char *folder;
    arena_init(&arena, 0);
    if (packs(recipe) && folder_name(&arena, maker, recipe, RECIPE_FOLDER, &folder, &ignored) == OK)
        folder_discard(folder);
    arena_done(&arena);
}

RuntimeSettings recipe_runtime(const RecipeMaker *maker, const Recipe *recipe) {
    return (RuntimeSettings){.level = maker->level,
                             .threads = recipe->threads ? recipe->threads : maker->threads,
                             .batch = recipe->batch ? recipe->batch : 1,
                             .kv_kind = recipe->kv_kind,
                             .lm_head_screen = recipe->lm_head_screen,
                             .lookup_decoding = recipe->lookup_decoding,
                             .skips_scores = true,
                             .plain = true};
}
