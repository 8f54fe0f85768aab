// SPDX-License-Identifier: Apache-2.0
// The guards. RFC 9110 and 9112 say what is allowed; where they let a server be lenient, this one is not.
#include "serve/http_guard.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PASS ((GuardVerdict){0})
#define REFUSE(status, text) ((GuardVerdict){(status), false, (text)})
#define AMBIGUOUS(status, text) ((GuardVerdict){(status), true, (text)})

static const char HEX[] = "0123456789abcdef";

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The characters of names of methods and fields.
static bool is_token(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (!text[i] || (!is_digit(text[i]) && !is_letter(text[i]) && !strchr("!#$%&'*+-.^_`|~", text[i])))
            return false;
    return bytes > 0;
}

static bool is_unreserved(char c) {
    return is_digit(c) || is_letter(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

// What may stand in a path or a query as it is.
static bool is_target(char c) {
    return is_unreserved(c) || (c && strchr("!$&'()*+,;=:@/?", c));
}

// The value of %XX at `text`, or -1.
static int hex_byte(const char *text, size_t left) {
    int value = 0;
    if (left < 3 || text[0] != '%')
        return -1;
    for (int i = 1; i <= 2; i++) {
        char lower = is_letter(text[i]) ? (char)(text[i] | 0x20) : text[i];
        const char *digit = lower ? strchr(HEX, lower) : NULL;
        if (!digit)
            return -1;
        value = value * 16 + (int)(digit - HEX);
    }
    return value;
}

static bool field_is(const GuardField *field, const char *name) {
    return strlen(name) == field->name_bytes && !strncasecmp(field->name, name, field->name_bytes);
}

static bool value_is(const GuardField *field, const char *value) {
    return strlen(value) == field->value_bytes && !strncasecmp(field->value, value, field->value_bytes);
}

// Steps over a line end, two NULs; NULL where there is something else.
static const char *line_end_skip(const char *at, const char *end) {
    return end - at >= 2 && !at[0] && !at[1] ? at + 2 : NULL;
}

GuardVerdict guard_layout(const GuardHead *head) {
    static const char lines[] =
        "line ends in a request's head have to be CR LF, and a header has to stand on one line, without NUL";
    static const char blanks[] = "a request line is a method, a target and a version with one blank between them";
    const char *end = head->method + head->bytes;
    const char *at = head->method + strlen(head->method) + 1;
    if (at != head->target)
        return AMBIGUOUS(400, blanks);
    at += head->target_bytes + 1;
    if (at != head->version)
        return AMBIGUOUS(400, blanks);
    at = line_end_skip(at + strlen(head->version), end);
    for (size_t i = 0; i < head->field_count; i++) {
        const GuardField *field = &head->fields[i];
        if (at != field->name)
            return AMBIGUOUS(400, lines);
        at += field->name_bytes + 1;
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        if (at != field->value)
            return AMBIGUOUS(400, lines);
        at = line_end_skip(at + field->value_bytes, end);
    }
    return at && line_end_skip(at, end) == end ? PASS : AMBIGUOUS(400, lines);
}

static GuardVerdict guard_method(const char *method) {
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(method, known[i]))
            return PASS;
    if (!is_token(method, strlen(method)))
        return AMBIGUOUS(400, "the request's method is no word");
    return REFUSE(501, "this server knows no such method");
}

// Segment by segment, as decoding leaves them.
static GuardVerdict guard_path_segments(const char *target, size_t bytes) {
    size_t length = 0; // of the segment so far
    bool dots = true;  // it consists of dots
    for (size_t i = 1; i <= bytes; i++) {
        bool ends = i == bytes || target[i] == '/' || target[i] == '?';
        if (ends) {
            bool last = i == bytes || target[i] == '?';
            if (!length && !last)
                return AMBIGUOUS(400, "the path has an empty segment ('//')");
            if (length && dots && length <= 2)
                return AMBIGUOUS(400, "the path has a segment '.' or '..'");
            if (last)
                return PASS;
            length = 0;
            dots = true;
            continue;
        }
        int byte = hex_byte(target + i, bytes - i);
        if (byte == '/' || byte == '\\')
            return AMBIGUOUS(400, "the path has a slash written as %XX");
        dots = dots && (target[i] == '.' || byte == '.');
        length++;
        i += byte >= 0 ? 2 : 0;
    }
    return PASS;
}

static GuardVerdict guard_target(const char *target, size_t bytes) {
    if (!bytes || target[0] != '/')
        return AMBIGUOUS(400, "the request's target has to be a path that begins with '/'");
    for (size_t i = 0; i < bytes; i++) {
        if (target[i] == '%') {
            int byte = hex_byte(target + i, bytes - i);
            if (byte < 0)
                return AMBIGUOUS(400, "the request's target has a '%' without two hexadecimal digits behind it");
            if (byte < 0x20 || byte == 0x7f)
                return AMBIGUOUS(400, "the request's target has a control character written as %XX");
            i += 2;
        } else if (!is_target(target[i])) {
            return AMBIGUOUS(400, "the request's target has a character that has to be written as %XX");
        }
    }
    return guard_path_segments(target, bytes);
}

static GuardVerdict guard_field_text(const GuardField *field) {
    if (!is_token(field->name, field->name_bytes))
        return AMBIGUOUS(400, "a header's name holds a character that no name can have, or a blank before its colon");
    for (size_t i = 0; i < field->value_bytes; i++) {
        unsigned char c = (unsigned char)field->value[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return AMBIGUOUS(400, "a header's value holds a control character");
    }
    return PASS;
}

static GuardVerdict guard_length(const GuardField *field, const HttpLimits *limits, GuardBody *body) {
    uint64_t value = 0;
    for (size_t i = 0; i < field->value_bytes; i++) {
        if (!is_digit(field->value[i]))
            return AMBIGUOUS(400, "Content-Length has to be digits and nothing else");
        if (value < UINT64_MAX / 16)
            value = value * 10 + (uint64_t)(field->value[i] - '0');
    }
    if (!field->value_bytes)
        return AMBIGUOUS(400, "Content-Length has to be digits and nothing else");
    if (value > limits->most_body_bytes)
        return REFUSE(413, "the request's body is larger than this server takes");
    *body = (GuardBody){.present = value > 0, .bytes = value};
    return PASS;
}

typedef struct Seen {
    size_t hosts, lengths, encodings;
} Seen;

static GuardVerdict guard_host(const GuardField *field) {
    for (size_t i = 0; i < field->value_bytes; i++) {
        char c = field->value[i];
        if (!is_unreserved(c) && !(c && strchr("!$&'()*+,;=:[]%", c)))
            return AMBIGUOUS(400, "Host has to be a name or an address, and a port");
    }
    return PASS;
}

// The fields that decide where a request ends or who answers it.
static GuardVerdict guard_field(const GuardField *field, const HttpLimits *limits, Seen *seen, GuardBody *body) {
    if (field_is(field, "host")) {
        seen->hosts++;
        return guard_host(field);
    }
    if (field_is(field, "content-length")) {
        if (seen->lengths++)
            return AMBIGUOUS(400, "a request may have one Content-Length");
        return seen->encodings ? PASS : guard_length(field, limits, body);
    }
    if (field_is(field, "transfer-encoding")) {
        if (seen->encodings++)
            return AMBIGUOUS(400, "a request may have one Transfer-Encoding");
        if (field->value_bytes != 7 || memcmp(field->value, "chunked", 7) != 0)
            return AMBIGUOUS(501, "the one Transfer-Encoding this server knows is 'chunked'");
        *body = (GuardBody){.present = true, .chunked = true};
        return PASS;
    }
    if (field_is(field, "upgrade"))
        return AMBIGUOUS(501, "this server changes to no other protocol");
    if (field_is(field, "content-encoding"))
        return REFUSE(415, "this server takes no compressed bodies");
    if (field_is(field, "expect") && !value_is(field, "100-continue"))
        return REFUSE(417, "the one expectation this server meets is '100-continue'");
    return PASS;
}

GuardVerdict guard_head(const GuardHead *head, const HttpLimits *limits, GuardBody *ret_body) {
    if (head->bytes > limits->most_header_bytes)
        return REFUSE(431, "the request line and the headers are larger than this server takes");
    if (head->field_count > limits->most_headers)
        return REFUSE(431, "the request has more headers than this server takes");
    bool old = !strcmp(head->version, "HTTP/1.0");
    if (!old && strcmp(head->version, "HTTP/1.1") != 0)
        return AMBIGUOUS(505, "this server speaks versions 1.1 and 1.0 of HTTP");
    GuardVerdict verdict = guard_method(head->method);
    if (!verdict.status)
        verdict = guard_target(head->target, head->target_bytes);
    Seen seen = {0};
    GuardBody body = {0};
    for (size_t i = 0; !verdict.status && i < head->field_count; i++) {
        verdict = guard_field_text(&head->fields[i]);
        if (!verdict.status)
            verdict = guard_field(&head->fields[i], limits, &seen, &body);
    }
    if (verdict.status)
        return verdict;
    if (seen.lengths && seen.encodings)
        return AMBIGUOUS(400, "a request has either Content-Length or Transfer-Encoding");
    if (old && seen.encodings)
        return AMBIGUOUS(400, "HTTP/1.0 has no Transfer-Encoding");
    if (seen.hosts > 1 || (!old && !seen.hosts))
        return AMBIGUOUS(400, "a request has to have one Host");
    *ret_body = body;
    return PASS;
}

GuardVerdict guard_body(size_t bytes, size_t more, const HttpLimits *limits) {
    if (bytes > limits->most_body_bytes || more > limits->most_body_bytes - bytes)
        return REFUSE(413, "the request's body is larger than this server takes");
    return PASS;
}

size_t guard_path(const char *target, size_t target_bytes, char *ret_path) {
    size_t length = 0;
    for (size_t i = 0; i < target_bytes && target[i] != '?'; i++) {
        int byte = hex_byte(target + i, target_bytes - i);
        bool decodes = byte >= 0 && is_unreserved((char)byte);
        ret_path[length++] = decodes ? (char)byte : target[i];
        i += decodes ? 2 : 0;
    }
    ret_path[length] = '\0';
    return length;
}

// Decodes a name or value of a query to its end ('&', or '=' where `stops`); returns where that is.
static size_t query_decode(const char *target, size_t bytes, size_t at, bool stops, char *ret_text) {
    size_t length = 0;
    for (; at < bytes && target[at] != '&' && !(stops && target[at] == '='); at++) {
        int byte = hex_byte(target + at, bytes - at);
        ret_text[length++] = byte >= 0 ? (char)byte : target[at] == '+' ? ' ' : target[at];
        at += byte >= 0 ? 2 : 0;
    }
    ret_text[length] = '\0';
    return at;
}

bool guard_query(const char *target, size_t target_bytes, const char *name, char *ret_value) {
    const char *mark = memchr(target, '?', target_bytes);
    for (size_t at = mark ? (size_t)(mark - target) + 1 : target_bytes; at < target_bytes; at++) {
        at = query_decode(target, target_bytes, at, true, ret_value);
        bool found = !strcmp(ret_value, name);
        if (at < target_bytes && target[at] == '=')
            at = query_decode(target, target_bytes, at + 1, false, ret_value);
        else
            ret_value[0] = '\0';
        if (found)
            return true;
    }
    return false;
}

static size_t printed(int length, size_t bytes) {
    return length < 0 ? 0 : (size_t)length < bytes ? (size_t)length : bytes - 1;
}

size_t guard_json(int status, const char *message, char *ret_text, size_t bytes) {
    const char *type = status >= 500 && status != 501 && status != 505 ? "server_error" : "invalid_request_error";
    return printed(snprintf(ret_text, bytes,
                            "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"param\":null,\"code\":%d}}", message,
                            type, status),
                   bytes);
}

size_t guard_answer(int status, const char *message, char *ret_text, size_t bytes) {
    char json[GUARD_ANSWER_BYTES / 2];
    size_t length = guard_json(status, message, json, sizeof json);
    const char *reason = status == 408   ? "Request Timeout"
                         : status == 413 ? "Content Too Large"
                                         : "Service Unavailable";
    return printed(
        snprintf(
            ret_text, bytes,
            "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n%s",
            status, reason, length, status == 503 ? "Retry-After: 1\r\n" : "", json),
        bytes);
}
