// SPDX-License-Identifier: Apache-2.0
// A model that was exported as ONNX and opened again has the family's graphs with the same weights, bit for bit, in
// every dtype and setting of the goldens; and graphs that compute something else are told apart from the family's.
#include "format/onnx/export.h"
#include "format/onnx/write.h"
#include "model/golden_forward.h"
#include "model/int8_folder.h"
#include "model/onnx_import.h"
#include "op/op.h"

static Scratch scratch;
static Error err;

// What is changed in a part before it is written.
typedef void Change(Graph *graph);

static bool dequantize; // int8 rows

static void part_write(const Model *model, const char *folder, ExportPart part, int64_t opset, Change *change) {
    const SessionModel *session = model_session(model);
    ExportSource source = {session->encode, session->decode, session->head, opset, .dequantize = dequantize};
    Graph *graph;
    const char **names;
    CHECK_OK(export_part(&scratch.arena, &source, part, &graph, &names, &err));
    if (change)
        change(graph);
    CHECK_OK(onnx_write(path_join(&scratch.arena, folder, export_part_files[part], &err), graph, names,
                        &(OnnxWriteSettings){.opset = opset}, &err));
}

// The folder of an exported model, config.json of `from` with it.
static const char *export_folder(const Model *model, const char *from, const char *name, ExportPart decoder,
                                 int64_t opset, Change *change_encoder, Change *change_decoder) {
    const char *folder = scratch_path(&scratch, name);
    ck_assert_int_eq(mkdir(folder, 0777), 0);
    json_write(&scratch, folder, "config.json", json_of(&scratch.arena, from, "config.json"));
    part_write(model, folder, EXPORT_ENCODER, opset, change_encoder);
    part_write(model, folder, decoder, opset, change_decoder);
    return folder;
}

// Small weights of 16 bits may have become the same numbers in f32.
static void check_widened(const Constant *wanted, const Constant *found) {
    size_t elements;
    ck_assert(shape_elements(&wanted->shape, &elements));
    double *values = arena_array(&scratch.arena, 2 * elements, sizeof *values, &err);
    void *rows = arena_array(&scratch.arena, elements, sizeof *values, &err);
    elements_to_f64(wanted->dtype, wanted->data, elements, values);
    elements_to_f64(found->dtype, constant_rows(found, 0, (size_t)found->shape.dims[0], rows), elements,
                    values + elements);
    ck_assert_msg(memcmp(values, values + elements, elements * sizeof *values) == 0, "%s differs", wanted->name);
}

static void check_constant(const Constant *wanted, const Constant *found) {
    if (wanted->dtype != found->dtype && dtype_is_real(wanted->dtype) && shape_equal(&wanted->shape, &found->shape)) {
        check_widened(wanted, found);
        return;
    }
    size_t rows = wanted->shape.rank ? (size_t)wanted->shape.dims[0] : 1, bytes = constant_row_bytes(wanted);
    ck_assert_msg(wanted->scheme == found->scheme && wanted->dtype == found->dtype &&
                      shape_equal(&wanted->shape, &found->shape),
                  "%s is another form of %s", found->name, wanted->name);
    char *scratch_rows = arena_alloc(&scratch.arena, 2 * bytes, 64, &err);
    for (size_t r = 0; r < rows; r++) {
        const void *a = constant_rows(wanted, r, 1, scratch_rows),
                   *b = constant_rows(found, r, 1, scratch_rows + bytes);
        ck_assert_msg(memcmp(a, b, bytes) == 0, "row %zu of %s differs", r, wanted->name);
        float scales[2] = {0};
        if (constant_row_scales(wanted)) {
            constant_scales(wanted, r, 1, &scales[0]);
            constant_scales(found, r, 1, &scales[1]);
        }
        ck_assert(scales[0] == scales[1]);
    }
}

static void check_graph(const Graph *wanted, const Graph *found) {
    ck_assert_uint_eq(wanted->node_count, found->node_count);
    for (size_t n = 0; n < wanted->node_count; n++) {
        const Node *a = wanted->nodes[n], *b = found->nodes[n];
        ck_assert(a->op == b->op && a->input_count == b->input_count && a->attribute_count == b->attribute_count);
        for (size_t i = 0; i < a->attribute_count; i++)
            ck_assert(attribute_equal(&a->attributes[i], &b->attributes[i]));
        for (size_t i = 0; i < a->input_count; i++) {
            ck_assert(!a->inputs[i].constant == !b->inputs[i].constant);
            if (a->inputs[i].constant)
                check_constant(a->inputs[i].constant, b->inputs[i].constant);
        }
    }
}

static bool turned_seen;

// The same where matrices lie as in the files.
static void check_turned(const Model *wanted, const char *folder) {
    const char *encoder, *decoder;
    const Arch *arch;
    ArchInput input = {.config = json_of(&scratch.arena, folder, "config.json"), .config_name = "config.json"};
    OnnxImport import;
    ArchModel built;
    CHECK_OK(onnx_import_find(&scratch.arena, folder, &encoder, &decoder, &err));
    CHECK_OK(onnx_import(&scratch.arena, encoder, decoder, &input, false, &import, &err));
    input.config = import.config;
    input.tensors = &import.tensors;
    input.turned = true;
    CHECK_OK(arch_find(&input, &arch, &err));
    CHECK_OK(arch->build(&scratch.arena, &input, &built, &err));
    check_graph(model_session(wanted)->encode, built.encode);
    check_graph(model_session(wanted)->decode, built.decode);
    check_graph(model_session(wanted)->head, built.head);
    for (size_t i = 0; i < built.decode->constant_count; i++)
        turned_seen |= built.decode->constants[i]->turned;
}

static void check_same(const Model *wanted, const char *folder) {
    const Model *found = NULL;
    CHECK_OK(model_open(&scratch.arena, folder, false, &found, &err));
    const SessionModel *a = model_session(wanted), *b = model_session(found);
    CHECK_OK(op_verify(b->encode, &err));
    check_graph(a->encode, b->encode);
    check_graph(a->decode, b->decode);
    check_graph(a->head, b->head);
    check_turned(wanted, folder);
    CHECK_OK(model_open(&scratch.arena, folder, true, &found, &err)); // passes bear turned weights
}

START_TEST(test_round_trip) {
    scratch = scratch_make();
    const json_t *goldens = json_of(&scratch.arena, source_path(&scratch.arena, "tests/golden/model"), "forward.json");
    for (size_t i = 0; i < json_array_size(goldens); i++) {
        Golden golden = golden_of(json_array_get(goldens, i));
        char name[64];
        snprintf(name, sizeof name, "golden-%zu", i);
        const char *folder = golden_folder(&scratch, &golden, name);
        const Model *model = NULL;
        CHECK_OK(model_open(&scratch.arena, folder, false, &model, &err));
        for (int64_t opset = 14; opset <= 20; opset += 3) {
            bool merged = opset != 17;
            snprintf(name, sizeof name, "exported-%zu-%d", i, (int)opset);
            check_same(model,
                       export_folder(model, folder, name, merged ? EXPORT_MERGED : EXPORT_DECODER, opset, NULL, NULL));
        }
    }
    ck_assert(turned_seen);
    scratch_done(&scratch);
}
END_TEST

// INT8 rows come back as they were, from integer products and dequantized ones; so do scales of what they are
// multiplied with, and factors.
START_TEST(test_int8) {
    scratch = scratch_make();
    for (int form = 0; form < 4; form++) {
        const Model *model = NULL;
        char name[32];
        dequantize = form & 1;
        snprintf(name, sizeof name, "int8-%d", form);
        const char *folder = rounded_folder(&scratch, name, true, form & 2 ? 0.05f : 0);
        CHECK_OK(model_open(&scratch.arena, folder, false, &model, &err));
        for (int merged = 0; merged < 2; merged++) {
            snprintf(name, sizeof name, "exported-int8-%d-%d", form, merged);
            check_same(model,
                       export_folder(model, folder, name, merged ? EXPORT_MERGED : EXPORT_DECODER, 14, NULL, NULL));
        }
    }
    dequantize = false;
    ck_assert(turned_seen);
    scratch_done(&scratch);
}
END_TEST

// The constant of one i64 that the places are counted from.
static void change_places(Graph *graph) {
    static const int64_t three = 3;
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        if (node->op == TENSOR_ADD && node->types[0].dtype == DTYPE_I64 && node->inputs[1].constant)
            graph->constants[node->inputs[1].constant->index]->data = &three;
    }
}

// Every comparison of places the other way around.
static void change_mask(Graph *graph) {
    for (size_t n = 0; n < graph->node_count; n++) {
        Node *node = graph->nodes[n];
        if (node->op == TENSOR_LESS_OR_EQUAL) {
            Value first = node->inputs[0];
            node->inputs[0] = node->inputs[1];
            node->inputs[1] = first;
        }
    }
}

// Padding is what is seen.
static void change_padding(Graph *graph) {
    for (size_t n = 0; n < graph->node_count; n++) {
        Node *node = graph->nodes[n];
        if (node->op == TENSOR_WHERE && node->types[0].dtype == DTYPE_F32) {
            Value first = node->inputs[1];
            node->inputs[1] = node->inputs[2];
            node->inputs[2] = first;
        }
    }
}

// Masks for each head, of which the last hides nothing.
static void change_heads(Graph *graph) {
    static const float heads[] = {1, 0};
    for (size_t n = 0; n < graph->node_count; n++) {
        Node *node = graph->nodes[n];
        const Constant *added;
        Node *product;
        if (node->op != TENSOR_WHERE || node->types[0].dtype != DTYPE_F32)
            continue;
        Constant constant = {.name = "heads", .dtype = DTYPE_F32, .shape = {3, {2, 1, 1}}, .data = heads};
        CHECK_OK(graph_add_constant(graph, &constant, &added, &err));
        ValueType type = node->types[0];
        NodeSpec spec = {.op = TENSOR_MUL,
                         .name = "mask_of_heads",
                         .inputs = (Value[]){value_of(node, 0), value_constant(added)},
                         .input_count = 2,
                         .types = &type,
                         .output_count = 1};
        type.dims[1] = (Dim){false, 2};
        CHECK_OK(graph_insert_before(graph, graph->nodes[n + 1], &spec, &product, &err));
        graph_replace_value(graph, value_of(node, 0), value_of(product, 0));
        product->inputs[0] = value_of(node, 0);
        return;
    }
}

static void change_epsilon(Graph *graph) {
    for (size_t n = 0; n < graph->node_count; n++) {
        Node *node = graph->nodes[n];
        for (size_t a = 0; a < node->attribute_count && node->op == TENSOR_LAYER_NORMALIZATION; a++)
            if (strcmp(node->attributes[a].name, "epsilon") == 0)
                node->attributes[a].real = 1e-3;
    }
}

static void check_refused(const char *config, Change *encoder, Change *decoder, const char *sentence) {
    static int number;
    char name[32];
    const Model *model = NULL, *found;
    const char *base = source_path(&scratch.arena, MICRO);
    CHECK_OK(model_open(&scratch.arena, base, false, &model, &err));
    snprintf(name, sizeof name, "config-%d", number);
    const char *settings = variant_folder(&scratch, name, MICRO, config);
    snprintf(name, sizeof name, "refused-%d", number++);
    const char *folder = export_folder(model, settings, name, EXPORT_DECODER, 17, encoder, decoder);
    Status status = model_open(&scratch.arena, folder, true, &found, &err);
    ck_assert_msg(status == ERR_UNSUPPORTED && strstr(err.message, sentence), "expected '%s', found '%s'", sentence,
                  status == OK ? "nothing wrong" : err.message);
}

START_TEST(test_other_graphs) {
    scratch = scratch_make();
    check_refused("{}", change_places, NULL, "places do not count up from 2");
    check_refused("{}", NULL, change_places, "places do not count up from 2");
    check_refused("{}", NULL, change_mask, "masks other tokens than padding and what comes later");
    check_refused("{}", change_padding, NULL, "of the source over itself masks other tokens than padding");
    check_refused("{}", NULL, change_padding, "masks other tokens than padding");
    check_refused("{}", change_heads, NULL, "of the source over itself masks other tokens than padding");
    check_refused("{}", change_epsilon, NULL, "where layer_norm");
    check_refused("{\"scale_embedding\":true}", NULL, NULL, "where embed");
    check_refused("{\"activation_function\":\"relu\"}", NULL, NULL, "where activation");
    check_refused("{\"decoder_attention_heads\":2}", NULL, NULL, "has 4 heads and scale");
    check_refused("{\"encoder_layers\":1}", NULL, NULL, "where add");
    check_refused("{\"encoder_layers\":3}", NULL, NULL, "where ");
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_wrong_sizes_and_files) {
    scratch = scratch_make();
    const Model *model = NULL, *found;
    const char *base = source_path(&scratch.arena, MICRO);
    CHECK_OK(model_open(&scratch.arena, base, false, &model, &err));
    const char *settings = variant_folder(&scratch, "sizes", MICRO, "{\"encoder_ffn_dim\":32}");
    const char *vocabulary = variant_folder(&scratch, "vocabulary", MICRO, "{\"vocab_size\":50000}");
    const char *folder = export_folder(model, settings, "other-sizes", EXPORT_DECODER, 14, NULL, NULL);
    CHECK_FAILS(model_open(&scratch.arena, folder, true, &found, &err), ERR_FORMAT, "fc2");
    json_write(&scratch, folder, "config.json", json_of(&scratch.arena, vocabulary, "config.json"));
    CHECK_FAILS(model_open(&scratch.arena, folder, true, &found, &err), ERR_FORMAT, "stands where 'lm_head.weight'");
    ck_assert_int_eq(remove(path_join(&scratch.arena, folder, "decoder_model.onnx", &err)), 0);
    CHECK_FAILS(model_open(&scratch.arena, folder, true, &found, &err), ERR_FORMAT,
                "neither decoder_model_merged.onnx nor decoder_model.onnx");
    CHECK_FAILS(
        model_open(&scratch.arena, path_join(&scratch.arena, folder, "encoder_model.onnx", &err), true, &found, &err),
        ERR_UNSUPPORTED, "is no bart that is known here: where linear 'logits' should be");
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("model/onnx_import", test_round_trip, test_int8, test_other_graphs, test_wrong_sizes_and_files)
