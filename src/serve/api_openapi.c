// SPDX-License-Identifier: Apache-2.0
// The rows as OpenAPI 3.1.
#include <math.h>
#include <string.h>

#include "serve/api_fields.h"

static void add_text(const char *text, Buffer *out) {
    buffer_add_json(out, text, strlen(text));
}

static void add_numbers(const ApiField *field, const char *low, const char *high, Buffer *out) {
    // JSON numbers of 64 bits at the ends of what int64_t holds would be rounded by most readers.
    if (fabs(field->low) < 1e15)
        buffer_format(out, ",\"%s\":%.9g", low, field->low);
    if (fabs(field->high) < 1e15)
        buffer_format(out, ",\"%s\":%.10g", high, field->high);
}

static void add_counts(const ApiField *field, Buffer *out) {
    if (!(field->types & (TYPE_INTEGER | TYPE_NUMBER)))
        add_numbers(field, "minItems", "maxItems", out);
}

static void add_string(const ApiField *field, Buffer *out) {
    buffer_add_text(out, "{\"type\":\"string\"");
    if (field->choices) {
        buffer_add_text(out, ",\"enum\":[");
        for (const char *at = field->choices; *at;) {
            size_t length = strcspn(at, "|");
            buffer_add_text(out, at == field->choices ? "" : ",");
            buffer_add_json(out, at, length);
            at += length + (at[length] != '\0');
        }
        buffer_add_char(out, ']');
    } else if (!(field->types & TYPE_LISTS) && field->low == 1)
        buffer_add_text(out, ",\"minLength\":1");
    buffer_add_char(out, '}');
}

static void add_inner(const ApiField *field, Buffer *out) {
    ApiObject inner = api_field_object(field);
    if (inner)
        buffer_format(out, "{\"$ref\":\"#/components/schemas/%s\"}", api_object_name(inner));
    else
        buffer_add_text(out, "{\"type\":\"object\"}");
}

// A list of ids beside lists of them is one source of any length.
static void add_list(const ApiField *field, unsigned type, Buffer *out) {
    static const char id[] = "{\"type\":\"integer\",\"minimum\":0,\"maximum\":2147483647}";
    buffer_add_text(out, "{\"type\":\"array\"");
    if (!(type == TYPE_IDS && field->types & TYPE_ID_LISTS))
        add_counts(field, out);
    if (type != TYPE_ANY_LIST)
        buffer_add_text(out, ",\"items\":");
    if (type == TYPE_STRINGS)
        buffer_add_text(out, "{\"type\":\"string\"}");
    else if (type == TYPE_IDS || type == TYPE_SIZES)
        buffer_add_text(out, id);
    else if (type == TYPE_ID_LISTS)
        buffer_format(out, "{\"type\":\"array\",\"minItems\":1,\"items\":%s}", id);
    else if (type == TYPE_OBJECTS)
        add_inner(field, out);
    buffer_add_char(out, '}');
}

static void add_type(const ApiField *field, unsigned type, Buffer *out) {
    if (type == TYPE_STRING)
        add_string(field, out);
    else if (type == TYPE_INTEGER || type == TYPE_NUMBER) {
        buffer_format(out, "{\"type\":\"%s\"", type == TYPE_INTEGER ? "integer" : "number");
        add_numbers(field, "minimum", "maximum", out);
        buffer_add_char(out, '}');
    } else if (type == TYPE_BOOLEAN)
        buffer_add_text(out, "{\"type\":\"boolean\"}");
    else if (type == TYPE_OBJECT)
        add_inner(field, out);
    else
        add_list(field, type, out);
}

static void add_allowed(const ApiField *field, Buffer *out) {
    buffer_add_text(out, "\"enum\":[");
    for (const char *at = field->otherwise; *at;) {
        size_t length = strcspn(at, "|");
        buffer_add(out, at, length);
        buffer_add_char(out, ',');
        at += length + (at[length] != '\0');
    }
    buffer_add_text(out, strcmp(field->otherwise, "null") == 0 ? "false]" : "null]");
}

static void add_description(const ApiField *field, Buffer *out) {
    Buffer text = {0};
    if (field->use == USE_IGNORED)
        buffer_add_text(&text, "Has no effect. ");
    if (field->use == USE_REFUSED)
        buffer_add_text(&text, "Not supported. ");
    buffer_add_text(&text, field->meaning);
    if ((field->use == USE_CALL || field->use == USE_OPTION) && *field->otherwise && !api_field_required(field))
        buffer_format(&text, " Without it: %s.", field->otherwise);
    buffer_add_text(out, ",\"description\":");
    if (text.failed != OK)
        out->failed = text.failed;
    else
        buffer_add_json(out, text.data, text.bytes);
    buffer_done(&text);
}

static void add_field(const ApiField *field, Buffer *out) {
    add_text(field->name, out);
    buffer_add_text(out, ":{");
    if (field->use == USE_REFUSED)
        add_allowed(field, out);
    else {
        bool first = true;
        buffer_add_text(out, "\"anyOf\":[");
        for (unsigned type = 1; type <= TYPE_ANY_LIST; type <<= 1) {
            if (!(field->types & type))
                continue;
            buffer_add_text(out, first ? "" : ",");
            first = false;
            add_type(field, type, out);
        }
        buffer_add_text(out, api_field_required(field) ? "]" : ",{\"type\":\"null\"}]");
    }
    add_description(field, out);
    buffer_add_char(out, '}');
}

// Whether a member can go by another name, so that no single one is required.
static bool has_other_name(ApiObject object, const ApiField *field) {
    size_t count, length = strlen(field->name);
    const ApiField *fields = api_fields(&count);
    for (size_t i = 0; i < count; i++) {
        const char *other = fields[i].otherwise;
        if (fields[i].objects >> object & 1 && other[0] == '`' && strncmp(other + 1, field->name, length) == 0 &&
            other[length + 1] == '`')
            return true;
    }
    return false;
}

static void add_schema(ApiObject object, Buffer *out) {
    size_t count;
    const ApiField *fields = api_fields(&count);
    bool first = true;
    add_text(api_object_name(object), out);
    buffer_add_text(out, ":{\"type\":\"object\",\"properties\":{");
    for (size_t i = 0; i < count; i++) {
        if (!(fields[i].objects >> object & 1))
            continue;
        buffer_add_text(out, first ? "" : ",");
        first = false;
        add_field(&fields[i], out);
    }
    buffer_add_text(out, "},\"required\":[");
    first = true;
    for (size_t i = 0; i < count; i++) {
        if (!(fields[i].objects >> object & 1) || !api_field_required(&fields[i]) || has_other_name(object, &fields[i]))
            continue;
        buffer_add_text(out, first ? "" : ",");
        first = false;
        add_text(fields[i].name, out);
    }
    buffer_add_text(out, "]}");
}

// The path without the star of a name that takes all that is left.
static void add_path(const char *path, Buffer *out) {
    buffer_add_char(out, '"');
    for (; *path; path++)
        if (*path != '*')
            buffer_add_char(out, *path);
    buffer_add_char(out, '"');
}

static void add_parameters(const ApiRoute *route, Buffer *out) {
    const char *open = strchr(route->path, '{');
    if (!open)
        return;
    buffer_add_text(out, ",\"parameters\":[{\"name\":");
    buffer_add_json(out, open + 1, strcspn(open + 1, "*}"));
    buffer_add_text(out, ",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}}]");
}

static const char *error_schema(const ApiRoute *route) {
    if (strncmp(route->path, "/v2", 3) == 0)
        return "KserveError";
    return route->shape == API_TGI || strcmp(route->handle, "info") == 0 ? "TextGenerationError" : "Error";
}

static void add_answer(const ApiRoute *route, Buffer *out) {
    static const char json[] = "\"application/json\":{\"schema\":{\"type\":[\"object\",\"array\"]}}";
    static const char events[] = "\"text/event-stream\":{\"schema\":{\"type\":\"string\"}}";
    buffer_add_text(out, "\"200\":{\"description\":\"The answer.\",\"content\":{");
    if (strcmp(route->handle, "metrics") == 0)
        buffer_add_text(out, "\"text/plain\":{\"schema\":{\"type\":\"string\"}}");
    else if (strcmp(route->handle, "dashboard") == 0)
        buffer_add_text(out, "\"text/html\":{\"schema\":{\"type\":\"string\"}}");
    else if (route->streams)
        buffer_add_text(out, events);
    else
        buffer_format(out, route->shape <= API_SUMMARIZE ? "%s,%s" : "%s", json, events);
    buffer_add_text(out, "}}");
}

static void add_operation(const ApiRoute *route, size_t number, Buffer *out) {
    buffer_add_text(out, route->method[0] == 'G' ? "\"get\":{" : "\"post\":{");
    buffer_format(out, "\"operationId\":\"%s_%zu\",\"summary\":", route->handle, number);
    add_text(route->summary, out);
    add_parameters(route, out);
    if (route->object) {
        buffer_format(out,
                      ",\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":{\"$ref\":"
                      "\"#/components/schemas/%s\"},\"example\":",
                      api_object_name((ApiObject)route->object));
        api_print_example(route, false, out);
        buffer_add_text(out, "}}}");
    }
    if (route->needs_key)
        buffer_add_text(out, ",\"security\":[{\"key\":[]},{}]");
    buffer_add_text(out, ",\"responses\":{");
    add_answer(route, out);
    buffer_format(out,
                  ",\"default\":{\"description\":\"What went wrong.\",\"content\":{\"application/json\":{\"schema\":"
                  "{\"$ref\":\"#/components/schemas/%s\"}}}}}}",
                  error_schema(route));
}

static void add_paths(Buffer *out) {
    size_t count;
    const ApiRoute *routes = api_routes(&count);
    buffer_add_text(out, "\"paths\":{");
    for (size_t i = 0; i < count; i++) { // no path has two methods
        buffer_add_text(out, i ? "," : "");
        add_path(routes[i].path, out);
        buffer_add_text(out, ":{");
        add_operation(&routes[i], i + 1, out);
        buffer_add_char(out, '}');
    }
    buffer_add_char(out, '}');
}

static const char error_schemas[] =
    ",\"Error\":{\"type\":\"object\",\"required\":[\"error\"],\"properties\":{\"error\":{\"type\":\"object\","
    "\"required\":[\"message\",\"type\",\"param\",\"code\"],\"properties\":{\"message\":{\"type\":\"string\"},"
    "\"type\":{\"type\":\"string\"},\"param\":{\"type\":[\"string\",\"null\"]},\"code\":{\"type\":\"integer\"}}}}}"
    ",\"KserveError\":{\"type\":\"object\",\"required\":[\"error\"],\"properties\":{\"error\":{\"type\":\"string\"}}}"
    ",\"TextGenerationError\":{\"type\":\"object\",\"required\":[\"error\",\"error_type\"],\"properties\":{"
    "\"error\":{\"type\":\"string\"},\"error_type\":{\"type\":\"string\"}}}";

void api_print_openapi(const char *version, Buffer *out) {
    buffer_add_text(out,
                    "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"hone\",\"summary\":\"Summaries and other text from "
                    "trained transformers.\",\"license\":{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"},"
                    "\"version\":");
    add_text(version, out);
    buffer_add_text(out, "},\"servers\":[{\"url\":\"/\"}],");
    add_paths(out);
    buffer_add_text(out, ",\"components\":{\"securitySchemes\":{\"key\":{\"type\":\"http\",\"scheme\":\"bearer\"}},"
                         "\"schemas\":{");
    for (ApiObject object = OBJECT_NONE + 1; object < OBJECT_COUNT; object++) {
        buffer_add_text(out, object == OBJECT_NONE + 1 ? "" : ",");
        add_schema(object, out);
    }
    buffer_add_text(out, error_schemas);
    buffer_add_text(out, "}}}\n");
}
