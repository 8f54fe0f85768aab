// SPDX-License-Identifier: Apache-2.0
// Figures of a server as lines of a terminal.
#include "cli/top_view.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"

// A copy without control characters and without what is no UTF-8, cut at a character.
static void copy_clean(const char *text, char *ret, size_t bytes) {
    size_t length = text ? strlen(text) : 0, used = 0;
    for (size_t i = 0; i < length;) {
        uint32_t c;
        char one[4];
        i += utf8_decode(text + i, length - i, &c);
        bool odd = c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x200B && c <= 0x200F) ||
                   (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
        size_t wide = utf8_encode(odd ? '?' : c, one);
        if (used + wide >= bytes)
            break;
        memcpy(ret + used, one, wide);
        used += wide;
    }
    ret[used] = '\0';
}

static double number(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void text(const json_t *object, const char *name, char *ret, size_t bytes) {
    copy_clean(json_string_value(json_object_get(object, name)), ret, bytes);
}

// Over all reasons of an object of counts.
static double sum(const json_t *counts) {
    double total = 0;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)counts, name, value) total += json_is_number(value) ? json_number_value(value) : 0;
    return total;
}

static const json_t *find_model(const json_t *models, const char *name) {
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i);
        const char *its = json_string_value(json_object_get(model, "name"));
        if (!name || (its && strcmp(its, name) == 0))
            return model;
    }
    return NULL;
}

Status top_read(const json_t *state, const char *model, TopFigures *ret_figures, Error *err) {
    const json_t *models = json_object_get(state, "models"), *server = json_object_get(state, "server");
    if (!json_is_array(models) || !json_is_object(server))
        return FAIL(err, ERR_FORMAT, "its answer is no state of a 'hone serve'");
    const json_t *one = find_model(models, model);
    if (!one && model)
        return FAIL(err, ERR_USAGE, "the server has no model '%.80s'", model);
    TopFigures figures = {.models = json_array_size(models)};
    const json_t *totals = json_object_get(one, "totals"), *now = json_object_get(one, "now");
    const json_t *bottleneck = json_object_get(one, "bottleneck");
    text(state, "hone", figures.hone, sizeof figures.hone);
    text(state, "state", figures.state, sizeof figures.state);
    text(one, "name", figures.model, sizeof figures.model);
    text(bottleneck, "sentence", figures.sentence, sizeof figures.sentence);
    text(bottleneck, "advice", figures.advice, sizeof figures.advice);
    figures.time = number(state, "time");
    figures.uptime_s = number(server, "uptime_s");
    figures.resident_bytes = number(server, "resident_bytes");
    figures.memory_limit_bytes = number(server, "memory_limit_bytes");
    figures.most_requests = number(json_object_get(one, "limits"), "requests");
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        figures.now[i] = number(now, history_figure_name((HistoryFigure)i));
    figures.requests = number(totals, "requests");
    figures.failed = number(totals, "failed");
    figures.deadlines = number(totals, "deadlines_missed");
    figures.generated_tokens = number(totals, "generated_tokens");
    figures.source_tokens = number(totals, "source_tokens");
    figures.rejected = sum(json_object_get(totals, "rejected"));
    figures.cancelled = sum(json_object_get(totals, "cancelled"));
    *ret_figures = figures;
    return OK;
}

void top_remember(TopPast *past, const TopFigures *figures) {
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        past->values[i][past->next] = (float)figures->now[i];
    past->next = (past->next + 1) % TOP_PAST;
    past->count += past->count < TOP_PAST;
}

void top_recall(TopPast *past, const json_t *history) {
    size_t count = json_array_size(json_object_get(history, "time"));
    for (size_t i = count > TOP_PAST ? count - TOP_PAST : 0; i < count; i++) {
        TopFigures figures;
        for (size_t f = 0; f < FIGURE_COUNT; f++) {
            const json_t *column = json_object_get(history, history_figure_name((HistoryFigure)f));
            const json_t *value = json_array_get(column, i);
            figures.now[f] = json_is_number(value) ? json_number_value(value) : NAN;
        }
        top_remember(past, &figures);
    }
}

// "0.42", "4.2", "42", "4.2k", "42k", "4.2M"; a dash for what is not known.
static void add_short(Buffer *out, double value) {
    static const struct {
        double least, unit;
        const char *letter;
    } units[] = {{999.5e6, 1e9, "G"}, {999.5e3, 1e6, "M"}, {999.5, 1e3, "k"}, {0, 1, ""}};
    if (!isfinite(value)) {
        buffer_add_char(out, '-');
        return;
    }
    size_t i = 0;
    while (fabs(value) < units[i].least)
        i++;
    double scaled = value / units[i].unit, size = fabs(scaled);
    int decimals = size >= 9.95 || scaled == round(scaled) ? 0 : size >= 0.995 ? 1 : 2;
    buffer_format(out, "%.*f%s", decimals, scaled, units[i].letter);
}

static void add_time(Buffer *out, double seconds) {
    bool small = seconds < 0.9995;
    add_short(out, small ? seconds * 1000 : seconds);
    if (isfinite(seconds))
        buffer_add_text(out, small ? " ms" : " s");
}

static void add_percent(Buffer *out, double share) {
    if (isfinite(share))
        buffer_format(out, "%.0f %%", fmin(share, 99.99) * 100);
    else
        buffer_add_char(out, '-');
}

static void add_bytes(Buffer *out, double bytes) {
    if (isfinite(bytes))
        buffer_format(out, bytes < 999.5e6 ? "%.0f MB" : "%.1f GB", bytes < 999.5e6 ? bytes / 1e6 : bytes / 1e9);
    else
        buffer_add_char(out, '-');
}

static void add_age(Buffer *out, double seconds) {
    if (!(seconds >= 0) || seconds > 1e10)
        buffer_add_char(out, '-');
    else if (seconds < 5400)
        buffer_format(out, seconds < 100 ? "%.0f s" : "%.0f min", seconds < 100 ? seconds : seconds / 60);
    else
        buffer_format(out, seconds < 172800 ? "%.1f h" : "%.0f days", seconds / (seconds < 172800 ? 3600 : 86400));
}

// The last values of a figure, a column each, from 0 to their highest.
static void add_chart(Buffer *out, const TopPast *past, HistoryFigure figure, const TopStyle *style) {
    static const char *const blocks[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                         "\u2585", "\u2586", "\u2587", "\u2588"};
    static const char ascii[] = "_.,-=+*#";
    size_t columns = style->charted < past->count ? style->charted : past->count;
    float most = 0;
    const float *values = past->values[figure];
    for (size_t i = 1; i <= columns; i++)
        most = fmaxf(most, values[(past->next + TOP_PAST - i) % TOP_PAST]); // NaN is passed over
    for (size_t i = columns; i; i--) {
        float value = values[(past->next + TOP_PAST - i) % TOP_PAST];
        int level = most > 0 && isfinite(value) ? (int)(fmaxf(value, 0) / most * 7.99f) : 0;
        if (!isfinite(value))
            buffer_add_char(out, ' ');
        else if (style->unicode)
            buffer_add_text(out, blocks[level]);
        else
            buffer_add_char(out, ascii[level]);
    }
}

enum { NAME_COLUMNS = 13, VALUE_COLUMNS = 36 };

// Characters, as columns: what is drawn here has no wide ones but in names of models.
static size_t columns_of(const char *line, size_t bytes) {
    size_t columns = 0;
    for (size_t i = 0; i < bytes; i++)
        columns += ((unsigned char)line[i] & 0xC0) != 0x80;
    return columns;
}

static void pad(Buffer *out, size_t from, size_t columns) {
    for (size_t used = columns_of(out->data + from, out->bytes - from); used < columns; used++)
        buffer_add_char(out, ' ');
}

// A line of the view: its name, what `add` writes, and the figure's chart.
typedef struct Row {
    const char *name;
    void (*add)(Buffer *out, const TopFigures *figures);
    HistoryFigure charted; // FIGURE_COUNT: none
} Row;

static void add_output(Buffer *out, const TopFigures *f) {
    add_short(out, f->now[FIGURE_GENERATED_TOKENS]);
    buffer_add_text(out, " tokens/s, reads ");
    add_short(out, f->now[FIGURE_SOURCE_TOKENS]);
    buffer_add_text(out, "/s");
}

static void add_requests(Buffer *out, const TopFigures *f) {
    add_short(out, f->now[FIGURE_REQUESTS]);
    buffer_add_text(out, " requests/s");
    if (f->now[FIGURE_REJECTED] > 0) {
        buffer_add_text(out, ", turns away ");
        add_short(out, f->now[FIGURE_REJECTED]);
        buffer_add_text(out, "/s");
    }
}

static void add_latency(Buffer *out, const TopFigures *f, HistoryFigure p50) {
    add_time(out, f->now[p50]);
    buffer_add_text(out, ", 99 % within ");
    add_time(out, f->now[p50 + 2]);
}

static void add_first(Buffer *out, const TopFigures *f) {
    add_latency(out, f, FIGURE_FIRST_TOKEN_P50);
}

static void add_token(Buffer *out, const TopFigures *f) {
    add_latency(out, f, FIGURE_TOKEN_P50);
}

static void add_whole(Buffer *out, const TopFigures *f) {
    add_latency(out, f, FIGURE_REQUEST_P50);
}

static void add_waiting(Buffer *out, const TopFigures *f) {
    add_short(out, f->now[FIGURE_QUEUED_REQUESTS]);
    buffer_add_text(out, " requests, ");
    add_short(out, f->now[FIGURE_QUEUED_TOKENS]);
    buffer_add_text(out, " tokens");
}

static void add_running(Buffer *out, const TopFigures *f) {
    add_short(out, f->now[FIGURE_RUNNING_REQUESTS]);
    if (isfinite(f->most_requests)) {
        buffer_add_text(out, " of ");
        add_short(out, f->most_requests);
    }
    buffer_add_text(out, " requests");
}

static void add_batch(Buffer *out, const TopFigures *f) {
    add_short(out, f->now[FIGURE_STEP_ROWS]);
    buffer_add_text(out, " rows a step");
}

static void add_kv(Buffer *out, const TopFigures *f) {
    add_percent(out, f->now[FIGURE_KV_USED]);
    buffer_add_text(out, " in use, ");
    add_percent(out, f->now[FIGURE_KV_CACHED]);
    buffer_add_text(out, " only cached");
}

static void add_memory(Buffer *out, const TopFigures *f) {
    add_bytes(out, f->resident_bytes);
    if (f->memory_limit_bytes > 0) {
        buffer_add_text(out, " of ");
        add_bytes(out, f->memory_limit_bytes);
    }
}

static void add_engine(Buffer *out, const TopFigures *f) {
    static const struct {
        const char *name;
        HistoryFigure figure;
    } parts[] = {{"encode ", FIGURE_ENCODE},
                 {", decode ", FIGURE_DECODE},
                 {", vocabulary ", FIGURE_HEAD},
                 {", between steps ", FIGURE_SCHEDULE}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buffer_add_text(out, parts[i].name);
        add_percent(out, f->now[parts[i].figure]);
    }
}

static void add_totals(Buffer *out, const TopFigures *f) {
    add_short(out, f->requests);
    buffer_add_text(out, " answered, ");
    add_short(out, f->rejected);
    buffer_add_text(out, " turned away, ");
    add_short(out, f->cancelled);
    buffer_add_text(out, " cancelled, ");
    add_short(out, f->failed);
    buffer_add_text(out, " failed");
}

static const Row rows[] = {
    {"output", add_output, FIGURE_GENERATED_TOKENS},
    {"requests", add_requests, FIGURE_REQUESTS},
    {"first token", add_first, FIGURE_FIRST_TOKEN_P50},
    {"each token", add_token, FIGURE_TOKEN_P50},
    {"request", add_whole, FIGURE_REQUEST_P50},
    {"waiting", add_waiting, FIGURE_QUEUED_REQUESTS},
    {"running", add_running, FIGURE_RUNNING_REQUESTS},
    {"batch", add_batch, FIGURE_STEP_ROWS},
    {"K/V pages", add_kv, FIGURE_KV_USED},
    {"memory", add_memory, FIGURE_COUNT},
    {"engine", add_engine, FIGURE_COUNT},
    {"so far", add_totals, FIGURE_COUNT},
};

// A text over several lines of `width`, broken at blanks.
static void add_wrapped(Buffer *out, const char *words, size_t width) {
    while (*words) {
        size_t bytes = 0, columns = 0, blank = 0;
        for (; words[bytes] && columns < width; bytes++) {
            if (words[bytes] == ' ')
                blank = bytes;
            columns += ((unsigned char)words[bytes + 1] & 0xC0) != 0x80;
        }
        size_t taken = words[bytes] && words[bytes] != ' ' && blank ? blank : bytes;
        buffer_add(out, words, taken);
        buffer_add_char(out, '\n');
        words += taken;
        words += strspn(words, " ");
    }
}

// Ends the line that began at `from`, cut to the width.
static void end_line(Buffer *out, size_t from, size_t width) {
    size_t columns = 0;
    for (size_t i = from; i < out->bytes; i++) {
        columns += ((unsigned char)out->data[i] & 0xC0) != 0x80;
        if (columns > width) {
            out->bytes = i;
            out->data[i] = '\0';
            break;
        }
    }
    while (out->bytes > from && out->data[out->bytes - 1] == ' ')
        out->data[--out->bytes] = '\0';
    buffer_add_char(out, '\n');
}

static void draw_head(const TopFigures *f, const char *address, const TopStyle *style, Buffer *out) {
    size_t from = out->bytes;
    buffer_format(out, "hone %s  %s", f->hone, f->models ? f->model : "no model yet");
    if (f->models > 1)
        buffer_format(out, " (one of %zu)", f->models);
    buffer_format(out, "  %s  up ", f->state);
    add_age(out, f->uptime_s);
    buffer_format(out, "  %s", address);
    end_line(out, from, style->width);
    if (style->colour)
        buffer_add_text(out, "\x1b[1m");
    add_wrapped(out, f->sentence, style->width);
    if (style->colour)
        buffer_add_text(out, "\x1b[22m");
    add_wrapped(out, f->advice, style->width);
    buffer_add_char(out, '\n');
}

void top_draw(const TopFigures *figures, const TopPast *past, const char *address, const TopStyle *style, Buffer *out) {
    draw_head(figures, address, style, out);
    for (size_t i = 0; i < sizeof rows / sizeof *rows && out->failed == OK; i++) {
        size_t from = out->bytes;
        buffer_add_text(out, rows[i].name);
        pad(out, from, NAME_COLUMNS);
        rows[i].add(out, figures);
        if (rows[i].charted != FIGURE_COUNT && past && style->charted) {
            pad(out, from, NAME_COLUMNS + VALUE_COLUMNS);
            add_chart(out, past, rows[i].charted, style);
        }
        end_line(out, from, style->width);
    }
}

void top_draw_line(const TopFigures *f, Buffer *out) {
    buffer_format(out, "%s  ", f->model);
    add_output(out, f);
    buffer_add_text(out, "  ");
    add_requests(out, f);
    buffer_add_text(out, "  first token ");
    add_first(out, f);
    buffer_add_text(out, "  each token ");
    add_token(out, f);
    buffer_add_text(out, "  waiting ");
    add_short(out, f->now[FIGURE_QUEUED_REQUESTS]);
    buffer_add_text(out, "  running ");
    add_short(out, f->now[FIGURE_RUNNING_REQUESTS]);
    buffer_add_text(out, "  rows ");
    add_short(out, f->now[FIGURE_STEP_ROWS]);
    buffer_add_text(out, "  K/V ");
    add_percent(out, f->now[FIGURE_KV_USED]);
}

// Counts, bytes and times are whole: reals would be written with nine digits.
static json_t *number_json(double value) {
    if (!isfinite(value))
        return json_null();
    return value == floor(value) && fabs(value) < 9e15 ? json_integer((json_int_t)value) : json_real(value);
}

json_t *top_json(const TopFigures *f) {
    json_t *now = json_object();
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        json_object_set_new(now, history_figure_name((HistoryFigure)i), number_json(f->now[i]));
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:{s:o, s:o, s:o, s:o, s:o, s:o, s:o}}",
                     "hone", f->hone, "state", f->state, "model", f->model, "time", number_json(floor(f->time)),
                     "uptime_s", number_json(f->uptime_s), "resident_bytes", number_json(f->resident_bytes),
                     "memory_limit_bytes", number_json(f->memory_limit_bytes), "bottleneck", f->sentence, "advice",
                     f->advice, "now", now, "totals", "requests", number_json(f->requests), "failed",
                     number_json(f->failed), "rejected", number_json(f->rejected), "cancelled",
                     number_json(f->cancelled), "deadlines_missed", number_json(f->deadlines), "generated_tokens",
                     number_json(f->generated_tokens), "source_tokens", number_json(f->source_tokens));
}
