// SPDX-License-Identifier: Apache-2.0
// Everything that is made from the table of fields: the documentation, the description for machines, seeds, and
// hundreds of wrong bodies, each of which has to be refused by a sentence that names what is wrong.
#include <math.h>

#include "base/fault.h"
#include "serve/lines.h"

static Error err;

static Status read_body(const ApiRoute *route, const char *body, size_t bytes, const char **ret_param) {
    Arena arena;
    arena_init(&arena, 64 << 20);
    ApiCall call;
    GenerationOptions own = generation_defaults();
    Status status = api_read(&arena, route, (Bytes){(const unsigned char *)body, bytes}, &own, &call, ret_param, &err);
    arena_done(&arena);
    return status;
}

START_TEST(test_documentation) {
    Arena arena;
    arena_init(&arena, 0);
    Buffer text = {0};
    api_print_markdown(&text);
    CHECK_OK(buffer_status(&text, &err));
    golden_compare(&arena, serve_golden(&arena, "../../../docs/api.md"), &text);
    buffer_done(&text);
    arena_done(&arena);
}
END_TEST

static void check_references(const json_t *value, const json_t *schemas) {
    const char *key;
    json_t *member;
    static const char prefix[] = "#/components/schemas/";
    if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, member) {
            if (strcmp(key, "$ref") == 0) {
                ck_assert(strncmp(json_string_value(member), prefix, sizeof prefix - 1) == 0);
                ck_assert_msg(json_object_get(schemas, json_string_value(member) + sizeof prefix - 1), "%s is missing",
                              json_string_value(member));
            }
            check_references(member, schemas);
        }
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        check_references(json_array_get(value, i), schemas);
}

START_TEST(test_openapi) {
    Arena arena;
    arena_init(&arena, 0);
    Buffer text = {0};
    api_print_openapi("1.2.3", &text);
    CHECK_OK(buffer_status(&text, &err));
    json_t *document;
    CHECK_OK(
        json_parse(&arena, "openapi.json", (Bytes){(unsigned char *)text.data, text.bytes}, false, &document, &err));
    ck_assert_str_eq(json_string_value(json_object_get(document, "openapi")), "3.1.0");
    const json_t *paths = json_object_get(document, "paths");
    const json_t *schemas = json_object_get(json_object_get(document, "components"), "schemas");
    check_references(document, schemas);
    size_t count;
    api_routes(&count);
    ck_assert_uint_eq(json_object_size(paths), count); // no path twice: keys would collide
    buffer_done(&text);
    arena_done(&arena);
}
END_TEST

// Every body that the table makes is accepted by the reader, and lies among the seeds of the fuzzer.
START_TEST(test_examples) {
    size_t count;
    const ApiRoute *routes = api_routes(&count);
    Arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < count; i++) {
        for (int full = 0; full < 2 && routes[i].object; full++) {
            Buffer body = {0};
            api_print_example(&routes[i], full, &body);
            ck_assert_msg(read_body(&routes[i], body.data, body.bytes, NULL) == OK, "%s: %s: %s", routes[i].path,
                          body.data, err.message);
            Buffer seed = {0};
            buffer_format(&seed, "POST %s\n%s", routes[i].path, body.data);
            char *name =
                arena_format(&arena, &err, "../../../fuzz/corpus/api/route_%02zu_%s", i, full ? "full" : "least");
            golden_compare(&arena, serve_golden(&arena, name), &seed);
            buffer_done(&seed);
            buffer_done(&body);
        }
    }
    arena_done(&arena);
}
END_TEST

// Generates a wrong body and what the sentence has to say.
typedef struct Wrong {
    const ApiRoute *route;
    size_t tried;
} Wrong;

static void check_refused(Wrong *wrong, const char *body, size_t bytes, const char *says) {
    const char *param = NULL;
    Status status = read_body(wrong->route, body, bytes, &param);
    ck_assert_msg(status == ERR_FORMAT, "%s takes %.*s", wrong->route->path, (int)bytes, body);
    ck_assert_int_eq(api_status(status), 400);
    ck_assert_msg(strlen(err.message) > 20 && strstr(err.message, says), "%.*s: '%s' lacks '%s'", (int)bytes, body,
                  err.message, says);
    ck_assert_msg(err.message[strlen(err.message) - 1] != '.', "%s", err.message);
    wrong->tried++;
}

// The least body of the route's with one more member at its end, in `parameters` where `object` is that.
static void member_try(Wrong *wrong, ApiObject object, const char *name, const char *value) {
    Buffer body = {0};
    api_print_example(wrong->route, false, &body);
    ck_assert(body.bytes > 2);
    body.data[--body.bytes] = '\0';
    bool inner = (int)object != wrong->route->object;
    buffer_format(&body, inner ? ",\"parameters\":{\"%s\":%s}}" : ",\"%s\":%s}", name, value);
    check_refused(wrong, body.data, body.bytes, name);
    buffer_done(&body);
}

static void number_try(Wrong *wrong, ApiObject object, const ApiField *field) {
    char below[40], above[40];
    if (!(field->types & (TYPE_INTEGER | TYPE_NUMBER)) || fabs(field->low) > 1e15)
        return;
    snprintf(below, sizeof below, "%.17g", field->low - 1);
    snprintf(above, sizeof above, "%.17g", field->high + 1);
    member_try(wrong, object, field->name, below);
    member_try(wrong, object, field->name, above);
    member_try(wrong, object, field->name, "1e300");
    member_try(wrong, object, field->name, "-1e300");
    member_try(wrong, object, field->name, "123456789012345678901234567890");
    if (!(field->types & TYPE_NUMBER))
        member_try(wrong, object, field->name, "2.5");
}

static void field_try(Wrong *wrong, ApiObject object, const ApiField *field) {
    static const struct {
        unsigned types;
        const char *value;
    } values[] = {{TYPE_STRING, "\"\\u00fcberall\""}, {TYPE_INTEGER | TYPE_NUMBER, "3"}, {TYPE_BOOLEAN, "true"},
                  {TYPE_OBJECT, "{\"a\":1}"},         {TYPE_ANY_LIST, "[true]"},         {TYPE_ANY_LIST, "[[[]]]"}};
    if (api_field_required(field)) // there already: the key would be there twice
        return;
    for (size_t i = 0; i < ARRAY_COUNT(values); i++)
        if (!(field->types & values[i].types))
            member_try(wrong, object, field->name, values[i].value);
    if (field->choices)
        member_try(wrong, object, field->name, "\"none of them\"");
    number_try(wrong, object, field);
}

START_TEST(test_wrong_fields) {
    size_t route_count, field_count, tried = 0;
    const ApiRoute *routes = api_routes(&route_count);
    const ApiField *fields = api_fields(&field_count);
    for (size_t i = 0; i < route_count; i++) {
        if (!routes[i].object)
            continue;
        Wrong wrong = {&routes[i], 0};
        bool inner = api_field((ApiObject)routes[i].object, "parameters") != NULL;
        for (size_t j = 0; j < field_count; j++) {
            if (fields[j].objects >> routes[i].object & 1)
                field_try(&wrong, (ApiObject)routes[i].object, &fields[j]);
            else if (inner && fields[j].objects >> OBJECT_PARAMETERS & 1)
                field_try(&wrong, OBJECT_PARAMETERS, &fields[j]);
        }
        tried += wrong.tried;
    }
    ck_assert_uint_ge(tried, 200);
}
END_TEST

// A body cut short, and one with each byte replaced by one that JSON or UTF-8 does not have.
static void damage_try(Wrong *wrong) {
    Buffer body = {0};
    api_print_example(wrong->route, false, &body);
    for (size_t i = 0; i < body.bytes; i++)
        check_refused(wrong, body.data, i, "");
    for (size_t i = 0; i < body.bytes; i++) {
        char was = body.data[i];
        body.data[i] = '\xFF';
        check_refused(wrong, body.data, body.bytes, "");
        body.data[i] = '\0';
        check_refused(wrong, body.data, body.bytes, "");
        body.data[i] = was;
    }
    buffer_add_char(&body, '}');
    check_refused(wrong, body.data, body.bytes, "");
    buffer_done(&body);
}

static void shapes_try(Wrong *wrong) {
    static const char *const bodies[] = {"",
                                         " ",
                                         "null",
                                         "true",
                                         "3",
                                         "\"text\"",
                                         "[]",
                                         "[{}]",
                                         "{}",
                                         "{'a':1}",
                                         "{\"a\":01}",
                                         "{\"a\":+1}",
                                         "{\"a\":.5}",
                                         "{\"a\":NaN}",
                                         "{\"a\":Infinity}",
                                         "{\"a\":1e}",
                                         "{\"a\":1,}",
                                         "{\"a\" 1}",
                                         "{\"a\":1 \"b\":2}",
                                         "{a:1}",
                                         "{\"a\":\"\\x\"}",
                                         "{\"a\":\"\\ud800\"}",
                                         "{\"a\":\"\\u12\"}",
                                         "{\"a\":\"\n\"}",
                                         "{\"a\":1}{\"a\":1}",
                                         "{\"a\":1,\"a\":1}",
                                         "{\"a\\u0000\":1}",
                                         "{\"a\":\"\xC0\xAF\"}",
                                         "{\"a\":\"\xED\xA0\x80\"}",
                                         "{\"a\":\"\xF4\x90\x80\x80\"}",
                                         "\xEF\xBB\xBF{}",
                                         "// no\n{}",
                                         "{/**/}"};
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++)
        check_refused(wrong, bodies[i], strlen(bodies[i]), "");
    Buffer deep = {0};
    for (int i = 0; i < 100000; i++)
        buffer_add_text(&deep, i % 2 ? "[" : "{\"a\":");
    check_refused(wrong, deep.data, deep.bytes, "nested more than 32 deep");
    buffer_done(&deep);
}

START_TEST(test_damaged_bodies) {
    size_t count;
    const ApiRoute *routes = api_routes(&count);
    for (size_t i = 0; i < count; i++) {
        Wrong wrong = {&routes[i], 0};
        if (!routes[i].object)
            continue;
        damage_try(&wrong);
        shapes_try(&wrong);
        ck_assert_uint_gt(wrong.tried, 60);
    }
}
END_TEST

// Depth of exactly 32 passes, whatever stands in strings.
START_TEST(test_depth) {
    char model[8];
    bool known;
    const ApiRoute *route = api_route("POST", "/generate", model, sizeof model, &known);
    for (int depth = 31; depth <= 32; depth++) {
        Buffer body = {0};
        buffer_add_text(&body, "{\"inputs\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"{{{{\",\"x\":");
        for (int i = 0; i < depth; i++)
            buffer_add_char(&body, '[');
        for (int i = 0; i < depth; i++)
            buffer_add_char(&body, ']');
        buffer_add_char(&body, '}');
        ck_assert_int_eq(read_body(route, body.data, body.bytes, NULL), depth == 31 ? OK : ERR_FORMAT);
        buffer_done(&body);
    }
}
END_TEST

static Status read_and_answer(const ApiRoute *route, const Buffer *body, Buffer *out) {
    static const int32_t ids[] = {4};
    static const ApiSequence sequences[8] = {{"a \"b\"", 5, ids, 1, 0, API_STOP}};
    Arena arena;
    arena_init(&arena, 0);
    ApiCall call;
    GenerationOptions own = generation_defaults();
    Bytes text = {(unsigned char *)body->data, body->bytes};
    Status status = api_read(&arena, route, text, &own, &call, NULL, &err);
    ApiResult result = {.sequences = sequences, .sequence_count = 1};
    ApiMeta meta = {"id", "model", 1};
    if (status == OK) {
        api_answer(&call, &meta, &result, out);
        status = buffer_status(out, &err);
    } else
        api_error(route, api_status(status), err.message, NULL, out);
    arena_done(&arena);
    return status;
}

// Whichever allocation fails: memory is what is missing, and nothing is left behind.
START_TEST(test_no_memory) {
    size_t count;
    const ApiRoute *routes = api_routes(&count);
    for (size_t i = 0; i < count; i++) {
        for (int full = 0; full < 3 && routes[i].object; full++) {
            Buffer body = {0};
            api_print_example(&routes[i], full, &body);
            if (full == 2)
                body.data[body.bytes - 1] = ',', buffer_add_text(&body, "\"n\":\"wrong\",\"parameters\":3}");
            for (uint64_t nth = 1;; nth++) {
                Buffer out = {0};
                fault_arm(FAULT_ALLOCATION, nth);
                Status status = read_and_answer(&routes[i], &body, &out);
                bool struck = fault_seen(FAULT_ALLOCATION) >= nth;
                fault_arm(FAULT_ALLOCATION, 0);
                buffer_done(&out);
                if (!struck)
                    break;
                ck_assert_msg(status == ERR_MEMORY || status == ERR_FORMAT, "%s: allocation %llu: %s", routes[i].path,
                              (unsigned long long)nth, status_name(status));
                ck_assert(full == 2 || status == ERR_MEMORY);
            }
            buffer_done(&body);
        }
    }
}
END_TEST

TEST_MAIN("api_table", test_documentation, test_openapi, test_examples, test_wrong_fields, test_damaged_bodies,
          test_depth, test_no_memory)
