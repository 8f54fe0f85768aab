// SPDX-License-Identifier: Apache-2.0
// Recipes as text, the folders they make against the commands' own functions, and the list of moves against every
// combination there is.
#include "check.h"

#include <math.h>

#define TINY_SCALE 4
#include "base/random.h"
#include "compress/quantize.h"
#include "compress/recipe.h"
#include "compress/search_work.h"
#include "compress/tiny.h"

static Error err;

static const char *printed(Scratch *scratch, const Recipe *recipe, unsigned parts) {
    Buffer out = {0};
    recipe_print(recipe, parts, &out);
    char *text = arena_copy_text(&scratch->arena, out.data, out.bytes, &err);
    buffer_done(&out);
    return text;
}

static const char *described(Scratch *scratch, const Recipe *recipe) {
    Buffer out = {0};
    recipe_describe(recipe, &out);
    char *text = arena_copy_text(&scratch->arena, out.data, out.bytes, &err);
    buffer_done(&out);
    return text;
}

START_TEST(a_recipe_is_told_whole_and_in_parts) {
    Scratch scratch = scratch_make();
    const RecipeLayer layers[] = {{"model.encoder.layers.0.fc1", STORE_NF4},
                                  {"model.encoder.layers.0.fc2", STORE_FP16}};
    Recipe recipe = {.cuts = {{PRUNE_FFN, 0.25, "decoder.*"}},
                     .cut_count = 1,
                     .vocabulary = true,
                     .scheme = STORE_INT8,
                     .embeddings = STORE_NF4,
                     .layers = layers,
                     .layer_count = 2,
                     .group = 64,
                     .double_quant = true,
                     .gptq = true,
                     .kv_kind = KV_S8,
                     .lm_head_screen = true,
                     .threads = 1,
                     .batch = 8};
    ck_assert_str_eq(printed(&scratch, &(Recipe){0}, RECIPE_ALL), "{}");
    ck_assert_str_eq(printed(&scratch, &recipe, RECIPE_ALL),
                     "{\"cuts\": [{\"method\": \"ffn\", \"amount\": 0.25, \"only\": \"decoder.*\"}], \"vocabulary\": "
                     "\"trimmed\", \"scheme\": \"int8\", \"embeddings\": \"nf4\", \"layers\": "
                     "{\"model.encoder.layers.0.fc1\": \"nf4\", \"model.encoder.layers.0.fc2\": \"fp16\"}, "
                     "\"double_quant\": true, \"kv_type\": \"int8\", \"lm_head_screen\": true, \"threads\": 1, "
                     "\"batch\": 8}"); // group and gptq are of int4, which nothing is
    ck_assert_str_eq(printed(&scratch, &recipe, RECIPE_KV | RECIPE_RUNNING),
                     "{\"kv_type\": \"int8\", \"lm_head_screen\": true, \"threads\": 1, \"batch\": 8}");
    ck_assert_str_eq(described(&scratch, &(Recipe){0}), "as it was");
    ck_assert_str_eq(described(&scratch, &recipe),
                     "int8, 1 weight fp16, 1 weight nf4 (scales quantized), tables nf4 (scales quantized); decoder "
                     "neurons -25 %; vocabulary trimmed; K/V int8; head screened; 1 thread; batch 8");
    json_t *value;
    const char *text = printed(&scratch, &recipe, RECIPE_ALL);
    CHECK_OK(
        json_parse(&scratch.arena, "recipe", (Bytes){(const unsigned char *)text, strlen(text)}, false, &value, &err));
    scratch_done(&scratch);
}
END_TEST

static char *model_write(Scratch *scratch) {
    Tiny tiny = tiny_make(&scratch->arena);
    return tiny_write(&tiny, scratch, "model", tiny_config_scaled(&scratch->arena));
}

static bool same_file(Scratch *scratch, const char *a, const char *b, const char *name) {
    Bytes one, two;
    CHECK_OK(file_map(&scratch->arena, path_join(&scratch->arena, a, name, &err), &one, &err));
    CHECK_OK(file_map(&scratch->arena, path_join(&scratch->arena, b, name, &err), &two, &err));
    return one.size == two.size && memcmp(one.data, two.data, one.size) == 0;
}

START_TEST(folders_are_those_of_the_steps) {
    Scratch scratch = scratch_make();
    char *model = model_write(&scratch), *folder;
    CHECK_OK(folder_scratch(&scratch.arena, scratch_path(&scratch, "out"), &folder, &err));
    RecipeMaker maker = {.model = model, .folder = folder, .threads = 1, .level = cpu_detect()};
    const char *made, *again, *plain;
    CHECK_OK(recipe_make(&scratch.arena, &maker, &(Recipe){.kv_kind = KV_F16, .threads = 1}, &plain, &err));
    ck_assert_str_eq(plain, model); // no weight changes

    PruneOptions prune = {
        .method = PRUNE_LAYERS, .amount = {.counted = true, .count = 0}, .n = 2, .threads = 1, .level = cpu_detect()};
    prune.method = PRUNE_L1_UNSTRUCTURED;
    prune.amount = (PruneAmount){.fraction = 0.5};
    prune.global = true;
    PruneReport pruned;
    RewriteReport written;
    char *step = scratch_path(&scratch, "step"), *hand = scratch_path(&scratch, "hand");
    CHECK_OK(prune_model(&scratch.arena, model, step, &prune, &pruned, &err));
    CHECK_OK(quantize_model(&scratch.arena, step, hand, &(QuantizeOptions){.scheme = STORE_INT8}, &written, &err));
    Recipe recipe = {.cuts = {{PRUNE_L1_UNSTRUCTURED, 0.5, NULL}}, .cut_count = 1, .scheme = STORE_INT8};
    CHECK_OK(recipe_make(&scratch.arena, &maker, &recipe, &made, &err));
    ck_assert(same_file(&scratch, made, hand, "model.safetensors"));
    ck_assert(same_file(&scratch, made, hand, "config.json"));
    CHECK_OK(recipe_make(&scratch.arena, &maker, &recipe, &again, &err));
    ck_assert_str_eq(made, again);
    Recipe other = recipe;
    other.scheme = STORE_FP16;
    CHECK_OK(recipe_make(&scratch.arena, &maker, &other, &again, &err));
    ck_assert_str_ne(made, again);
    recipe_forget(&maker, &recipe);
    ck_assert_int_eq(path_kind(made), PATH_NONE);
    ck_assert_int_eq(path_kind(again), PATH_FOLDER);
    other.layer_count = 1;
    other.layers = &(RecipeLayer){"model.encoder.layers.9.fc1", STORE_INT8};
    CHECK_FAILS(recipe_make(&scratch.arena, &maker, &other, &again, &err), ERR_USAGE, "decides for no weight");
    scratch_done(&scratch);
}
END_TEST

enum { LAYERS = 5, CHANGES = 3 };

// Saved by the best combination of choices that loses no more than `most`.
static double best_of_all(double (*loss)[CHANGES + 1], double (*saved)[CHANGES + 1], double most) {
    size_t combinations = 1;
    double best = 0;
    for (size_t l = 0; l < LAYERS; l++)
        combinations *= CHANGES + 1;
    for (size_t c = 0; c < combinations; c++) {
        double lost = 0, won = 0;
        size_t rest = c;
        for (size_t l = 0; l < LAYERS; l++, rest /= CHANGES + 1) {
            lost += loss[l][rest % (CHANGES + 1)];
            won += saved[l][rest % (CHANGES + 1)];
        }
        best = lost <= most && won > best ? won : best;
    }
    return best;
}

// Every beginning of the list is the best that its loss buys.
static void check_moves(Search *search, uint64_t seed) {
    static const char *const modules[LAYERS] = {"encoder.layers.0.fc1", "encoder.layers.0.fc2", "decoder.layers.0.fc1",
                                                "decoder.layers.0.self_attn.q_proj", "shared"};
    static const WeightScheme schemes[CHANGES] = {STORE_FP16, STORE_INT8, STORE_NF4};
    Random random = {seed};
    double loss[LAYERS][CHANGES + 1] = {{0}}, saved[LAYERS][CHANGES + 1] = {{0}};
    SensitivityRow rows[LAYERS * CHANGES];
    for (size_t l = 0; l < LAYERS; l++)
        for (size_t c = 0; c < CHANGES; c++) {
            loss[l][c + 1] = (double)(1 + random_below(&random, 1000)) / 1024;
            saved[l][c + 1] = (double)(random_below(&random, 1200)) - 100; // some save nothing
            rows[l * CHANGES + c] = (SensitivityRow){.layer = modules[l],
                                                     .change = weight_scheme_name(schemes[c]),
                                                     .kind = CHANGE_SCHEME,
                                                     .scheme = schemes[c],
                                                     .loss_change = loss[l][c + 1],
                                                     .bytes_saved = saved[l][c + 1]};
        }
    search->sensitivity = (Sensitivity){.rows = rows, .count = LAYERS * CHANGES};
    search->item_count = search->move_count = 0;
    CHECK_OK(moves_make(search, &err));
    ck_assert_uint_eq(search->item_count, LAYERS);
    size_t at[LAYERS] = {0};
    for (size_t k = 0; k < search->move_count; k++) {
        const Move *move = &search->moves[k];
        ck_assert_uint_eq(move->option, at[move->item] + 1);
        at[move->item] = move->option;
        double lost = 0, won = 0;
        for (size_t l = 0; l < LAYERS; l++) {
            lost += search->moves_of[l].options[at[l]].loss;
            won += search->moves_of[l].options[at[l]].saved;
        }
        ck_assert_double_eq(won, best_of_all(loss, saved, lost));
    }
    ck_assert_double_eq(search->move_count ? 1 : 0, best_of_all(loss, saved, INFINITY) > 0 ? 1 : 0);
}

START_TEST(each_beginning_of_the_moves_is_the_best_for_its_loss) {
    Scratch scratch = scratch_make();
    Search *search = arena_array(&scratch.arena, 1, sizeof *search, &err);
    search->arena = &scratch.arena;
    search->options = &(SearchOptions){.goal = SEARCH_MEMORY};
    CHECK_OK(model_open(&scratch.arena, model_write(&scratch), false, &search->model, &err));
    for (uint64_t seed = 1; seed <= 200; seed++)
        check_moves(search, seed);
    Recipe recipe;
    CHECK_OK(moves_recipe(search, 0, &recipe, &err));
    ck_assert_str_eq(described(&scratch, &recipe), "as it was");
    CHECK_OK(moves_recipe(search, search->move_count, &recipe, &err));
    size_t changed = recipe.layer_count;
    ck_assert(recipe.scheme != STORE_AS_IS || changed);
    ck_assert_uint_le(changed, LAYERS - 1);
    for (size_t i = 1; i < recipe.layer_count; i++)
        ck_assert_int_lt(strcmp(recipe.layers[i - 1].module, recipe.layers[i].module), 0);
    size_t before = search->move_count, item = search->moves[0].item;
    moves_block(search, 0);
    ck_assert_uint_lt(search->move_count, before);
    for (size_t i = 0; i < search->move_count; i++)
        ck_assert_uint_ne(search->moves[i].item, item);
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("recipe", a_recipe_is_told_whole_and_in_parts, folders_are_those_of_the_steps,
          each_beginning_of_the_moves_is_the_best_for_its_loss)
