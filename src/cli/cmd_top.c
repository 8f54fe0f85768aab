// SPDX-License-Identifier: Apache-2.0
// hone top: what a server is doing, in a terminal.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/top_view.h"
#include "serve/client.h"

enum { TIMEOUT_MS = 5000, MOST_BYTES = 4 << 20, MOST_KEY_BYTES = 512 };

typedef struct Settings {
    const char *model, *key_file;
    bool once;
} Settings;

static const Option options[] = {
    {"once", 0, NULL, "tell once, and end", OPTION_FLAG, offsetof(Settings, once)},
    {"model", 0, "NAME", "this model of the server (default: its first)", OPTION_TEXT, offsetof(Settings, model)},
    {"api-key-file", 0, "FILE", "its first line is the server's API key", OPTION_TEXT, offsetof(Settings, key_file)},
    {0},
};

typedef struct Top {
    CommandRun *run;
    const Settings *settings;
    ClientAddress address;
    const char *key;
    TopPast *past;
    Buffer body;
    bool seen; // the server has answered before
} Top;

// A key becomes part of a header: no blanks, nothing that ends a line.
static Status read_key(CommandRun *run, const char *path, const char **ret_key, Error *err) {
    Bytes text;
    TRY(file_map(run->arena, path, &text, err));
    size_t bytes = 0;
    while (bytes < text.size && isgraph(text.data[bytes]))
        bytes++;
    bool ends = bytes == text.size || text.data[bytes] == '\n' || text.data[bytes] == '\r';
    if (!bytes || !ends || bytes > MOST_KEY_BYTES)
        return FAIL(err, ERR_FORMAT, "file '%s': the first line is no API key of 1 to %d visible ASCII characters",
                    path, MOST_KEY_BYTES);
    *ret_key = arena_copy_text(run->arena, (const char *)text.data, bytes, err);
    TRY_NEW(*ret_key);
    return OK;
}

// Whether there is a view to paint again and again.
static bool is_screen(const Top *top) {
    return !top->settings->once && !top->run->common.json && isatty(top->run->out.descriptor);
}

static Status judge(const Top *top, int status, Error *err) {
    if (status == 200)
        return OK;
    if (status == 401 || status == 403)
        return FAIL(err, ERR_IO, "the server at '%s' asks for %s API key; see --api-key-file", top->address.text,
                    top->key ? "another" : "an");
    return FAIL(err, ERR_FORMAT, "it answers with status %d; is it 'hone serve'?", status);
}

// What the server has at `path`, in the arena.
static Status ask(Top *top, const char *path, Arena *arena, json_t **ret_value, Error *err) {
    ClientAsk what = {.path = path, .key = top->key, .timeout_ms = TIMEOUT_MS, .most_bytes = MOST_BYTES};
    int code;
    TRY(client_get(&top->address, &what, &code, &top->body, err));
    TRY(judge(top, code, err));
    return json_parse(arena, "its state", (Bytes){(unsigned char *)top->body.data, top->body.bytes}, false, ret_value,
                      err);
}

static Status ask_state(Top *top, TopFigures *ret_figures, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    json_t *state;
    Status status = ask(top, "/dashboard/state", &arena, &state, err);
    if (status == OK)
        status = top_read(state, top->settings->model, ret_figures, err);
    arena_done(&arena);
    return status;
}

// The small charts begin with what the server remembers; without that they begin empty.
static void ask_past(Top *top, const char *model) {
    Error err;
    Arena arena;
    Buffer path = {0};
    buffer_add_text(&path, "/dashboard/history?span=15m&model=");
    for (const char *p = model; *p; p++)
        buffer_format(&path, isalnum((unsigned char)*p) ? "%c" : "%%%02X", (unsigned char)*p);
    arena_init(&arena, 0);
    json_t *history;
    if (buffer_status(&path, &err) == OK && ask(top, path.data, &arena, &history, &err) == OK)
        top_recall(top->past, history);
    arena_done(&arena);
    buffer_done(&path);
}

static bool is_unicode(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

static TopStyle style_of(const Top *top, bool screen) {
    struct winsize size = {0};
    bool known = ioctl(top->run->out.descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20;
    TopStyle style = {.width = known ? size.ws_col : 80, .unicode = is_unicode(), .colour = screen};
    enum { BESIDE = 50, LEAST = 8 }; // columns that names and values take
    if (screen && style.width >= BESIDE + LEAST)
        style.charted = style.width - BESIDE < TOP_PAST ? style.width - BESIDE : TOP_PAST;
    return style;
}

// Each line wipes what was behind it, the end what was below: the view does not flicker, and stays when hone ends.
static Status paint(Top *top, const TopFigures *figures, Error *err) {
    TopStyle style = style_of(top, true);
    Buffer view = {0};
    top_draw(figures, top->past, top->address.text, &style, &view);
    Status status = buffer_status(&view, err);
    Buffer *out = &top->run->out.text;
    buffer_add_text(out, top->seen ? "\x1b[H" : "\x1b[2J\x1b[H");
    for (size_t at = 0; status == OK && at < view.bytes;) {
        size_t bytes = strcspn(view.data + at, "\n");
        buffer_add(out, view.data + at, bytes);
        buffer_add_text(out, "\x1b[K\n");
        at += bytes + 1;
    }
    buffer_add_text(out, "\x1b[J");
    buffer_done(&view);
    return status == OK ? output_flush(&top->run->out, err) : status;
}

static Status tell(Top *top, const TopFigures *figures, Error *err) {
    Output *out = &top->run->out;
    if (top->run->common.json) {
        json_t *object = top_json(figures);
        if (!object)
            return FAIL(err, ERR_MEMORY, "no memory for the figures of a server");
        Status status = output_json(out, object, err);
        json_decref(object);
        TRY(status);
    } else if (is_screen(top)) {
        return paint(top, figures, err);
    } else if (top->settings->once) {
        TopStyle style = style_of(top, false);
        top_draw(figures, NULL, top->address.text, &style, &out->text);
        TRY(buffer_status(&out->text, err));
        out->line_start = out->text.bytes;
    } else {
        top_draw_line(figures, &out->text);
        TRY(output_line(out, err));
    }
    return output_flush(out, err); // somebody may be following
}

static void sleep_until(uint64_t end_ns) {
    for (uint64_t now; (now = clock_ns()) < end_ns;) {
        struct timespec left = {(time_t)((end_ns - now) / 1000000000), (long)((end_ns - now) % 1000000000)};
        nanosleep(&left, NULL);
    }
}

static Status follow(Top *top, Error *err) {
    for (;;) {
        uint64_t begun_ns = clock_ns();
        TopFigures figures;
        Status status = ask_state(top, &figures, err);
        if (status == ERR_FORMAT)
            return error_context(err, "the server at '%s'", top->address.text);
        if (status == ERR_IO && top->seen)
            return error_context(err, "the server went away");
        TRY(status);
        if (!top->seen && figures.models && is_screen(top))
            ask_past(top, top->settings->model ? top->settings->model : figures.model);
        top_remember(top->past, &figures);
        TRY(tell(top, &figures, err));
        top->seen = true;
        if (top->settings->once)
            return OK;
        sleep_until(begun_ns + 1000000000);
    }
}

static Status run(CommandRun *run, Error *err) {
    Top top = {.run = run, .settings = run->settings};
    TRY(client_address(run->arguments[0], &top.address, err));
    if (top.settings->key_file)
        TRY(read_key(run, top.settings->key_file, &top.key, err));
    TRY_NEW(top.past = arena_array(run->arena, 1, sizeof *top.past, err));
    Status status = follow(&top, err);
    buffer_done(&top.body);
    return status;
}

const Command command_top = {
    .arguments = "URL",
    .least = 1,
    .most = 1,
    .help = "Shows what a running 'hone serve' does: throughput, latency, queue, batch, K/V pages, and what holds it\n"
            "back, once a second until Ctrl-C. URL is http://HOST:PORT or unix:PATH. A line a second where standard\n"
            "output is no terminal; with --json an object a line.\n",
    .settings_bytes = sizeof(Settings),
    .options = options,
    .json = true,
    .run = run,
};
