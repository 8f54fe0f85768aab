// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include "base/utf8.h"
#include "check.h"

START_TEST(exit_codes_are_the_contract) {
    static const int codes[STATUS_COUNT] = {0, 1, 2, 3, 4, 4, 4, 4, 5, 6, 70, 130};
    for (Status s = OK; s < STATUS_COUNT; s++) {
        ck_assert_int_eq(status_exit_code(s), codes[s]);
        ck_assert(status_http(s) >= 200 && status_http(s) < 600 && *status_name(s));
    }
}
END_TEST

START_TEST(messages_are_clean_text) {
    Error err;
    ck_assert_int_eq(FAIL(&err, ERR_FORMAT, "a%sb", "\n\x7F\x1B[2J\xFF\xC0\x80\xE2\x82\xAC\xED\xA0\x80"), ERR_FORMAT);
    ck_assert_str_eq(err.message, "a???[2J???\xE2\x82\xAC???b");
    ck_assert_int_eq(err.status, ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.file, "test_status.c"));
    ck_assert_int_eq(error_context(&err, "file '%s'", "x"), ERR_FORMAT);
    ck_assert_str_eq(err.message, "file 'x': a???[2J???\xE2\x82\xAC???b");
}
END_TEST

START_TEST(a_long_message_is_cut_at_a_character) {
    static const char *const characters[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t c = 0; c < ARRAY_COUNT(characters); c++)
        for (size_t lead = 0; lead < 4; lead++) {
            char text[1200] = "";
            size_t used = lead, width = strlen(characters[c]);
            memset(text, 'x', lead);
            for (; used + width < sizeof text; used += width)
                memcpy(text + used, characters[c], width);
            Error err;
            IGNORE_STATUS(FAIL(&err, ERR_FORMAT, "%s", text)); // the text is what counts here
            size_t bytes = strlen(err.message);
            ck_assert_uint_eq(bytes, lead + (ERROR_MESSAGE_BYTES - 1 - lead) / width * width);
            ck_assert_mem_eq(err.message, text, bytes);
            ck_assert_int_eq(error_context(&err, "%s", "tensor"), ERR_FORMAT);
            ck_assert_uint_eq(utf8_valid_prefix(err.message, strlen(err.message)), strlen(err.message));
            ck_assert_ptr_null(strchr(err.message, '?'));
        }
}
END_TEST

TEST_MAIN("status", exit_codes_are_the_contract, messages_are_clean_text, a_long_message_is_cut_at_a_character)
