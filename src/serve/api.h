// SPDX-License-Identifier: Apache-2.0
// API: what clients say and what they get, as text and nothing else: a body becomes a Call, answers become a body. No
// sockets, no engine: `hone serve` and `hone batch` share it, and fuzzers drive it.
//
// One table (fields.def, routes.def) says which routes there are and which fields each takes, with type, range, default
// and meaning. Validation, /openapi.json, docs/api.md and the seeds of the fuzzers come from it.
#pragma once

#include "base/json.h"
#include "model/generation.h"

// Every shape a route speaks: it decides how bodies are read, and how answers, pieces of streams and errors are
// written.
typedef enum ApiShape {
    API_COMPLETION,      // OpenAI /v1/completions
    API_CHAT,            // OpenAI /v1/chat/completions
    API_SUMMARIZE,       // /v1/summarize, Hugging Face's body and answer included
    API_KSERVE_INFER,    // KServe v2
    API_KSERVE_GENERATE, // its generate extension, and generate_stream
    API_TGI,             // /generate, /generate_stream
    API_TOKENIZE,
    API_DETOKENIZE,
    API_PLAIN // routes without a body: models, health, info, metrics, pages
} ApiShape;

typedef struct ApiRoute {
    const char *method, *path; // "/v2/models/{model}/infer"
    ApiShape shape;
    bool streams;       // always (generate_stream); other shapes by their field `stream`
    bool needs_key;     // where there are API keys
    const char *handle; // what serves it: "complete", "models", "live" ...
    int object;         // of its body: an ApiObject of api_fields.h
    const char *summary;
} ApiRoute;

// The route that serves a path; ret_model gets the {model} or {id} of the path ("" without), ret_known_path whether any
// method has this path (405 instead of 404). HEAD is served where GET is. NULL: none.
const ApiRoute *api_route(const char *method, const char *path, char *ret_model, size_t model_bytes,
                          bool *ret_known_path);

// One source to generate from: a text, or ids.
typedef struct ApiPrompt {
    const char *text;
    size_t bytes;
    const int32_t *ids; // where text is NULL
    size_t count;
} ApiPrompt;

// What is done with a source that is too long: refuse it, drop its end or its start, answer parts of it one by one.
typedef enum ApiTruncation {
    API_TRUNCATE_ERROR,
    API_TRUNCATE_END,
    API_TRUNCATE_START,
    API_TRUNCATE_CHUNK
} ApiTruncation;

enum { API_MOST_PROMPTS = 32, API_MOST_SEQUENCES = 8, API_MOST_STOPS = 4, API_MOST_DEPTH = 32 };

// What a body asked for. Everything lives in the arena it was read into.
typedef struct ApiCall {
    const ApiRoute *route;
    const char *model; // NULL: whatever the server serves
    ApiPrompt *prompts;
    size_t prompt_count;
    GenerationOptions options; // the model's own, changed by the request; unchecked against the vocabulary
    bool stream, include_usage;
    bool hugging_face; // the answer is a list of {summary_text}
    ApiTruncation truncation;
    size_t most_source_tokens; // of a source, where that is less than the model's positions; 0: nothing said
    bool seed_said;            // false: whoever samples draws one, so that the same request may get other answers
    bool soft_lengths;         // the lengths are a wish (`length`): lower them to what the model has (api_fit)
    const char *const *stops;  // an answer ends before the first of these
    size_t stop_count;
    const char *id;      // KServe's id of the request; NULL
    int priority;        // 0 most urgent .. 9; 5 where nothing is said
    bool timeout_said;   // false: the server's own holds
    uint64_t timeout_ms; // 0: none
    bool details;        // TGI
    bool skip_special;   // detokenize
    bool add_special;    // tokenize
    const char *cache_salt;
} ApiCall;

// Reads and checks a body for a route. ERR_FORMAT with a sentence that names the field; ret_param, if not NULL, gets
// the field's name (static), NULL where it is no single field. Else ERR_MEMORY and ERR_LIMIT of the arena.
MUST_CHECK Status api_read(Arena *arena, const ApiRoute *route, Bytes body, const GenerationOptions *own, ApiCall *ret,
                           const char **ret_param, Error *err);

// Lowers what `length` asked for to the positions of the model.
void api_fit(ApiCall *call, size_t positions);

// The HTTP status that a failed request is answered by: 400 for whatever the client can change.
int api_status(Status status);

// STOP: the model ended it; STOP_TEXT: it was cut before one of the call's stops.
typedef enum ApiFinish { API_STOP, API_LENGTH, API_CANCELLED, API_STOP_TEXT } ApiFinish;

typedef struct ApiSequence {
    const char *text; // NULL: the model has no tokenizer, and the answer has the ids
    size_t bytes;
    const int32_t *ids;
    size_t count;
    double score; // NaN: not known
    ApiFinish finish;
} ApiSequence;

typedef struct ApiTimings {
    double queue_ms, encode_ms, decode_ms, first_token_ms, total_ms;
} ApiTimings;

// The answer to one prompt.
typedef struct ApiResult {
    const ApiSequence *sequences;
    size_t sequence_count;
    size_t source_tokens, chunks; // chunks: parts a long source was cut into; 1
    bool truncated;
    ApiTimings timings; // total_ms NaN: not known, and not told
} ApiResult;

typedef struct ApiMeta {
    const char *request_id; // "0f3a..." ; answers make "cmpl-..." and the like of it
    const char *model;      // the name it is served under
    int64_t created;        // seconds since 1970
} ApiMeta;

// Appends the whole answer.
void api_answer(const ApiCall *call, const ApiMeta *meta, const ApiResult *results, Buffer *out);

// Appends events of a stream ("data: {...}\n\n"). A stream is: begin, piece by piece, end of each sequence, end of all.
// `index`: of the sequence among all of the call, source by source. `position`, `token`: of the piece's last token
// among the sequence's, from 1.
void api_stream_begin(const ApiCall *call, const ApiMeta *meta, size_t index, Buffer *out);
void api_stream_piece(const ApiCall *call, const ApiMeta *meta, size_t index, size_t position, const char *text,
                      size_t bytes, int32_t token, Buffer *out);
void api_stream_finish(const ApiCall *call, const ApiMeta *meta, size_t index, const ApiResult *result, Buffer *out);
void api_stream_end(const ApiCall *call, const ApiMeta *meta, const ApiResult *results, Buffer *out);

// Appends an error in the shape of the route (NULL: OpenAI's). `param`: the field, or NULL.
void api_error(const ApiRoute *route, int status, const char *message, const char *param, Buffer *out);
void api_stream_error(const ApiRoute *route, int status, const char *message, Buffer *out);

// What the routes without a body tell of a served model.
typedef struct ApiModel {
    const char *name;
    int64_t created; // seconds since 1970
    size_t positions, vocabulary;
    bool ready;
} ApiModel;

void api_print_models(const ApiModel *models, size_t count, Buffer *out); // models
void api_print_model(const ApiModel *model, Buffer *out);                 // model
void api_print_server(const char *version, Buffer *out);                  // server
void api_print_metadata(const ApiModel *model, Buffer *out);              // metadata
void api_print_live(bool live, Buffer *out);                              // live
void api_print_ready(bool ready, Buffer *out);                            // ready
void api_print_model_ready(const ApiModel *model, Buffer *out);           // model_ready
void api_print_info(const ApiModel *model, const char *version, size_t most_requests, size_t most_body_bytes,
                    Buffer *out);                                          // info
void api_print_cancelled(const char *request_id, bool found, Buffer *out); // cancel

// The answers of /tokenize and /detokenize.
void api_print_tokens(const int32_t *ids, size_t count, size_t positions, Buffer *out);
void api_print_text(const char *text, size_t bytes, Buffer *out);

// OpenAPI 3.1 of all routes; the fields of all routes as Markdown for docs/api.md.
void api_print_openapi(const char *version, Buffer *out);
void api_print_markdown(Buffer *out);

// Appends a turn of a dialogue to the text that the model gets: lines "Name: text"; "text" where nobody is named.
void api_join_turn(const char *speaker, const char *text, size_t bytes, Buffer *out);
