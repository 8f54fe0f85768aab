// SPDX-License-Identifier: Apache-2.0
// What is exported as ONNX computes the states and logits of transformers, in every part, with a past and without, in
// low opsets and high, and holds no weight twice; written and read again it computes the same.
#include "exec/evaluator.h"
#include "format/onnx/export.h"
#include "format/onnx/onnx.h"
#include "format/onnx/write.h"
#include "graph/print.h"
#include "model/golden_forward.h"
#include "model/int8_folder.h"
#include "op/op.h"
#include "tensor/quantize4.h"

static Scratch scratch;
static Error err;
static Kernels kernels;

typedef struct PartRun {
    Evaluator *evaluator;
    const Tensor *results;
    size_t count;
} PartRun;

// One constant per weight: none is there under two names.
static void check_once(const Graph *graph) {
    for (size_t i = 0; i < graph->constant_count; i++)
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(graph->constants[i]->data != graph->constants[j]->data, "%s is %s again",
                          graph->constants[i]->name, graph->constants[j]->name);
}

static PartRun part_run_as(const Model *model, ExportPart part, int64_t opset, bool dequantize, const Tensor *inputs) {
    const SessionModel *session = model_session(model);
    ExportSource source = {session->encode, session->decode, session->head, opset, .dequantize = dequantize};
    Graph *graph;
    const char **names;
    CHECK_OK(export_part(&scratch.arena, &source, part, &graph, &names, &err));
    CHECK_OK(op_verify(graph, &err));
    check_once(graph);
    char *path = scratch_path(&scratch, export_part_files[part]);
    OnnxModel read;
    CHECK_OK(onnx_write(path, graph, names, &(OnnxWriteSettings){.opset = opset}, &err));
    CHECK_OK(onnx_read(&scratch.arena, path, &read, &err));
    for (size_t i = 0; i < read.graph->return_count; i++)
        ck_assert_str_eq(read.output_names[i], names[i]);
    PartRun run = {.count = read.graph->return_count};
    CHECK_OK(evaluator_new(read.graph, &(EvaluatorSettings){.kernels = &kernels}, &run.evaluator, &err));
    CHECK_OK(evaluator_run(run.evaluator, inputs, &run.results, &err));
    return run;
}

static PartRun part_run(const Model *model, ExportPart part, int64_t opset, const Tensor *inputs) {
    return part_run_as(model, part, opset, false, inputs);
}

// Columns [from, to) of the golden's ids.
static Tensor ids_of(const Golden *golden, const char *key, size_t from, size_t to) {
    size_t count = golden->batch * (to - from);
    int64_t *ids = arena_array(&scratch.arena, count, sizeof *ids, &err);
    ck_assert_ptr_nonnull(ids);
    for (size_t b = 0; b < golden->batch; b++) {
        const int32_t *row = row_of(&scratch.arena, golden, key, b);
        for (size_t i = from; i < to; i++)
            ids[b * (to - from) + i - from] = row[i];
    }
    return (Tensor){.name = key,
                    .dtype = DTYPE_I64,
                    .shape = {2, {(int64_t)golden->batch, (int64_t)(to - from)}},
                    .data = ids,
                    .bytes = count * sizeof *ids};
}

static void check_logits(const Golden *golden, const Tensor *logits, size_t from, size_t to) {
    ck_assert_int_eq(logits->shape.rank, 3);
    ck_assert_uint_eq((size_t)logits->shape.dims[1], to - from);
    size_t width = (size_t)logits->shape.dims[2], count = (to - from) * width;
    for (size_t b = 0; b < golden->batch; b++) {
        double worst = distance(golden, "logits", (b * golden->target + from) * width, count,
                                (const float *)logits->data + b * count);
        ck_assert_msg(worst < 1e-5, "logits of item %zu differ by %g", b, worst);
    }
}

enum { MOST_INPUTS = 32 };

// A past as the decoder gave it, behind `count` inputs.
static size_t past_add(Tensor *inputs, size_t count, const PartRun *first) {
    for (size_t i = 1; i < first->count; i++)
        inputs[count++] = first->results[i];
    return count;
}

static void check_merged(const Golden *golden, const Model *model, int64_t opset, const Tensor *first_inputs,
                         const PartRun *first, size_t split) {
    for (int with = 0; with < 2; with++) {
        bool use = with;
        Tensor inputs[MOST_INPUTS] = {first_inputs[0], first_inputs[1], first_inputs[2]};
        if (use)
            inputs[1] = ids_of(golden, "decoder_input_ids", split, golden->target);
        size_t count = past_add(inputs, 3, first);
        inputs[count] = (Tensor){
            .name = "use_cache_branch", .dtype = DTYPE_BOOL, .shape = {1, {1}}, .data = &use, .bytes = sizeof use};
        PartRun merged = part_run(model, EXPORT_MERGED, opset, inputs);
        ck_assert_uint_eq(merged.count, first->count);
        check_logits(golden, &merged.results[0], use ? split : 0, use ? golden->target : split);
        evaluator_free(merged.evaluator);
    }
}

static void check_golden(const Golden *golden, const char *folder, int64_t opset) {
    const Model *model = NULL;
    size_t split = golden->target / 2;
    CHECK_OK(model_open(&scratch.arena, folder, false, &model, &err));
    Tensor mask = ids_of(golden, "attention_mask", 0, golden->length);
    PartRun encoder =
        part_run(model, EXPORT_ENCODER, opset, (Tensor[]){ids_of(golden, "input_ids", 0, golden->length), mask});
    const Tensor *states = &encoder.results[0];
    double worst = distance(golden, "states", 0, states->bytes / sizeof(float), states->data);
    ck_assert_msg(worst < 1e-5, "states differ by %g", worst);

    Tensor inputs[MOST_INPUTS] = {mask, ids_of(golden, "decoder_input_ids", 0, golden->target), *states};
    PartRun decoder = part_run(model, EXPORT_DECODER, opset, inputs);
    check_logits(golden, &decoder.results[0], 0, golden->target);
    evaluator_free(decoder.evaluator);

    inputs[1] = ids_of(golden, "decoder_input_ids", 0, split);
    PartRun first = part_run(model, EXPORT_DECODER, opset, inputs);
    Tensor later[MOST_INPUTS] = {mask, ids_of(golden, "decoder_input_ids", split, golden->target)};
    past_add(later, 2, &first);
    PartRun second = part_run(model, EXPORT_DECODER_WITH_PAST, opset, later);
    check_logits(golden, &second.results[0], split, golden->target);
    evaluator_free(second.evaluator);
    check_merged(golden, model, opset, inputs, &first, split);
    evaluator_free(first.evaluator);
    evaluator_free(encoder.evaluator);
}

START_TEST(test_goldens) {
    scratch = scratch_make();
    kernels_pick(cpu_detect(), &kernels);
    const json_t *goldens = json_of(&scratch.arena, source_path(&scratch.arena, "tests/golden/model"), "forward.json");
    for (size_t i = 0; i < json_array_size(goldens); i++) {
        Golden golden = golden_of(json_array_get(goldens, i));
        char name[32];
        snprintf(name, sizeof name, "golden-%zu", i);
        const char *folder = golden_folder(&scratch, &golden, name);
        for (int64_t opset = 14; opset <= 20; opset += 3)
            check_golden(&golden, folder, opset);
    }
    scratch_done(&scratch);
}
END_TEST

// Graphs that passes have fused have no form here, and say so.
START_TEST(test_fused) {
    scratch = scratch_make();
    const Model *model = NULL;
    CHECK_OK(model_open(&scratch.arena, source_path(&scratch.arena, MICRO), true, &model, &err));
    const SessionModel *session = model_session(model);
    ExportSource source = {session->encode, session->decode, session->head, 14};
    Graph *graph;
    const char **names;
    CHECK_FAILS(export_part(&scratch.arena, &source, EXPORT_ENCODER, &graph, &names, &err), ERR_UNSUPPORTED, "form");
    scratch_done(&scratch);
}
END_TEST

// Int8 rows dequantized give what the numbers that they mean give; multiplied as integers what is near.
static void int8_run(const Golden *golden, const char *name, bool codes, bool dequantize, PartRun ret_runs[2]) {
    const Model *model = NULL;
    CHECK_OK(model_open(&scratch.arena, rounded_folder(&scratch, name, codes, 0), false, &model, &err));
    Tensor mask = ids_of(golden, "attention_mask", 0, golden->length);
    Tensor inputs[] = {ids_of(golden, "input_ids", 0, golden->length), mask};
    ret_runs[0] = part_run_as(model, EXPORT_ENCODER, 14, dequantize, inputs);
    Tensor target = ids_of(golden, "decoder_input_ids", 0, golden->target);
    ret_runs[1] = part_run_as(model, EXPORT_DECODER, 14, dequantize, (Tensor[]){mask, target, ret_runs[0].results[0]});
}

START_TEST(test_int8_rows) {
    scratch = scratch_make();
    kernels_pick(cpu_detect(), &kernels);
    const json_t *goldens = json_of(&scratch.arena, source_path(&scratch.arena, "tests/golden/model"), "forward.json");
    Golden golden = golden_of(json_array_get(goldens, 0));
    PartRun runs[3][2];
    int8_run(&golden, "reals", false, false, runs[0]);
    int8_run(&golden, "codes", true, true, runs[1]);
    int8_run(&golden, "integers", true, false, runs[2]);
    static const float tolerances[] = {0, 1e-5f, 0.5f}, means[] = {0, 1e-6f, 0.05f};
    for (size_t form = 1; form < 3; form++)
        for (size_t part = 0; part < 2; part++) {
            const Tensor *a = runs[0][part].results, *b = runs[form][part].results;
            ck_assert_uint_eq(a->bytes, b->bytes);
            size_t count = a->bytes / sizeof(float);
            float sum = 0;
            for (size_t i = 0; i < count; i++) {
                float apart = fabsf(((const float *)a->data)[i] - ((const float *)b->data)[i]);
                ck_assert_float_le(apart, tolerances[form]);
                sum += apart;
            }
            ck_assert_float_le(sum / (float)count, means[form]);
        }
    for (size_t i = 0; i < 6; i++)
        evaluator_free(runs[i / 2][i % 2].evaluator);
    scratch_done(&scratch);
}
END_TEST

static size_t ops_count(const Graph *graph, OpCode op) {
    size_t count = 0;
    for (size_t n = 0; n < graph->node_count; n++)
        count += graph->nodes[n]->op == op;
    return count;
}

// Every product of a weight is one of integers; what several read is quantized once.
START_TEST(test_integer_products) {
    scratch = scratch_make();
    const Model *model = NULL;
    CHECK_OK(model_open(&scratch.arena, rounded_folder(&scratch, "codes", true, 0), false, &model, &err));
    const SessionModel *session = model_session(model);
    ExportSource source = {session->encode, session->decode, session->head, 14};
    size_t layers = ops_count(session->encode, OP_ATTENTION);
    Graph *graph;
    const char **names;
    CHECK_OK(export_part(&scratch.arena, &source, EXPORT_ENCODER, &graph, &names, &err));
    ck_assert_uint_eq(ops_count(graph, TENSOR_MATMUL_INTEGER), 6 * layers);
    ck_assert_uint_eq(ops_count(graph, TENSOR_DYNAMIC_QUANTIZE_LINEAR), 4 * layers);
    ck_assert_uint_eq(ops_count(graph, TENSOR_MATMUL), 2 * layers);
    CHECK_OK(model_open(&scratch.arena, rounded_folder(&scratch, "static", true, 0.05f), false, &model, &err));
    session = model_session(model);
    source = (ExportSource){session->encode, session->decode, session->head, 14};
    CHECK_OK(export_part(&scratch.arena, &source, EXPORT_ENCODER, &graph, &names, &err));
    ck_assert_uint_eq(ops_count(graph, TENSOR_MATMUL_INTEGER), 0);
    ck_assert_uint_eq(ops_count(graph, TENSOR_QUANTIZE_LINEAR), 6 * layers);
    ck_assert_uint_eq(ops_count(graph, TENSOR_DEQUANTIZE_LINEAR), 12 * layers);
    scratch_done(&scratch);
}
END_TEST

typedef struct FourBitForm {
    const int8_t *codes;
    bool high_first, half; // scales fit f16
    OpCode op;             // of products; OP_COUNT: they are decoded
} FourBitForm;

// A table that is the head's weight too and one of a layer, of 4 bits in groups of 32, in graphs of no more than that.
static ExportSource four_bit_graphs(const FourBitForm *form) {
    static const char *const texts[] = {
        "graph encode(T)\n  const @table : q4/32[48,64]\n  const @w : q4/32[64,64]\n"
        "  %ids = input : i32[T]\n  %x = embed %ids, @table {scale=1} : f32[T,64]\n"
        "  %y = linear %x, @w : f32[T,64]\n  return %y\n",
        "graph decode(T, P)\n  const @table : q4/32[48,64]\n  const @w : q4/32[64,64]\n  %ids = input : i32[T]\n"
        "  %x = embed %ids, @table {scale=1} : f32[T,64]\n  %y = linear %x, @w : f32[T,64]\n  return %y\n",
        "graph head(P)\n  const @table : q4/32[48,64]\n  %states = input : f32[P,64]\n"
        "  %logits = linear %states, @table : f32[P,48]\n  return %logits\n"};
    uint8_t *pairs = arena_array(&scratch.arena, 65 * 32 + 64, 1, &err);
    float *scales = arena_array(&scratch.arena, 130, sizeof *scales, &err);
    for (size_t i = 0; i < 65 * 32 + 64; i++)
        pairs[i] = (uint8_t)(i * 37 + i / 7);
    for (size_t i = 0; i < 130; i++)
        scales[i] = (float)(1 + i % 5) / (form->half ? 64 : 65.3f) / (float)form->codes[15];
    for (size_t i = 0; i < 130 && form->half; i++)
        scales[i] = f16_to_f32(f32_to_f16(scales[i]));
    Graph *graphs[3];
    for (size_t g = 0; g < 3; g++) {
        CHECK_OK(graph_parse(&scratch.arena, "text", (Bytes){(const unsigned char *)texts[g], strlen(texts[g])},
                             &graphs[g], &err));
        for (size_t c = 0; c < graphs[g]->constant_count; c++) {
            Constant *constant = (Constant *)graphs[g]->constants[c];
            constant->data = pairs + 64 * c;
            constant->scales = scales + c;
            constant->codes = form->codes;
            constant->high_first = form->high_first;
        }
    }
    return (ExportSource){graphs[0], graphs[1], graphs[2], 14, false};
}

// Encoder and decoder, written, read and run.
static void four_bits_run(const FourBitForm *form, bool only_onnx, PartRun ret_runs[2]) {
    ExportSource source = four_bit_graphs(form);
    OnnxPart parts[2];
    source.only_onnx = only_onnx;
    for (ExportPart part = EXPORT_ENCODER; part <= EXPORT_DECODER; part++) {
        Graph *graph;
        const char **names;
        CHECK_OK(export_part(&scratch.arena, &source, part, &graph, &names, &err));
        CHECK_OK(op_verify(graph, &err));
        check_once(graph);
        parts[part] = (OnnxPart){scratch_path(&scratch, export_part_files[part]), graph, names, {0}};
        bool decoded = only_onnx || form->op == OP_COUNT;
        ck_assert_uint_eq(ops_count(graph, decoded ? TENSOR_MATMUL : form->op), decoded ? 1 : 1 + (size_t)part);
    }
    CHECK_OK(onnx_write_parts(parts, 2, NULL, &(OnnxWriteSettings){0}, &err));
    ck_assert_uint_eq(parts[0].written.external_bytes, (48 + 64) * 32); // scales lie within
    static int64_t ids[] = {3, 0, 23, 7}, mask[] = {1, 1, 1, 0};
    Tensor in[3] = {{.name = "ids", .dtype = DTYPE_I64, .shape = {2, {1, 4}}, .data = ids, .bytes = sizeof ids},
                    {.name = "mask", .dtype = DTYPE_I64, .shape = {2, {1, 4}}, .data = mask, .bytes = sizeof mask}};
    for (ExportPart part = EXPORT_ENCODER; part <= EXPORT_DECODER; part++) {
        OnnxModel read;
        PartRun *run = &ret_runs[part];
        CHECK_OK(onnx_read(&scratch.arena, parts[part].path, &read, &err));
        run->count = read.graph->return_count;
        CHECK_OK(evaluator_new(read.graph, &(EvaluatorSettings){.kernels = &kernels}, &run->evaluator, &err));
        CHECK_OK(evaluator_run(run->evaluator, in, &run->results, &err));
        Tensor swap = in[0]; // a decoder has its mask first
        in[0] = in[1];
        in[1] = swap;
        in[2] = run->results[0];
    }
}

// The operators of ONNX Runtime compute what the decoded weights do, and all parts read the same bytes.
static void check_four_bits(const FourBitForm *form, float tolerance) {
    PartRun runs[2][2];
    for (int plain = 0; plain < 2; plain++)
        four_bits_run(form, plain, runs[plain]);
    for (size_t part = 0; part < 2; part++) {
        const Tensor *a = runs[0][part].results, *b = runs[1][part].results;
        ck_assert_uint_eq(a->bytes, b->bytes);
        for (size_t i = 0; i < a->bytes / sizeof(float); i++)
            ck_assert_float_eq_tol(((const float *)a->data)[i], ((const float *)b->data)[i], tolerance);
    }
    for (size_t i = 0; i < 4; i++)
        evaluator_free(runs[i / 2][i % 2].evaluator);
}

START_TEST(test_four_bits) {
    scratch = scratch_make();
    kernels_pick(cpu_detect(), &kernels);
    check_four_bits(&(FourBitForm){int4_values, false, false, TENSOR_MS_MATMUL_NBITS}, 1e-5f);
    check_four_bits(&(FourBitForm){int4_values, false, true, TENSOR_MS_MATMUL_NBITS}, 1e-5f);
    check_four_bits(&(FourBitForm){nf4_values, true, false, TENSOR_MS_MATMUL_BNB4}, 2e-2f);
    check_four_bits(&(FourBitForm){nf4_values, false, false, OP_COUNT}, 1e-5f);
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("model/onnx_export", test_goldens, test_fused, test_int8_rows, test_integer_products, test_four_bits)
