// SPDX-License-Identifier: Apache-2.0
// MatMulBnb4: A [.., K] times W', where W [N, K] lies in bitsandbytes' 4-bit codes, the first of two in the high half,
// in blocks over the flattened matrix: w = table[code] * absmax of its block. Inputs: A, codes u8 [(N K + 1) / 2],
// absmax [(N K + block_size - 1) / block_size]. {K, N, block_size, quant_type: 0 FP4, 1 NF4}
#include "base/memory.h"
#include "op/tensor/filled.h"
#include "op/tensor/wide.h"
#include "tensor/quantize4.h"

enum { A, CODES, ABSMAX, NO_BIAS };

static const float fp4_map[CODEBOOK] = {
    0,     0.0052083333f,  0.6666667f,  1,  0.3333333f,  0.5f,  0.16666667f,  0.25f,
    -0.0f, -0.0052083333f, -0.6666667f, -1, -0.3333333f, -0.5f, -0.16666667f, -0.25f};

typedef struct Codes {
    size_t n, k, block;
    const unsigned char *codes;
    const float *absmax, *map;
} Codes;

static void fill(const void *context, size_t first, size_t count, float *ret_rows) {
    const Codes *c = context;
    size_t start = first * c->k, elements = count * c->k;
    for (size_t i = 0; i < elements; i++) {
        size_t at = start + i;
        unsigned code = (unsigned)c->codes[at / 2] >> (at % 2 ? 0 : 4) & 15u;
        ret_rows[i] = c->map[code] * c->absmax[at / c->block];
    }
}

static Status sizes_read(const Evaluation *run, Codes *ret, Error *err) {
    const Node *node = run->node;
    int64_t n = node_int(node, "N", 0), k = node_int(node, "K", 0), block = node_int(node, "block_size", 0);
    int64_t type = node_int(node, "quant_type", -1);
    bool fits = n > 0 && k > 0 && n < INT64_C(1) << 31 && k < INT64_C(1) << 31 && block >= 16 &&
                block < INT64_C(1) << 31 && (block & (block - 1)) == 0 && (type == 0 || type == 1);
    if (!fits || node_int(node, "transB", 1) != 1)
        return FAIL(err, ERR_UNSUPPORTED,
                    "%s: N %lld, K %lld, quant_type %lld, blocks of %lld, transB %lld; expected quant_type 0 or 1, a "
                    "power of two from 16, and transB 1",
                    evaluate_name(run), (long long)n, (long long)k, (long long)type, (long long)block,
                    (long long)node_int(node, "transB", 1));
    *ret = (Codes){.n = (size_t)n, .k = (size_t)k, .block = (size_t)block, .map = type ? nf4_map : fp4_map};
    return OK;
}

static Status count_check(const Evaluation *run, size_t index, size_t count, Error *err) {
    char text[SHAPE_TEXT_BYTES];
    const Shape *shape = &run->inputs[index].shape;
    if (shape_count(shape) == count)
        return OK;
    return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, expected %zu elements", evaluate_name(run), index,
                shape_text(shape, text), count);
}

static Status codes_read(Evaluation *run, Codes *ret, Error *err) {
    TRY(sizes_read(run, ret, err));
    size_t elements = ret->n * ret->k; // below 2^62
    TRY(evaluate_type(run, CODES, DTYPE_BIT(DTYPE_U8), err));
    TRY(evaluate_same_type(run, A, ABSMAX, err));
    TRY(count_check(run, CODES, elements / 2 + elements % 2, err));
    TRY(count_check(run, ABSMAX, elements / ret->block + (elements % ret->block != 0), err));
    ret->codes = run->inputs[CODES].data;
    return wide_input(run, ABSMAX, &ret->absmax, err);
}

static Status evaluate(Evaluation *run, Error *err) {
    Codes codes;
    TRY(codes_read(run, &codes, err));
    FilledProduct product = {.fill = fill, .context = &codes, .n = codes.n, .k = codes.k};
    return filled_codes(run, A, NO_BIAS, &product, err);
}

const OpDef op_tensor_ms_matmul_bnb4 = {.infer = filled_codes_infer, .evaluate = evaluate};
