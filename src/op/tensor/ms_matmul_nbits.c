// SPDX-License-Identifier: Apache-2.0
// MatMulNBits: A [.., K] times W', where W [N, K] lies in codes of 2, 4 or 8 bits, block_size to a scale:
// w = (code - zero point) * scale. Inputs: A, codes u8 [N, blocks, bytes], scales [N, blocks], zero points packed like
// the codes or of A's type or absent (2^(bits-1)), absent, bias or absent. {K, N, bits=4, block_size}
#include <string.h>

#include "base/memory.h"
#include "op/tensor/filled.h"
#include "op/tensor/wide.h"

enum { A, CODES, SCALES, ZEROS, ORDER, BIAS };

typedef struct Codes {
    const Kernels *kernels;
    size_t n, k, bits, block, blocks, block_bytes, zero_bytes; // of a row's packed zero points
    const unsigned char *codes;
    const float *scales;
    const unsigned char *packed_zeros; // or
    const float *zeros;                // or neither
} Codes;

static unsigned code_at(const unsigned char *packed, size_t bits, size_t index) {
    size_t bit = index * bits;
    return (unsigned)packed[bit / 8] >> bit % 8 & ((1u << bits) - 1);
}

static float zero_at(const Codes *c, size_t row, size_t block) {
    if (c->zeros)
        return c->zeros[row * c->blocks + block];
    return c->packed_zeros ? (float)code_at(c->packed_zeros + row * c->zero_bytes, c->bits, block)
                           : (float)(1u << (c->bits - 1));
}

// Codes of 4 bits whose zero point is a whole number: blocks that share it go through a kernel.
static void run_gather(const Codes *c, size_t row, size_t block, size_t blocks, float *to) {
    int8_t values[16];
    size_t first = block * c->block, last = (block + blocks) * c->block;
    for (int i = 0; i < 16; i++)
        values[i] = (int8_t)(i - (int)zero_at(c, row, block));
    c->kernels->gather_codes(c->codes + (row * c->blocks + block) * c->block_bytes, false,
                             c->scales + row * c->blocks + block, c->block, values, (last < c->k ? last : c->k) - first,
                             1, to + first);
}

static void block_read(const Codes *c, size_t row, size_t block, float *to) {
    const unsigned char *packed = c->codes + (row * c->blocks + block) * c->block_bytes;
    size_t first = block * c->block, count = c->k - first < c->block ? c->k - first : c->block;
    float zero = zero_at(c, row, block), scale = c->scales[row * c->blocks + block];
    for (size_t i = 0; i < count; i++)
        to[first + i] = ((float)code_at(packed, c->bits, i) - zero) * scale;
}

static void fill(const void *context, size_t first, size_t count, float *ret_rows) {
    const Codes *c = context;
    bool gathers = c->bits == 4 && c->block % 32 == 0 && !c->zeros;
    for (size_t r = 0; r < count; r++, ret_rows += c->k) {
        if (gathers && !c->packed_zeros)
            run_gather(c, first + r, 0, c->blocks, ret_rows);
        else
            for (size_t b = 0; b < c->blocks; b++)
                gathers ? run_gather(c, first + r, b, 1, ret_rows) : block_read(c, first + r, b, ret_rows);
    }
}

static Status sizes_read(const Evaluation *run, Codes *ret, Error *err) {
    const Node *node = run->node;
    int64_t n = node_int(node, "N", 0), k = node_int(node, "K", 0), bits = node_int(node, "bits", 4),
            block = node_int(node, "block_size", 0);
    bool fits = n > 0 && k > 0 && n < INT64_C(1) << 31 && k < INT64_C(1) << 31 && block >= 16 &&
                block < INT64_C(1) << 31 && (block & (block - 1)) == 0 && (bits == 2 || bits == 4 || bits == 8);
    if (!fits)
        return FAIL(err, ERR_UNSUPPORTED,
                    "%s: N %lld, K %lld, %lld bits, blocks of %lld; expected 2, 4 or 8 bits and a power of two from 16",
                    evaluate_name(run), (long long)n, (long long)k, (long long)bits, (long long)block);
    if (node_int(node, "weight_prepacked", 0) || evaluate_has(run, ORDER))
        return FAIL(err, ERR_UNSUPPORTED, "%s: weights in an order of their own (g_idx, weight_prepacked)",
                    evaluate_name(run));
    ret->n = (size_t)n;
    ret->k = (size_t)k;
    ret->bits = (size_t)bits;
    ret->block = (size_t)block;
    ret->blocks = (ret->k + ret->block - 1) / ret->block;
    ret->block_bytes = ret->block * ret->bits / 8;
    ret->zero_bytes = (ret->blocks * ret->bits + 7) / 8;
    return OK;
}

static Status count_check(const Evaluation *run, size_t index, size_t a, size_t b, size_t c, Error *err) {
    char text[SHAPE_TEXT_BYTES];
    const Shape *shape = &run->inputs[index].shape;
    size_t count;
    if (size_multiply(a, b, &count) && size_multiply(count, c, &count) && shape_count(shape) == count)
        return OK;
    return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, expected %zu x %zu x %zu elements", evaluate_name(run), index,
                shape_text(shape, text), a, b, c);
}

static Status codes_read(Evaluation *run, Codes *ret, Error *err) {
    *ret = (Codes){.kernels = run->kernels};
    TRY(sizes_read(run, ret, err));
    TRY(evaluate_type(run, CODES, DTYPE_BIT(DTYPE_U8), err));
    TRY(evaluate_same_type(run, A, SCALES, err));
    TRY(count_check(run, SCALES, ret->n, ret->blocks, 1, err));
    TRY(count_check(run, CODES, ret->n, ret->blocks, ret->block_bytes, err));
    ret->codes = run->inputs[CODES].data;
    TRY(wide_input(run, SCALES, &ret->scales, err));
    if (!evaluate_has(run, ZEROS))
        return OK;
    if (run->inputs[ZEROS].dtype == DTYPE_U8) {
        TRY(count_check(run, ZEROS, ret->n, ret->zero_bytes, 1, err));
        ret->packed_zeros = run->inputs[ZEROS].data;
        return OK;
    }
    TRY(evaluate_same_type(run, A, ZEROS, err));
    TRY(count_check(run, ZEROS, ret->n, ret->blocks, 1, err));
    return wide_input(run, ZEROS, &ret->zeros, err);
}

static Status evaluate(Evaluation *run, Error *err) {
    Codes codes;
    TRY(codes_read(run, &codes, err));
    FilledProduct product = {.fill = fill, .context = &codes, .n = codes.n, .k = codes.k};
    return filled_codes(run, A, BIAS, &product, err);
}

const OpDef op_tensor_ms_matmul_nbits = {.infer = filled_codes_infer, .evaluate = evaluate};
