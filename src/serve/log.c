// SPDX-License-Identifier: Apache-2.0
// Lines of bounded length, written without waiting.
#include "serve/log.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/utf8.h"

typedef enum Reader { READER_FILE, READER_PIPE, READER_SOCKET } Reader;

// Texts are cut to the first; a line that is too long all the same is made again with the second, and then fits
// whatever characters they hold.
enum { TEXT_BYTES = 480, SHORT_TEXT_BYTES = 40 };

struct Log {
    char *path; // NULL: standard error
    int descriptor;
    Reader reader;
    LogLevel least;
    _Atomic uint64_t dropped, told; // of the dropped: those that a line has told of
};

// Standard error is shared with other processes, so that it cannot be made non-blocking itself; a pipe or terminal is
// opened once more instead.
static void open_stderr(Log *log) {
    struct stat about;
    log->descriptor = STDERR_FILENO;
    if (fstat(STDERR_FILENO, &about) != 0 || S_ISREG(about.st_mode))
        return;
    log->reader = S_ISSOCK(about.st_mode) ? READER_SOCKET : READER_PIPE;
    int again = log->reader == READER_PIPE ? open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
    if (again >= 0)
        log->descriptor = again;
}

static int open_file(const char *path) {
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);
}

Status log_new(const char *path, LogLevel least, Log **ret_log, Error *err) {
    size_t bytes = path ? strlen(path) + 1 : 0;
    Log *log = memory_new(1, sizeof *log + bytes, err);
    TRY_NEW(log);
    *log = (Log){.least = least};
    if (path) {
        log->path = memcpy(log + 1, path, bytes);
        log->descriptor = open_file(path);
        struct stat about;
        if (log->descriptor < 0) {
            int reason = errno;
            memory_free(log);
            return FAIL(err, ERR_IO, "log '%s' cannot be opened: %s", path, strerror(reason));
        }
        if (fstat(log->descriptor, &about) == 0 && !S_ISREG(about.st_mode))
            log->reader = READER_PIPE;
    } else {
        open_stderr(log);
    }
    *ret_log = log;
    return OK;
}

void log_free(Log *log) {
    if (!log)
        return;
    if (log->descriptor != STDERR_FILENO)
        close(log->descriptor);
    memory_free(log);
}

Status log_reopen(Log *log, Error *err) {
    if (!log->path)
        return OK;
    int again = open_file(log->path);
    if (again < 0)
        return FAIL(err, ERR_IO, "log '%s' cannot be opened again: %s", log->path, strerror(errno));
    int moved = dup3(again, log->descriptor, O_CLOEXEC); // at once for all threads: nobody sees a closed descriptor
    int reason = errno;
    close(again);
    return moved >= 0 ? OK : FAIL(err, ERR_IO, "log '%s' cannot be opened again: %s", log->path, strerror(reason));
}

uint64_t log_dropped(const Log *log) {
    return atomic_load(&log->dropped);
}

static bool write_line(Log *log, const Buffer *line) {
    if (line->failed != OK || line->bytes > LOG_LINE_BYTES || fault_strikes(FAULT_WRITE))
        return false;
    ssize_t written;
    do {
        struct pollfd room = {.fd = log->descriptor, .events = POLLOUT};
        if (log->reader == READER_SOCKET)
            written = send(log->descriptor, line->data, line->bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        else if (log->reader == READER_PIPE && (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT)))
            return false; // also where the pipe could not be opened once more
        else
            written = write(log->descriptor, line->data, line->bytes);
    } while (written < 0 && errno == EINTR);
    return written == (ssize_t)line->bytes;
}

// What one line is made of.
typedef struct Line {
    Buffer text;
    size_t most; // bytes of a text
} Line;

// Is there an end of a line in it for anybody (U+0085, U+2028, U+2029), or a control character?
static bool is_odd(uint32_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029;
}

static void add_text(Line *line, const char *name, const char *text) {
    if (!text)
        return;
    char clean[TEXT_BYTES + 4];
    size_t bytes = 0, length = strnlen(text, line->most);
    for (size_t i = 0; i < length && bytes < line->most;) {
        uint32_t c;
        i += utf8_decode(text + i, length - i, &c);
        bytes += utf8_encode(is_odd(c) ? UTF8_REPLACEMENT : c, clean + bytes);
    }
    buffer_format(&line->text, ",\"%s\":", name);
    buffer_add_json(&line->text, clean, bytes);
}

static void add_count(Line *line, const char *name, uint64_t count) {
    buffer_format(&line->text, ",\"%s\":%llu", name, (unsigned long long)count);
}

static void add_ms(Line *line, const char *name, double ms) {
    if (isfinite(ms))
        buffer_format(&line->text, ",\"%s\":%.3f", name, ms);
}

static void begin_line(Line *line, LogLevel level, const char *event) {
    static const char *const levels[] = {"info", "warning", "error"};
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    char time[32];
    strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &parts);
    buffer_format(&line->text, "{\"time\":\"%s.%03dZ\",\"level\":\"%s\"", time, (int)(now.tv_nsec / 1000000),
                  levels[level]);
    add_text(line, "event", event);
}

typedef void Fill(Line *line, const void *content);

static void write_content(Log *log, LogLevel level, const char *event, Fill *fill, const void *content) {
    if (!log || level < log->least)
        return;
    Line line = {.most = TEXT_BYTES};
    uint64_t told = atomic_load(&log->told), dropped = atomic_load(&log->dropped);
    for (int turn = 0; turn < 2; turn++) {
        begin_line(&line, level, event);
        if (dropped > told)
            add_count(&line, "lines_dropped", dropped - told);
        fill(&line, content);
        buffer_add_text(&line.text, "}\n");
        if (line.text.failed != OK || line.text.bytes <= LOG_LINE_BYTES)
            break;
        buffer_clear(&line.text);
        line.most = SHORT_TEXT_BYTES;
    }
    if (!write_line(log, &line.text))
        atomic_fetch_add(&log->dropped, 1);
    else if (dropped > told)
        atomic_fetch_add(&log->told, dropped - told);
    buffer_done(&line.text);
}

static void fill_request(Line *line, const void *content) {
    const LogRequest *request = content;
    add_text(line, "request_id", request->request_id);
    add_text(line, "trace_id", request->trace_id);
    add_text(line, "client", request->client);
    add_text(line, "key", request->key);
    add_text(line, "route", request->route);
    add_text(line, "model", request->model);
    buffer_format(&line->text, ",\"status\":%d", request->status);
    add_count(line, "source_tokens", request->source_tokens);
    add_count(line, "new_tokens", request->new_tokens);
    add_ms(line, "queue_ms", request->queue_ms);
    add_ms(line, "encode_ms", request->encode_ms);
    add_ms(line, "decode_ms", request->decode_ms);
    add_ms(line, "total_ms", request->total_ms);
    add_text(line, "finish", request->finish);
    add_text(line, "error", request->error);
}

void log_request(Log *log, const LogRequest *request) {
    write_content(log, request->status >= 500 ? LOG_ERROR : LOG_INFO, "request", fill_request, request);
}

typedef struct Event {
    const char *model, *message;
} Event;

static void fill_event(Line *line, const void *content) {
    const Event *event = content;
    add_text(line, "model", event->model);
    add_text(line, "message", event->message);
}

void log_event(Log *log, LogLevel level, const char *event, const char *model, const char *format, ...) {
    char message[TEXT_BYTES + 1];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    write_content(log, level, event, fill_event, &(Event){model, message});
}

// Lower-case hexadecimal digits, not all of them 0.
static bool is_id(const char *text, size_t digits) {
    return strspn(text, "0123456789abcdef") >= digits && strspn(text, "0") < digits;
}

bool log_trace_id(const char *traceparent, char ret_id[TRACE_ID_BYTES]) {
    enum { TRACE = 3, PARENT = 36, FLAGS = 53, END = 55 };
    if (!traceparent || strnlen(traceparent, END) < END)
        return false;
    bool version = strspn(traceparent, "0123456789abcdef") == 2 && memcmp(traceparent, "ff", 2) != 0;
    bool end = !traceparent[END] || (traceparent[END] == '-' && memcmp(traceparent, "00", 2) != 0);
    bool dashes = traceparent[TRACE - 1] == '-' && traceparent[PARENT - 1] == '-' && traceparent[FLAGS - 1] == '-';
    if (!version || !dashes || !end || !is_id(traceparent + TRACE, PARENT - TRACE - 1) ||
        !is_id(traceparent + PARENT, FLAGS - PARENT - 1) ||
        strspn(traceparent + FLAGS, "0123456789abcdef") != END - FLAGS)
        return false;
    memcpy(ret_id, traceparent + TRACE, TRACE_ID_BYTES - 1);
    ret_id[TRACE_ID_BYTES - 1] = '\0';
    return true;
}
