// SPDX-License-Identifier: Apache-2.0
// Bitmaps back to dense tensors, and what is no bitmap of anything.
#include "tensor/sparse.h"

#include "check.h"

static Error err;

static Tensor tensor(const char *name, DType dtype, int64_t count, const void *data) {
    Tensor made = {.name = name, .dtype = dtype, .shape = {1, {count}}, .data = data};
    made.bytes = (size_t)count * dtype_bytes(dtype);
    return made;
}

START_TEST(values_go_to_their_places) {
    static const uint8_t bits[] = {0x85, 0x01};
    static const uint16_t values[] = {7, 8, 9, 10};
    static const int64_t shape[] = {3, 3};
    static const uint16_t dense[] = {7, 0, 8, 0, 0, 0, 0, 9, 10};
    Arena arena;
    arena_init(&arena, 0);
    Tensor tensors[] = {tensor("a", DTYPE_U8, 2, bits), tensor("x.bitmap", DTYPE_U8, 2, bits),
                        tensor("x.shape", DTYPE_I64, 2, shape), tensor("x.values", DTYPE_F16, 4, values),
                        tensor("y.values", DTYPE_F16, 4, values)};
    Bundle bundle = {tensors, ARRAY_COUNT(tensors)};
    size_t count;
    CHECK_OK(sparse_expand(&arena, &bundle, &count, &err));
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(bundle.count, 3); // what stands beside no bitmap is as it was
    const Tensor *x = bundle_find(&bundle, "x");
    char text[SHAPE_TEXT_BYTES];
    ck_assert_str_eq(shape_text(&x->shape, text), "[3,3]");
    ck_assert_uint_eq(x->bytes, sizeof dense);
    ck_assert_mem_eq(x->data, dense, sizeof dense);
    CHECK_OK(sparse_expand(&arena, &bundle, &count, &err));
    ck_assert_uint_eq(count, 0);
    arena_done(&arena);
}
END_TEST

START_TEST(what_does_not_fit_is_refused) {
    static const uint8_t bits[] = {0x85, 0x01}, beyond[] = {0x85, 0x02};
    static const uint16_t values[] = {7, 8, 9, 10};
    static const int64_t shape[] = {3, 3}, huge[] = {INT64_MAX, INT64_MAX}, negative[] = {-3, -3}, other[] = {3, 30};
    static const int64_t many[SHAPE_MOST_DIMS + 1] = {1, 1, 1, 1, 1, 1, 1, 1, 9};
    const struct {
        Tensor tensors[3];
        size_t count;
        const char *message;
    } cases[] = {
        {{tensor("x.bitmap", DTYPE_U8, 2, bits), tensor("x.shape", DTYPE_I64, 2, shape)}, 2, "has no 'x.values'"},
        {{tensor("x.bitmap", DTYPE_U8, 2, bits), tensor("x.values", DTYPE_F16, 4, values)}, 2, "has no 'x.shape'"},
        {{tensor("x.bitmap", DTYPE_U8, 2, bits), tensor("x.shape", DTYPE_I64, 2, huge),
          tensor("x.values", DTYPE_F16, 4, values)},
         3,
         "dimensions that no tensor has"},
        {{tensor("x.bitmap", DTYPE_U8, 2, bits), tensor("x.shape", DTYPE_I64, 2, negative),
          tensor("x.values", DTYPE_F16, 4, values)},
         3,
         "dimensions that no tensor has"},
        {{tensor("x.bitmap", DTYPE_U8, 2, bits), tensor("x.shape", DTYPE_I64, 9, many),
          tensor("x.values", DTYPE_F16, 4, values)},
         3,
         "no list of 1 to 8 dimensions"},
        {{tensor("x.bitmap", DTYPE_U8, 2, bits), tensor("x.shape", DTYPE_F16, 4, values),
          tensor("x.values", DTYPE_F16, 4, values)},
         3,
         "no list of 1 to 8 dimensions"},
        {{tensor("x.bitmap", DTYPE_U8, 2, bits), tensor("x.shape", DTYPE_I64, 2, other),
          tensor("x.values", DTYPE_F16, 4, values)},
         3,
         "has 2 bytes of U8, expected a bit for each of 90 elements as U8"},
        {{tensor("x.bitmap", DTYPE_U8, 2, bits), tensor("x.shape", DTYPE_I64, 2, shape),
          tensor("x.values", DTYPE_F16, 3, values)},
         3,
         "tensor 'x.values' has 3 values, and its bitmap asks for 4"},
        {{tensor("x.bitmap", DTYPE_U8, 2, beyond), tensor("x.shape", DTYPE_I64, 2, shape),
          tensor("x.values", DTYPE_F16, 4, values)},
         3,
         "asks for values behind its 9 elements"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        Arena arena;
        arena_init(&arena, 0);
        Tensor tensors[3];
        memcpy(tensors, cases[i].tensors, sizeof tensors);
        Bundle bundle = {tensors, cases[i].count};
        size_t count;
        CHECK_FAILS(sparse_expand(&arena, &bundle, &count, &err), ERR_FORMAT, cases[i].message);
        arena_done(&arena);
    }
}
END_TEST

TEST_MAIN("tensor/sparse", values_go_to_their_places, what_does_not_fit_is_refused)
