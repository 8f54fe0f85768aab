// SPDX-License-Identifier: Apache-2.0
// The sources of a body: texts, ids, dialogues and tensors become prompts.
#include <string.h>

#include "base/memory.h"
#include "measure/data.h"
#include "serve/api_reading.h"

static Status missing(Reading *reading, const char *member, Error *err) {
    reading->param = member;
    return FAIL(err, ERR_FORMAT, REQUEST " has no '%s', which is required", member);
}

static Status prompts_new(Reading *reading, size_t count, Error *err) {
    TRY_NEW(reading->call->prompts = arena_array(reading->arena, count + 1, sizeof(ApiPrompt), err));
    reading->call->prompt_count = count;
    return OK;
}

static ApiPrompt prompt_of_text(const json_t *text) {
    return (ApiPrompt){.text = json_string_value(text), .bytes = json_string_length(text)};
}

static Status prompt_of_ids(Reading *reading, const json_t *ids, const char *member, ApiPrompt *ret, Error *err) {
    if (!json_array_size(ids))
        return FAIL(err, ERR_FORMAT, REQUEST ": '%s' has a source without tokens", member);
    *ret = (ApiPrompt){0};
    return data_ids_parse(reading->arena, ids, REQUEST, member, &ret->ids, &ret->count, err);
}

// One text.
static Status read_text(Reading *reading, const json_t *value, Error *err) {
    TRY(prompts_new(reading, 1, err));
    reading->call->prompts[0] = prompt_of_text(value);
    return OK;
}

// What was built in a buffer, as a prompt in the arena. Ends the buffer.
static Status prompt_of_buffer(Reading *reading, Buffer *text, ApiPrompt *ret, Error *err) {
    Status status = buffer_status(text, err);
    char *copy = status == OK ? arena_copy_text(reading->arena, text->data ? text->data : "", text->bytes, err) : NULL;
    *ret = (ApiPrompt){.text = copy, .bytes = text->bytes};
    buffer_done(text);
    TRY(status);
    TRY_NEW(copy);
    return OK;
}

void api_join_turn(const char *speaker, const char *text, size_t bytes, Buffer *out) {
    if (out->bytes)
        buffer_add_char(out, '\n');
    if (*speaker) {
        buffer_add_text(out, speaker);
        buffer_add_text(out, ": ");
    }
    buffer_add(out, text, bytes);
}

static Status read_prompt(Reading *reading, const json_t *body, Error *err) {
    const json_t *prompt = reading_member(body, "prompt");
    if (!prompt)
        return missing(reading, "prompt", err);
    reading->param = "prompt";
    if (json_is_string(prompt))
        return read_text(reading, prompt, err);
    const json_t *first = json_array_get(prompt, 0);
    TRY(prompts_new(reading, json_is_integer(first) ? 1 : json_array_size(prompt), err));
    if (json_is_integer(first))
        return prompt_of_ids(reading, prompt, "prompt", &reading->call->prompts[0], err);
    for (size_t i = 0; i < reading->call->prompt_count; i++) {
        const json_t *item = json_array_get(prompt, i);
        if (json_is_string(item))
            reading->call->prompts[i] = prompt_of_text(item);
        else
            TRY(prompt_of_ids(reading, item, "prompt", &reading->call->prompts[i], err));
    }
    return OK;
}

// A member that has to be in `object`, the index-th item of the list `list`.
static Status item_member(Reading *reading, const json_t *object, const char *list, size_t index, const char *member,
                          const json_t **ret, Error *err) {
    *ret = reading_member(object, member);
    if (*ret)
        return OK;
    reading->param = list;
    return FAIL(err, ERR_FORMAT, REQUEST ": '%s[%zu]' has no '%s', which is required", list, index, member);
}

static Status item_check(Reading *reading, const json_t *object, ApiObject which, const char *list, size_t index,
                         Error *err) {
    char name[64];
    snprintf(name, sizeof name, "'%s[%zu]'", list, index);
    Status status = reading_object(reading, object, which, name, err);
    reading->param = list;
    return status;
}

// Appends the text of a message's content, parts joined by newlines.
static Status content_add(Reading *reading, const json_t *content, Buffer *out, Error *err) {
    if (json_is_string(content)) {
        buffer_add(out, json_string_value(content), json_string_length(content));
        return OK;
    }
    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *part = json_array_get(content, i), *type, *text;
        TRY(item_check(reading, part, OBJECT_PART, "content", i, err));
        TRY(item_member(reading, part, "content", i, "type", &type, err));
        TRY(item_member(reading, part, "content", i, "text", &text, err));
        if (i)
            buffer_add_char(out, '\n');
        buffer_add(out, json_string_value(text), json_string_length(text));
    }
    return OK;
}

// A message's speaker: its name, or its role with a capital.
static void speaker_of(const json_t *message, char *ret, size_t bytes) {
    const json_t *name = reading_member(message, "name");
    snprintf(ret, bytes, "%s", json_string_value(name ? name : reading_member(message, "role")));
    if (!name && *ret >= 'a' && *ret <= 'z')
        *ret = (char)(*ret - 32);
}

static Status message_add(Reading *reading, const json_t *message, size_t index, bool alone, Buffer *work, Buffer *out,
                          Error *err) {
    const json_t *role, *content;
    TRY(item_check(reading, message, OBJECT_MESSAGE, "messages", index, err));
    TRY(item_member(reading, message, "messages", index, "role", &role, err));
    TRY(item_member(reading, message, "messages", index, "content", &content, err));
    if (alone && strcmp(json_string_value(role), "user") == 0)
        return content_add(reading, content, out, err);
    char speaker[300];
    speaker_of(message, speaker, sizeof speaker);
    buffer_clear(work);
    TRY(content_add(reading, content, work, err));
    TRY(buffer_status(work, err));
    api_join_turn(speaker, work->data ? work->data : "", work->bytes, out);
    return OK;
}

static Status read_messages(Reading *reading, const json_t *body, Error *err) {
    const json_t *messages = reading_member(body, "messages");
    if (!messages)
        return missing(reading, "messages", err);
    TRY(prompts_new(reading, 1, err));
    Buffer text = {0}, work = {0};
    Status status = OK;
    size_t count = json_array_size(messages);
    for (size_t i = 0; i < count && status == OK; i++)
        status = message_add(reading, json_array_get(messages, i), i, count == 1, &work, &text, err);
    buffer_done(&work);
    if (status == OK)
        return prompt_of_buffer(reading, &text, &reading->call->prompts[0], err);
    buffer_done(&text);
    return status;
}

static Status turns_add(Reading *reading, const json_t *turns, Buffer *out, Error *err) {
    for (size_t i = 0; i < json_array_size(turns); i++) {
        const json_t *turn = json_array_get(turns, i), *text;
        TRY(item_check(reading, turn, OBJECT_TURN, "turns", i, err));
        TRY(item_member(reading, turn, "turns", i, "text", &text, err));
        const char *speaker = json_string_value(reading_member(turn, "speaker"));
        api_join_turn(speaker ? speaker : "", json_string_value(text), json_string_length(text), out);
    }
    return OK;
}

static Status prompt_of_dialogue(Reading *reading, const json_t *dialogue, ApiPrompt *ret, Error *err) {
    TRY(reading_object(reading, dialogue, OBJECT_DIALOGUE, "the dialogue", err));
    const json_t *turns = reading_member(dialogue, "turns");
    if (!turns)
        return missing(reading, "turns", err);
    Buffer text = {0};
    Status status = turns_add(reading, turns, &text, err);
    if (status == OK)
        return prompt_of_buffer(reading, &text, ret, err);
    buffer_done(&text);
    return status;
}

static Status read_input_item(Reading *reading, const json_t *item, ApiPrompt *ret, Error *err) {
    if (json_is_object(item))
        return prompt_of_dialogue(reading, item, ret, err);
    *ret = prompt_of_text(item);
    return OK;
}

// Hugging Face's clients send `inputs`, alone or with `parameters`; who writes any of our fields gets our answer.
static bool is_hugging_face(const json_t *body) {
    const char *key;
    json_t *value;
    if (!reading_member(body, "inputs"))
        return false;
    if (reading_member(body, "parameters"))
        return true;
    json_object_foreach((json_t *)body, key, value) {
        bool theirs = strcmp(key, "inputs") == 0 || strcmp(key, "options") == 0;
        if (!theirs && api_field(OBJECT_SUMMARIZE, key))
            return false;
    }
    return true;
}

// The one of several names under which a member is given; NULL: under none. More than one is a mistake.
static Status one_of(Reading *reading, const json_t *body, const char *const *names, size_t count, const json_t **ret,
                     Error *err) {
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!reading_member(body, names[i]))
            continue;
        reading->param = names[i];
        if (found)
            return FAIL(err, ERR_FORMAT, REQUEST " has both '%s' and '%s', which mean the same: give one", found,
                        names[i]);
        found = names[i];
    }
    if (!found)
        return missing(reading, names[0], err);
    *ret = reading_member(body, found);
    return OK;
}

static Status read_input(Reading *reading, const json_t *body, Error *err) {
    static const char *const names[] = {"input", "text", "inputs"};
    const json_t *input = NULL;
    TRY(one_of(reading, body, names, 3, &input, err));
    reading->call->hugging_face = is_hugging_face(body);
    bool list = json_is_array(input);
    TRY(prompts_new(reading, list ? json_array_size(input) : 1, err));
    for (size_t i = 0; i < reading->call->prompt_count; i++)
        TRY(read_input_item(reading, list ? json_array_get(input, i) : input, &reading->call->prompts[i], err));
    return OK;
}

// KServe's tensors: one flat list of values each.
typedef struct Tensor {
    const char *name;
    bool of_text;
    size_t rows, columns;
    const json_t **values; // [rows * columns]
} Tensor;

static size_t values_count(const json_t *data) {
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(data); i++) {
        const json_t *item = json_array_get(data, i);
        count += json_is_array(item) ? values_count(item) : 1;
    }
    return count;
}

static size_t values_gather(const json_t *data, const json_t **ret, size_t at) {
    for (size_t i = 0; i < json_array_size(data); i++) {
        const json_t *item = json_array_get(data, i);
        if (json_is_array(item))
            at = values_gather(item, ret, at);
        else
            ret[at++] = item;
    }
    return at;
}

static Status tensor_fill(Reading *reading, const json_t *data, Tensor *tensor, Error *err) {
    size_t wanted, count = values_count(data);
    if (!size_multiply(tensor->rows, tensor->columns, &wanted) || wanted != count)
        return FAIL(err, ERR_FORMAT, REQUEST ": the shape of tensor '%s' is [%zu, %zu], but its data has %zu values",
                    tensor->name, tensor->rows, tensor->columns, count);
    if (!count)
        return FAIL(err, ERR_FORMAT, REQUEST ": tensor '%s' is empty", tensor->name);
    TRY_NEW(tensor->values = arena_array(reading->arena, count, sizeof *tensor->values, err));
    values_gather(data, tensor->values, 0);
    for (size_t i = 0; i < count; i++) {
        bool fine = tensor->of_text ? json_is_string(tensor->values[i]) : json_is_integer(tensor->values[i]);
        if (!fine)
            return json_mistyped(tensor->values[i], REQUEST, "data", tensor->of_text ? "a string" : "an integer", err);
    }
    return OK;
}

static Status tensor_read(Reading *reading, const json_t *object, size_t index, Tensor *ret, Error *err) {
    const json_t *name, *datatype, *shape, *data;
    TRY(item_check(reading, object, OBJECT_TENSOR, "inputs", index, err));
    TRY(item_member(reading, object, "inputs", index, "name", &name, err));
    TRY(item_member(reading, object, "inputs", index, "datatype", &datatype, err));
    TRY(item_member(reading, object, "inputs", index, "shape", &shape, err));
    TRY(item_member(reading, object, "inputs", index, "data", &data, err));
    Tensor tensor = {.name = json_string_value(name), .of_text = strcmp(json_string_value(name), "text") == 0};
    if (tensor.of_text != (strcmp(json_string_value(datatype), "BYTES") == 0))
        return FAIL(err, ERR_FORMAT, REQUEST ": the datatype of tensor '%s' is %s, expected %s", tensor.name,
                    json_string_value(datatype), tensor.of_text ? "BYTES" : "INT64 or INT32");
    size_t first = (size_t)json_integer_value(json_array_get(shape, 0));
    size_t second = (size_t)json_integer_value(json_array_get(shape, 1));
    bool flat = json_array_size(shape) == 1;
    tensor.rows = flat && !tensor.of_text ? 1 : first;
    tensor.columns = flat ? (tensor.of_text ? 1 : first) : second;
    if (tensor.of_text && tensor.rows == 1 && tensor.columns > 1) { // [1, sources]
        tensor.rows = tensor.columns;
        tensor.columns = 1;
    }
    if (tensor.of_text && tensor.columns != 1)
        return FAIL(err, ERR_FORMAT, REQUEST ": the shape of tensor 'text' is [%zu, %zu], expected [sources, 1]", first,
                    second);
    if (tensor.rows > API_MOST_PROMPTS)
        return FAIL(err, ERR_FORMAT, REQUEST ": tensor '%s' holds %zu sources, expected at most %d", tensor.name,
                    tensor.rows, API_MOST_PROMPTS);
    TRY(tensor_fill(reading, data, &tensor, err));
    *ret = tensor;
    return OK;
}

// One row of input_ids, without what the mask leaves out.
static Status row_read(Reading *reading, const Tensor *ids, const Tensor *mask, size_t row, ApiPrompt *ret,
                       Error *err) {
    int32_t *kept = arena_array(reading->arena, ids->columns, sizeof *kept, err);
    TRY_NEW(kept);
    size_t count = 0;
    for (size_t i = row * ids->columns; i < (row + 1) * ids->columns; i++) {
        json_int_t id = json_integer_value(ids->values[i]);
        json_int_t used = mask->values ? json_integer_value(mask->values[i]) : 1;
        if (used != 0 && used != 1)
            return FAIL(err, ERR_FORMAT, REQUEST ": tensor 'attention_mask' holds %lld, expected 0 or 1",
                        (long long)used);
        if (used && (id < 0 || id > INT32_MAX))
            return FAIL(err, ERR_FORMAT, REQUEST ": tensor 'input_ids' holds %lld, expected a token id", (long long)id);
        if (used)
            kept[count++] = (int32_t)id;
    }
    if (!count)
        return FAIL(err, ERR_FORMAT, REQUEST ": row %zu of tensor 'input_ids' has no tokens", row);
    *ret = (ApiPrompt){.ids = kept, .count = count};
    return OK;
}

static Status prompts_of_tensors(Reading *reading, const Tensor *text, const Tensor *ids, const Tensor *mask,
                                 Error *err) {
    if (!text->values == !ids->values || (mask->values && !ids->values))
        return FAIL(err, ERR_FORMAT,
                    REQUEST ": expected tensor 'text', or 'input_ids' and perhaps 'attention_mask', once each");
    if (mask->values && (mask->rows != ids->rows || mask->columns != ids->columns))
        return FAIL(err, ERR_FORMAT,
                    REQUEST ": tensor 'attention_mask' is [%zu, %zu] and 'input_ids' [%zu, %zu], expected the same",
                    mask->rows, mask->columns, ids->rows, ids->columns);
    TRY(prompts_new(reading, text->values ? text->rows : ids->rows, err));
    for (size_t i = 0; i < reading->call->prompt_count; i++) {
        if (text->values)
            reading->call->prompts[i] = prompt_of_text(text->values[i]);
        else
            TRY(row_read(reading, ids, mask, i, &reading->call->prompts[i], err));
    }
    return OK;
}

static Status read_tensors(Reading *reading, const json_t *body, Error *err) {
    const json_t *inputs = reading_member(body, "inputs"), *outputs = reading_member(body, "outputs"), *name;
    if (!inputs)
        return missing(reading, "inputs", err);
    Tensor text = {0}, ids = {0}, mask = {0};
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        Tensor tensor;
        TRY(tensor_read(reading, json_array_get(inputs, i), i, &tensor, err));
        Tensor *place = tensor.of_text ? &text : strcmp(tensor.name, "input_ids") == 0 ? &ids : &mask;
        if (place->values)
            return FAIL(err, ERR_FORMAT, REQUEST ": tensor '%s' is there twice", tensor.name);
        *place = tensor;
    }
    for (size_t i = 0; i < json_array_size(outputs); i++) {
        TRY(item_check(reading, json_array_get(outputs, i), OBJECT_OUTPUT, "outputs", i, err));
        TRY(item_member(reading, json_array_get(outputs, i), "outputs", i, "name", &name, err));
    }
    reading->param = "inputs";
    return prompts_of_tensors(reading, &text, &ids, &mask, err);
}

static Status read_single(Reading *reading, const json_t *body, const char *member, Error *err) {
    const json_t *text = reading_member(body, member);
    return text ? read_text(reading, text, err) : missing(reading, member, err);
}

static Status read_any_text(Reading *reading, const json_t *body, Error *err) {
    static const char *const names[] = {"text", "prompt", "inputs", "content"};
    const json_t *text = NULL;
    TRY(one_of(reading, body, names, 4, &text, err));
    return read_text(reading, text, err);
}

static Status read_ids(Reading *reading, const json_t *body, Error *err) {
    static const char *const names[] = {"tokens", "ids"};
    const json_t *ids = NULL;
    TRY(one_of(reading, body, names, 2, &ids, err));
    TRY(prompts_new(reading, 1, err));
    ApiPrompt *prompt = &reading->call->prompts[0];
    return json_array_size(ids)
               ? data_ids_parse(reading->arena, ids, REQUEST, "tokens", &prompt->ids, &prompt->count, err)
               : OK;
}

Status reading_sources(Reading *reading, const json_t *body, Error *err) {
    switch (reading->call->route->shape) {
    case API_COMPLETION:
        return read_prompt(reading, body, err);
    case API_CHAT:
        return read_messages(reading, body, err);
    case API_SUMMARIZE:
        return read_input(reading, body, err);
    case API_KSERVE_INFER:
        return read_tensors(reading, body, err);
    case API_KSERVE_GENERATE:
        return read_single(reading, body, "text_input", err);
    case API_TGI:
        return read_single(reading, body, "inputs", err);
    case API_TOKENIZE:
        return read_any_text(reading, body, err);
    case API_DETOKENIZE:
        return read_ids(reading, body, err);
    case API_PLAIN:
        break;
    }
    return OK;
}
