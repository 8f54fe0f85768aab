// SPDX-License-Identifier: Apache-2.0
// The rows as a page: docs/api.md.
#include <string.h>

#include "serve/api_fields.h"

static const char head[] =
    "# The API of `hone serve`\n"
    "\n"
    "This page is made from `src/serve/routes.def` and `src/serve/fields.def`, which also decide what is accepted;\n"
    "`GET /openapi.json` says the same to machines. `hone batch` takes the bodies of the three `/v1` routes that "
    "generate.\n"
    "\n"
    "## Routes\n"
    "\n"
    "| route | body | key | |\n"
    "|---|---|---|---|\n";

static const char rules[] =
    "\n"
    "A key (`Authorization: Bearer KEY`) is asked for only where the server has keys, on the routes that say so.\n"
    "\n"
    "## What holds for every body\n"
    "\n"
    "- JSON as RFC 8259 has it, no key twice, no text with U+0000, objects and lists nested at most 32 deep.\n"
    "- A member that is not listed is ignored. A listed one of a wrong type or outside its range is answered by 400 "
    "and a\n"
    "  sentence that names it, what it is, and what was expected. `null` means: not given.\n"
    "- Members of OpenAI's, vLLM's, Text Generation Inference's and Hugging Face's that would change the output and "
    "that\n"
    "  hone does not have are refused unless they ask for nothing, so that no answer is other than it was asked for.\n"
    "- What is not given is the model's own: `generation_config.json`, then `config.json`, then Hugging Face's "
    "defaults.\n"
    "- `temperature` 0 takes the best token each time, above 0 it samples; beams are used with it only where "
    "`num_beams`\n"
    "  is given too. Without `temperature`, `do_sample` alone decides.\n"
    "- At most 32 sources in a call, 8 answers to each, 8 beams, 4 stops of at most 1,024 bytes.\n"
    "\n"
    "## Answers\n"
    "\n"
    "Every answer but Hugging Face's list has `usage` (tokens) and `timings` (milliseconds; of several sources the\n"
    "longest). `finish_reason` is `stop` (the model's end, or one of `stop`), `length`, or `cancelled`; Text "
    "Generation\n"
    "Inference's words are `eos_token`, `stop_sequence` and `length`. Answers to several sources come one after "
    "another,\n"
    "`n` to each. A model without a tokenizer takes ids and gives `token_ids`.\n"
    "\n"
    "With `truncation` `chunk` a source longer than the model's positions is cut at the ends of turns and sentences, "
    "where\n"
    "there are any, into at most 64 parts; each is answered, the answers are joined by newlines, `chunks` tells how "
    "many.\n"
    "\n"
    "Streams are server-sent events. OpenAI's begin a chat choice with its role, end each with its `finish_reason`, "
    "tell\n"
    "`usage` last where `stream_options` asks for it, and end with `data: [DONE]`. `/v1/summarize` sends `delta`s the "
    "same\n"
    "way. The last event of `/generate_stream` has `generated_text` and `details`; that of KServe's `generate_stream` "
    "has\n"
    "`finish_reason`. An error in the middle of a stream is an event with the route's error in it.\n"
    "\n"
    "Errors: `{\"error\":{\"message\",\"type\",\"param\",\"code\"}}`, `code` being the HTTP status; KServe's "
    "`{\"error\":message}`;\n"
    "Text Generation Inference's `{\"error\":message,\"error_type\":type}`.\n"
    "\n"
    "A body of `/v1/summarize` that has `inputs`, and besides it only `parameters` and `options`, or `parameters` at "
    "all, is\n"
    "one of Hugging Face's, and its answer is `[{\"summary_text\":...}]`.\n";

static const char *object_title(ApiObject object) {
    static const char *const titles[OBJECT_COUNT] = {
        [OBJECT_PARAMETERS] =
            "Parameters: of `/v1/summarize` in Hugging Face's form, KServe and Text Generation Inference",
        [OBJECT_STREAM_OPTIONS] = "Stream options",
        [OBJECT_MESSAGE] = "Message: an item of `messages`",
        [OBJECT_PART] = "Part: an item of a message's `content`",
        [OBJECT_DIALOGUE] = "Dialogue: an `input`",
        [OBJECT_TURN] = "Turn: an item of a dialogue's `turns`",
        [OBJECT_TENSOR] = "Tensor: an item of `inputs`",
        [OBJECT_OUTPUT] = "Output: an item of `outputs`",
    };
    return titles[object];
}

static void add_routes(Buffer *out) {
    size_t count;
    const ApiRoute *routes = api_routes(&count);
    for (size_t i = 0; i < count; i++) {
        const char *name = api_object_name((ApiObject)routes[i].object);
        buffer_format(out, "| `%s ", routes[i].method);
        for (const char *c = routes[i].path; *c; c++)
            if (*c != '*')
                buffer_add_char(out, *c);
        buffer_format(out, "` | %s | %s | %s |\n", name, routes[i].needs_key ? "yes" : "", routes[i].summary);
    }
}

// A text inside a table's cell.
static void add_cell(const char *text, Buffer *out) {
    for (; *text; text++) {
        if (*text == '|')
            buffer_add_char(out, '\\');
        buffer_add_char(out, *text);
    }
}

static void add_field(const ApiField *field, Buffer *out) {
    Buffer expected = {0};
    api_field_expected(field, &expected);
    buffer_format(out, "| `%s` | ", field->name);
    add_cell(expected.data ? expected.data : "", out);
    buffer_add_text(out, " | ");
    add_cell(field->otherwise, out);
    buffer_add_text(out, " | ");
    add_cell(field->meaning, out);
    if (field->use == USE_OPTION && strcmp(field->option, field->name) != 0)
        buffer_format(out, " (`%s`)", field->option);
    buffer_add_text(out, " |\n");
    if (expected.failed != OK)
        out->failed = expected.failed;
    buffer_done(&expected);
}

static void add_names(ApiObject object, ApiUse use, const char *says, Buffer *out) {
    size_t count;
    const ApiField *fields = api_fields(&count);
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        if (!(fields[i].objects >> object & 1) || fields[i].use != use)
            continue;
        if (first)
            buffer_add_char(out, '\n');
        buffer_format(out, "%s `%s`", first ? says : ",", fields[i].name);
        first = false;
        if (use == USE_REFUSED) {
            buffer_add_text(out, " (");
            buffer_add_text(out, fields[i].otherwise);
            buffer_add_char(out, ')');
        }
    }
    if (!first)
        buffer_add_text(out, ".\n");
}

static void add_object(ApiObject object, Buffer *out) {
    size_t count;
    const ApiField *fields = api_fields(&count);
    const char *title = object_title(object);
    buffer_format(out, "\n## %s\n\n| member | value | without it | |\n|---|---|---|---|\n",
                  title ? title : api_object_name(object));
    for (size_t i = 0; i < count; i++)
        if (fields[i].objects >> object & 1 && (fields[i].use == USE_CALL || fields[i].use == USE_OPTION))
            add_field(&fields[i], out);
    add_names(object, USE_IGNORED, "Accepted, without effect:", out);
    add_names(object, USE_REFUSED, "Refused with any other value than the one in parentheses:", out);
}

void api_print_markdown(Buffer *out) {
    buffer_add_text(out, head);
    add_routes(out);
    buffer_add_text(out, rules);
    for (ApiObject object = OBJECT_NONE + 1; object < OBJECT_COUNT; object++)
        add_object(object, out);
}
