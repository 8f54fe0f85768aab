// SPDX-License-Identifier: Apache-2.0
// Bodies become calls: depth, JSON, the members by their rows, the options, and whether they fit together.
#include <math.h>
#include <string.h>

#include "serve/api_reading.h"

const json_t *reading_member(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

static Status mistyped(const ApiField *field, const json_t *value, const char *name, Error *err) {
    Buffer expected = {0};
    api_field_expected(field, &expected);
    Status status = expected.data ? json_mistyped(value, name, field->name, expected.data, err)
                                  : FAIL(err, ERR_MEMORY, "no memory to say what is wrong with '%s'", field->name);
    buffer_done(&expected);
    return status;
}

// Setters of what is no source: each takes a value that its row accepts.
static Status set_model(Reading *reading, const json_t *value, Error *err) {
    (void)err;
    reading->call->model = json_string_value(value);
    return OK;
}

static Status set_id(Reading *reading, const json_t *value, Error *err) {
    (void)err;
    reading->call->id = json_string_value(value);
    return OK;
}

static Status set_stop(Reading *reading, const json_t *value, Error *err) {
    ApiCall *call = reading->call;
    enum { MOST_BYTES = 1024 };
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    const char **stops = arena_array(reading->arena, count + 1, sizeof *stops, err);
    TRY_NEW(stops);
    for (size_t i = 0; i < count; i++) {
        const json_t *stop = json_is_array(value) ? json_array_get(value, i) : value;
        size_t bytes = json_string_length(stop);
        if (!bytes || bytes > MOST_BYTES)
            return FAIL(err, ERR_FORMAT, REQUEST ": '%s' has a text of %zu bytes, expected 1 to %d bytes",
                        reading->param, bytes, MOST_BYTES);
        stops[i] = json_string_value(stop);
    }
    call->stops = stops;
    call->stop_count = count;
    return OK;
}

static Status set_stream(Reading *reading, const json_t *value, Error *err) {
    (void)err;
    reading->call->stream = json_is_true(value);
    return OK;
}

static Status set_stream_options(Reading *reading, const json_t *value, Error *err) {
    return reading_object(reading, value, OBJECT_STREAM_OPTIONS, "'stream_options'", err);
}

static Status set_include_usage(Reading *reading, const json_t *value, Error *err) {
    (void)err;
    reading->call->include_usage = json_is_true(value);
    return OK;
}

static Status set_parameters(Reading *reading, const json_t *value, Error *err) {
    return reading_object(reading, value, OBJECT_PARAMETERS, "'parameters'", err);
}

static Status set_truncation(Reading *reading, const json_t *value, Error *err) {
    static const struct {
        const char *name;
        ApiTruncation truncation;
    } names[] = {{"error", API_TRUNCATE_ERROR},           {"end", API_TRUNCATE_END},
                 {"start", API_TRUNCATE_START},           {"chunk", API_TRUNCATE_CHUNK},
                 {"do_not_truncate", API_TRUNCATE_ERROR}, {"longest_first", API_TRUNCATE_END},
                 {"only_first", API_TRUNCATE_END}};
    (void)err;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, json_string_value(value)) == 0)
            reading->call->truncation = names[i].truncation;
    return OK;
}

static Status set_truncate(Reading *reading, const json_t *value, Error *err) {
    (void)err;
    reading->call->truncation = API_TRUNCATE_START;
    reading->call->most_source_tokens = (size_t)json_number_value(value);
    return OK;
}

static Status set_priority(Reading *reading, const json_t *value, Error *err) {
    (void)err;
    reading->call->priority = (int)json_number_value(value);
    return OK;
}

static Status set_timeout(Reading *reading, const json_t *value, Error *err) {
    (void)err;
    reading->call->timeout_said = true;
    reading->call->timeout_ms = (uint64_t)ceil(json_number_value(value) * 1e3);
    return OK;
}

static Status set_cache_salt(Reading *reading, const json_t *value, Error *err) {
    (void)err;
    reading->call->cache_salt = json_string_value(value);
    return OK;
}

static Status set_details(Reading *reading, const json_t *value, Error *err) {
    (void)err;
    reading->call->details = json_is_true(value);
    return OK;
}

static Status set_add_special(Reading *reading, const json_t *value, Error *err) {
    (void)err;
    reading->call->add_special = json_is_true(value);
    return OK;
}

static Status set_skip_special(Reading *reading, const json_t *value, Error *err) {
    (void)err;
    reading->call->skip_special = json_is_true(value);
    return OK;
}

static const struct {
    const char *name;
    Status (*set)(Reading *reading, const json_t *value, Error *err);
} setters[] = {
    {"model", set_model},
    {"id", set_id},
    {"stop", set_stop},
    {"stop_sequences", set_stop},
    {"stream", set_stream},
    {"stream_options", set_stream_options},
    {"include_usage", set_include_usage},
    {"parameters", set_parameters},
    {"generate_parameters", set_parameters},
    {"truncation", set_truncation},
    {"truncate", set_truncate},
    {"priority", set_priority},
    {"timeout", set_timeout},
    {"cache_salt", set_cache_salt},
    {"details", set_details},
    {"add_special_tokens", set_add_special},
    {"skip_special_tokens", set_skip_special},
};

static Status field_call(Reading *reading, const ApiField *field, const json_t *value, Error *err) {
    for (size_t i = 0; i < sizeof setters / sizeof *setters; i++)
        if (strcmp(setters[i].name, field->name) == 0)
            return setters[i].set(reading, value, err);
    return OK;
}

static Status option_put(Reading *reading, const char *option, json_t *value, Error *err) {
    if (!value || json_object_set_new(reading->options, option, value) != 0)
        return FAIL(err, ERR_MEMORY, "no memory for the options of a request");
    return OK;
}

static Status field_option(Reading *reading, const ApiField *field, json_t *value, Error *err) {
    const json_t *before = json_object_get(reading->options, field->option);
    if (before && !json_equal(before, value))
        return FAIL(err, ERR_FORMAT, REQUEST ": '%s' is given twice, under two names or in two places, as two values",
                    field->name);
    if (strcmp(field->option, "top_k") == 0 && json_number_value(value) < 0)
        return option_put(reading, field->option, json_integer(0), err);
    return option_put(reading, field->option, json_incref(value), err);
}

// Whether a value is among "0|\"auto\"".
static Status value_is_among(const json_t *value, const char *among, bool *ret, Error *err) {
    char text[64];
    size_t bytes = json_dumpb(value, text, sizeof text, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!bytes) // no value is
        return FAIL(err, ERR_MEMORY, "no memory to compare a value");
    *ret = false;
    for (const char *at = among; *at && !*ret;) {
        size_t length = strcspn(at, "|");
        bool number = json_is_number(value) && length && strspn(at, "0123456789.") == length;
        *ret = number ? strtod(at, NULL) == json_number_value(value) : length == bytes && memcmp(at, text, bytes) == 0;
        at += length + (at[length] != '\0');
    }
    return OK;
}

// Lists, objects and texts without anything in them say nothing.
static bool value_is_nothing(const json_t *value) {
    return (json_is_array(value) && !json_array_size(value)) || (json_is_object(value) && !json_object_size(value)) ||
           (json_is_string(value) && !json_string_length(value));
}

static Status field_refuse(const ApiField *field, const json_t *value, const char *name, Error *err) {
    bool fine = value_is_nothing(value) || (json_is_false(value) && field->types & TYPE_INTEGER);
    if (!fine)
        TRY(value_is_among(value, field->otherwise, &fine, err));
    if (fine)
        return OK;
    char first[64], expected[160];
    size_t length = strcspn(field->otherwise, "|");
    snprintf(first, sizeof first, "%.*s", (int)length, field->otherwise);
    bool more = field->otherwise[length];
    snprintf(expected, sizeof expected, "%s%s%s: nothing else is supported", first, more ? " or " : "",
             more ? field->otherwise + length + 1 : "");
    return json_mistyped(value, name, field->name, expected, err);
}

static Status field_read(Reading *reading, const ApiField *field, json_t *value, const char *name, Error *err) {
    reading->param = field->name;
    if (!api_field_accepts(field, value))
        return mistyped(field, value, name, err);
    if (field->use == USE_REFUSED)
        return field_refuse(field, value, name, err);
    if (field->use == USE_OPTION)
        return field_option(reading, field, value, err);
    return field->use == USE_CALL ? field_call(reading, field, value, err) : OK;
}

// Settings that Hugging Face has and hone has not are no fields here: they go to generation_read, which refuses them.
static Status foreign_settings(Reading *reading, const json_t *object, Error *err) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        if (!api_field_known(key) && json_object_set(reading->options, key, value) != 0)
            return FAIL(err, ERR_MEMORY, "no memory for the options of a request");
    }
    return OK;
}

Status reading_object(Reading *reading, const json_t *object, ApiObject which, const char *name, Error *err) {
    size_t count;
    const ApiField *fields = api_fields(&count);
    for (size_t i = 0; i < count; i++) {
        json_t *value = fields[i].objects >> which & 1 ? json_object_get(object, fields[i].name) : NULL;
        if (value && !json_is_null(value))
            TRY(field_read(reading, &fields[i], value, name, err));
    }
    reading->param = NULL;
    return api_field(which, "num_beams") ? foreign_settings(reading, object, err) : OK;
}

// Depth as the bytes show it, before anything is built from them.
static bool depth_is_fine(Bytes text) {
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = text.data[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{') && ++depth > API_MOST_DEPTH)
            return false;
        else if (!quoted && (c == ']' || c == '}') && depth)
            depth--;
    }
    return true;
}

static Status body_parse(Arena *arena, Bytes body, json_t **ret, Error *err) {
    json_t *value;
    if (!body.size)
        return FAIL(err, ERR_FORMAT, REQUEST " has no body, expected a JSON object");
    if (!depth_is_fine(body))
        return FAIL(err, ERR_FORMAT, REQUEST ": objects and lists are nested more than %d deep", API_MOST_DEPTH);
    TRY(json_parse(arena, REQUEST, body, false, &value, err));
    if (!json_is_object(value))
        return FAIL(err, ERR_FORMAT, REQUEST ": the body is %s, expected a JSON object",
                    json_is_array(value)    ? "a list"
                    : json_is_string(value) ? "a string"
                                            : "no object");
    *ret = value;
    return OK;
}

// The lengths that `length` stands for, where no number says otherwise.
static void apply_length(ApiCall *call, const json_t *options, const char *length) {
    static const struct {
        const char *name;
        int64_t least, most;
    } lengths[] = {{"short", 8, 48}, {"medium", 32, 128}, {"long", 96, 256}};
    bool said = json_object_get(options, "max_new_tokens") || json_object_get(options, "min_new_tokens") ||
                json_object_get(options, "max_length") || json_object_get(options, "min_length");
    for (size_t i = 0; length && !said && i < sizeof lengths / sizeof *lengths; i++) {
        if (strcmp(lengths[i].name, length) != 0)
            continue;
        call->options.min_new_tokens = lengths[i].least;
        call->options.max_new_tokens = lengths[i].most;
        call->soft_lengths = true;
    }
}

void api_fit(ApiCall *call, size_t positions) {
    GenerationOptions *options = &call->options;
    int64_t most = positions > 1 ? (int64_t)positions - 1 : 1; // beside the start token
    if (!call->soft_lengths)
        return;
    if (options->max_new_tokens > most)
        options->max_new_tokens = most;
    if (options->min_new_tokens > options->max_new_tokens)
        options->min_new_tokens = options->max_new_tokens;
}

// `temperature` as OpenAI's clients mean it: 0 is the best token each time, more is sampling; beams only where they are
// asked for.
static Status apply_temperature(Reading *reading, Error *err) {
    GenerationOptions *options = &reading->call->options;
    if (!json_object_get(reading->options, "temperature"))
        return OK;
    bool greedy = options->temperature == 0;
    reading->param = "temperature";
    if (!json_object_get(reading->options, "do_sample"))
        options->do_sample = !greedy;
    else if (greedy && options->do_sample)
        return FAIL(err, ERR_FORMAT,
                    REQUEST
                    ": 'temperature' is 0, which is the best token each time, and 'do_sample' is true: give one");
    if (!json_object_get(reading->options, "num_beams"))
        options->num_beams = 1;
    if (greedy)
        options->temperature = 1; // has no effect, and is a temperature
    return OK;
}

static Status check_count(Reading *reading, Error *err) {
    const GenerationOptions *options = &reading->call->options;
    int64_t n = options->num_return_sequences;
    reading->param = "n";
    if (n > 1 && options->num_beams > 1 && n > options->num_beams)
        return FAIL(err, ERR_FORMAT, REQUEST ": 'n' is %lld, expected at most the %lld beams ('num_beams') there are",
                    (long long)n, (long long)options->num_beams);
    if (n > 1 && options->num_beams == 1 && !options->do_sample)
        return FAIL(err, ERR_FORMAT,
                    REQUEST ": 'n' is %lld, expected 1: more answers need sampling ('temperature' above 0, or "
                            "'do_sample'), or at least as many beams ('num_beams')",
                    (long long)n);
    return OK;
}

static Status apply_options(Reading *reading, const json_t *body, Error *err) {
    ApiCall *call = reading->call;
    call->options.num_return_sequences = 1;
    Status status = generation_read(reading->arena, reading->options, REQUEST, &call->options, err);
    if (status == ERR_UNSUPPORTED)
        return err->status = ERR_FORMAT;
    TRY(status);
    call->seed_said = json_object_get(reading->options, "seed") != NULL;
    if (call->route->shape == API_SUMMARIZE)
        apply_length(call, reading->options, json_string_value(reading_member(body, "length")));
    TRY(apply_temperature(reading, err));
    TRY(check_count(reading, err));
    reading->param = NULL;
    return OK;
}

static void options_free(void *object) {
    json_decref(object);
}

static Status body_read(Reading *reading, Bytes text, Error *err) {
    json_t *body = NULL;
    ApiObject object = (ApiObject)reading->call->route->object;
    TRY(body_parse(reading->arena, text, &body, err));
    if (!(reading->options = json_object()))
        return FAIL(err, ERR_MEMORY, "no memory for the options of a request");
    TRY(arena_on_free(reading->arena, options_free, reading->options, err));
    TRY(reading_object(reading, body, object, REQUEST, err));
    TRY(reading_sources(reading, body, err));
    reading->param = NULL;
    if (object == OBJECT_TOKENIZE || object == OBJECT_DETOKENIZE)
        return OK;
    return apply_options(reading, body, err);
}

Status api_read(Arena *arena, const ApiRoute *route, Bytes body, const GenerationOptions *own, ApiCall *ret,
                const char **ret_param, Error *err) {
    ApiCall call = {.route = route, .options = *own, .stream = route->streams, .priority = 5, .add_special = true};
    Reading reading = {.arena = arena, .call = &call};
    if (route->shape != API_PLAIN) {
        Status status = body_read(&reading, body, err);
        if (ret_param)
            *ret_param = status == OK ? NULL : reading.param;
        TRY(status);
    }
    *ret = call;
    return OK;
}

int api_status(Status status) {
    bool clients = status == ERR_USAGE || status == ERR_LIMIT || status == ERR_UNSUPPORTED;
    return clients ? 400 : status_http(status);
}
