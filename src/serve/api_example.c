// SPDX-License-Identifier: Apache-2.0
// Bodies made from the rows: what the documentation shows, and what fuzzers start from.
#include <string.h>

#include "serve/api_fields.h"

static void print_object(ApiObject object, bool full, Buffer *out);

// Members whose rows do not say what a sensible value is.
static const struct {
    ApiObject object;
    const char *name, *value;
} chosen[] = {
    {OBJECT_MESSAGE, "role", "\"user\""},         {OBJECT_MESSAGE, "name", "\"Anna\""},
    {OBJECT_MESSAGE, "content", "\"A text.\""},   {OBJECT_SUMMARIZE, "input", "\"A text.\""},
    {OBJECT_COMPLETION, "prompt", "\"A text.\""}, {OBJECT_TENSOR, "shape", "[1]"},
    {OBJECT_TENSOR, "data", "[\"A text.\"]"},     {OBJECT_DETOKENIZE, "tokens", "[0,4,2]"},
};

static const char *chosen_value(ApiObject object, const char *name) {
    for (size_t i = 0; i < sizeof chosen / sizeof *chosen; i++)
        if (chosen[i].object == object && strcmp(chosen[i].name, name) == 0)
            return chosen[i].value;
    return NULL;
}

static void print_string(const ApiField *field, Buffer *out) {
    const char *choices = field->choices                             ? field->choices
                          : field->use == USE_CALL && field->low > 0 ? "name"
                                                                     : "A text.";
    buffer_add_json(out, choices, strcspn(choices, "|"));
}

static void print_number(const ApiField *field, Buffer *out) {
    if (field->types & TYPE_NUMBER)
        buffer_add_text(out, "0.5");
    else
        buffer_format(out, "%.0f", field->high < 4 ? field->high : field->low > 4 ? field->low : 4);
}

static void print_value(const ApiField *field, bool full, Buffer *out) {
    ApiObject inner = api_field_object(field);
    if (field->use == USE_REFUSED)
        buffer_add(out, field->otherwise, strcspn(field->otherwise, "|"));
    else if (field->types & TYPE_STRING)
        print_string(field, out);
    else if (field->types & (TYPE_INTEGER | TYPE_NUMBER))
        print_number(field, out);
    else if (field->types & TYPE_BOOLEAN)
        buffer_add_text(out, "true");
    else if (field->types & TYPE_OBJECT && inner)
        print_object(inner, full, out);
    else if (field->types & TYPE_OBJECT)
        buffer_add_text(out, "{}");
    else if (field->types & TYPE_OBJECTS && inner) {
        buffer_add_char(out, '[');
        print_object(inner, full, out);
        buffer_add_char(out, ']');
    } else
        buffer_add_text(out, field->types & TYPE_ID_LISTS ? "[[4,5]]" : "[]");
}

static void print_object(ApiObject object, bool full, Buffer *out) {
    size_t count;
    const ApiField *fields = api_fields(&count);
    bool first = true;
    buffer_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        const ApiField *field = &fields[i];
        bool other_name = field->otherwise[0] == '`';
        // Parameters in parameters would go on for ever.
        bool itself = api_field_object(field) == object;
        if (!(field->objects >> object & 1) || other_name || itself || !(full || api_field_required(field)))
            continue;
        buffer_format(out, first ? "\"%s\":" : ",\"%s\":", field->name);
        first = false;
        const char *value = chosen_value(object, field->name);
        if (value)
            buffer_add_text(out, value);
        else
            print_value(field, full, out);
    }
    buffer_add_char(out, '}');
}

void api_print_example(const ApiRoute *route, bool full, Buffer *out) {
    print_object((ApiObject)route->object, full, out);
}
