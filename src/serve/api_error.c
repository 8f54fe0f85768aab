// SPDX-License-Identifier: Apache-2.0
// Errors, in the shape that the clients of a route read.
#include <string.h>

#include "serve/api_fields.h"

static void add_text(const char *text, Buffer *out) {
    buffer_add_json(out, text, strlen(text));
}

static const char *openai_type(int status) {
    switch (status) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 404:
        return "not_found_error";
    case 429:
        return "rate_limit_error";
    case 503:
        return "service_unavailable_error";
    case 504:
        return "timeout_error";
    default:
        return status >= 500 ? "server_error" : "invalid_request_error";
    }
}

static void error_openai(int status, const char *message, const char *param, Buffer *out) {
    buffer_add_text(out, "{\"error\":{\"message\":");
    add_text(message, out);
    buffer_format(out, ",\"type\":\"%s\",\"param\":", openai_type(status));
    if (param)
        add_text(param, out);
    else
        buffer_add_text(out, "null");
    buffer_format(out, ",\"code\":%d}}", status);
}

static void error_kserve(const char *message, Buffer *out) {
    buffer_add_text(out, "{\"error\":");
    add_text(message, out);
    buffer_add_char(out, '}');
}

static void error_tgi(int status, const char *message, Buffer *out) {
    const char *type = status == 429 || status == 503 ? "overloaded"
                       : status == 504                ? "timeout"
                       : status >= 500                ? "generation"
                                                      : "validation";
    buffer_add_text(out, "{\"error\":");
    add_text(message, out);
    buffer_format(out, ",\"error_type\":\"%s\"}", type);
}

void api_error(const ApiRoute *route, int status, const char *message, const char *param, Buffer *out) {
    if (route && strncmp(route->path, "/v2", 3) == 0)
        error_kserve(message, out);
    else if (route && (route->shape == API_TGI || strcmp(route->handle, "info") == 0))
        error_tgi(status, message, out);
    else
        error_openai(status, message, param, out);
}

void api_stream_error(const ApiRoute *route, int status, const char *message, Buffer *out) {
    buffer_add_text(out, "data: ");
    api_error(route, status, message, NULL, out);
    buffer_add_text(out, "\n\n");
}
