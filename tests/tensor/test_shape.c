// SPDX-License-Identifier: Apache-2.0
#include "check.h"
#include "tensor/tensor.h"

START_TEST(sizes) {
    static const struct {
        Shape shape;
        bool fits;
        size_t elements;
        const char *text;
    } cases[] = {
        {{0, {0}}, true, 1, "[]"},
        {{1, {0}}, true, 0, "[0]"},
        {{3, {2, 3, 4}}, true, 24, "[2,3,4]"},
        {{2, {INT64_MAX, 2}}, true, (size_t)INT64_MAX * 2, "[9223372036854775807,2]"},
        {{2, {INT64_MAX, 3}}, false, 0, "[9223372036854775807,3]"},
        {{3, {INT64_MAX, INT64_MAX, 0}}, true, 0, "[9223372036854775807,9223372036854775807,0]"},
        {{2, {0, -1}}, false, 0, "[0,-1]"},
        {{1, {-1}}, false, 0, "[-1]"},
        {{8, {1, 1, 1, 1, 1, 1, 1, 5}}, true, 5, "[1,1,1,1,1,1,1,5]"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        size_t elements = 77;
        char text[SHAPE_TEXT_BYTES];
        ck_assert(shape_elements(&cases[i].shape, &elements) == cases[i].fits);
        ck_assert_uint_eq(elements, cases[i].fits ? cases[i].elements : 77);
        ck_assert_str_eq(shape_text(&cases[i].shape, text), cases[i].text);
        for (size_t j = 0; j < ARRAY_COUNT(cases); j++)
            ck_assert(shape_equal(&cases[i].shape, &cases[j].shape) == (i == j));
    }
}
END_TEST

START_TEST(bytes_overflow_too) {
    size_t bytes = 77;
    Shape shape = {1, {INT64_MAX}};
    ck_assert(shape_bytes(&shape, DTYPE_U8, &bytes) && bytes == (size_t)INT64_MAX);
    ck_assert(shape_bytes(&shape, DTYPE_F16, &bytes) && bytes == (size_t)INT64_MAX * 2);
    bytes = 77;
    ck_assert(!shape_bytes(&shape, DTYPE_F32, &bytes) && bytes == 77);
}
END_TEST

START_TEST(the_longest_text_fits) {
    Shape shape = {SHAPE_MOST_DIMS, {0}};
    for (size_t i = 0; i < SHAPE_MOST_DIMS; i++)
        shape.dims[i] = INT64_MIN;
    char text[SHAPE_TEXT_BYTES];
    ck_assert_uint_eq(strlen(shape_text(&shape, text)), 2 + 8 * 20 + 7);
}
END_TEST

START_TEST(bundles_are_sorted_and_without_twins) {
    Error err;
    Tensor tensors[] = {{.name = "b"}, {.name = "a.10"}, {.name = "a.9"}, {.name = "B"}, {.name = ""}};
    Bundle bundle = {tensors, ARRAY_COUNT(tensors)};
    CHECK_OK(bundle_seal(&bundle, &err));
    static const char *const sorted[] = {"", "B", "a.10", "a.9", "b"};
    for (size_t i = 0; i < bundle.count; i++) {
        ck_assert_str_eq(tensors[i].name, sorted[i]);
        ck_assert_ptr_eq(bundle_find(&bundle, sorted[i]), &tensors[i]);
    }
    ck_assert_ptr_null(bundle_find(&bundle, "a.1"));
    ck_assert_ptr_null(bundle_find(&(Bundle){0}, "a"));
    tensors[0].name = "a.9";
    CHECK_FAILS(bundle_seal(&bundle, &err), ERR_FORMAT, "tensor 'a.9' is there twice");
}
END_TEST

TEST_MAIN("shape", sizes, bytes_overflow_too, the_longest_text_fits, bundles_are_sorted_and_without_twins)
