// SPDX-License-Identifier: Apache-2.0
// The frontier: every recipe the search tried as a point, its loss against its latency and against its size.
#include <math.h>
#include <stdlib.h>

#include "compress/report_part.h"
#include "measure/plot.h"
#include "measure/plot_svg.h"

enum { WIDTH = 460, HEIGHT = 340, LEFT = 74, RIGHT = 434, TOP = 18, BOTTOM = 284, TICK_ROOM = 24 };

// What differs by less is the same place on an axis.
static const double NO_SPAN = 1e-9;

typedef struct FrontierPoint {
    const char *recipe;
    Figure loss;
    double ms, mb;
    bool within, chosen;
} FrontierPoint;

typedef struct Points {
    FrontierPoint *items;
    size_t count;
    double budget;
} Points;

// Losses onto pixels: near zero as they are, beyond `bend` by their logarithm, so that a tenth of the budget and a
// ruined model both have room. With a large bend the scale is linear.
typedef struct LossAxis {
    double bend, low, high;
    bool linear;
} LossAxis;

typedef struct Scatter {
    const Points *points;
    const char *name, *axis_label;
    const char *lacking; // what those have not that are not drawn
    double (*x)(const FrontierPoint *point);
    LossAxis loss;
    double ticks[PLOT_TICKS_MOST]; // of x
    size_t tick_count;
} Scatter;

static double point_ms(const FrontierPoint *point) {
    return point->ms;
}

static double point_mb(const FrontierPoint *point) {
    return point->mb;
}

static double loss_low(const FrontierPoint *point) {
    return fmin(point->loss.low, point->loss.value);
}

static double loss_high(const FrontierPoint *point) {
    return fmax(point->loss.high, point->loss.value);
}

static double place_loss(const LossAxis *axis, double loss) {
    double low = asinh(axis->low / axis->bend), high = asinh(axis->high / axis->bend);
    return BOTTOM + (TOP - BOTTOM) * (asinh(loss / axis->bend) - low) / (high - low);
}

static double place_x(const Scatter *scatter, double x) {
    double low = scatter->ticks[0], high = scatter->ticks[scatter->tick_count - 1];
    return LEFT + (RIGHT - LEFT) * (x - low) / (high - low);
}

static bool is_drawn(const Scatter *scatter, const FrontierPoint *point) {
    return isfinite(scatter->x(point)) && isfinite(point->loss.value);
}

// One axis for both pictures.
static LossAxis loss_lay_out(const Points *points) {
    double low = 0, high = points->budget > 0 ? points->budget * 1.3 : 0;
    for (size_t i = 0; i < points->count; i++) {
        const FrontierPoint *point = &points->items[i];
        if (isfinite(point->loss.value) && (isfinite(point->ms) || isfinite(point->mb))) {
            low = fmin(low, loss_low(point));
            high = fmax(high, loss_high(point));
        }
    }
    if (!(high - low > NO_SPAN))
        high = low + 0.01;
    double unit = points->budget > 0 ? points->budget : 0.01;
    bool linear = high <= 3 * unit && low >= -3 * unit;
    double bend = linear ? 1e6 * (high - low) : fmax(unit / 4, 1e-9 * (high - low));
    return (LossAxis){bend, low, high, linear};
}

// Lays out the axis of x; returns how many points are drawn.
static size_t lay_out(Scatter *scatter) {
    const Points *points = scatter->points;
    double left = INFINITY, right = -INFINITY;
    size_t drawn = 0;
    for (size_t i = 0; i < points->count; i++) {
        const FrontierPoint *point = &points->items[i];
        if (!is_drawn(scatter, point))
            continue;
        left = fmin(left, scatter->x(point));
        right = fmax(right, scatter->x(point));
        drawn++;
    }
    if (!drawn)
        return 0;
    if (!(right - left > NO_SPAN * fmax(1, fabs(right)))) { // one value alone needs a span
        double room = fmax(fabs(left) / 2, 0.001);
        left -= room;
        right += room;
    }
    if (left > 0 && left < 0.25 * right)
        left = 0;
    scatter->tick_count = plot_ticks(PLOT_LINEAR, left, right, 5, scatter->ticks);
    return drawn;
}

// Adds a tick unless another is too near.
static size_t tick_add(const LossAxis *axis, double loss, double *ticks, size_t count) {
    if (loss < axis->low || loss > axis->high || count == PLOT_TICKS_MOST)
        return count;
    for (size_t i = 0; i < count; i++)
        if (fabs(place_loss(axis, ticks[i]) - place_loss(axis, loss)) < TICK_ROOM)
            return count;
    ticks[count] = loss;
    return count + 1;
}

// Where the scale is not linear, round numbers as far as there is room: zero, powers of ten, five and two times those.
static size_t loss_ticks(const LossAxis *axis, double ticks[PLOT_TICKS_MOST]) {
    if (axis->linear) {
        size_t count = plot_ticks(PLOT_LINEAR, axis->low, axis->high, 6, ticks), kept = 0;
        for (size_t i = 0; i < count; i++)
            if (ticks[i] >= axis->low && ticks[i] <= axis->high)
                ticks[kept++] = ticks[i];
        return kept;
    }
    static const double parts[] = {1, 5, 2};
    size_t count = tick_add(axis, 0, ticks, 0);
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
        for (int power = 13; power >= -9; power--)
            for (int sign = 1; sign >= -1; sign -= 2)
                count = tick_add(axis, sign * parts[p] * pow(10, power), ticks, count);
    return count;
}

static void add_frame(const Scatter *scatter, Buffer *out) {
    double ticks[PLOT_TICKS_MOST];
    char text[PLOT_NUMBER_BYTES];
    size_t count = loss_ticks(&scatter->loss, ticks);
    for (size_t i = 0; i < count; i++) {
        double at = place_loss(&scatter->loss, ticks[i]);
        svg_line(out, ticks[i] == 0 ? "axis" : "grid", LEFT, at, RIGHT, at);
        buffer_format(out, "<text text-anchor=\"end\" x=\"%d\" y=\"%.1f\">", LEFT - 7, at + 4);
        report_add_short(out, ticks[i] * 100);
        buffer_add_text(out, "</text>\n");
    }
    for (size_t i = 0; i < scatter->tick_count; i++) {
        double at = place_x(scatter, scatter->ticks[i]);
        svg_line(out, "axis", at, BOTTOM, at, BOTTOM + 5);
        svg_text(out, "tick", "middle", at, BOTTOM + 20, plot_number(scatter->ticks[i], text));
    }
    svg_line(out, "axis", LEFT, BOTTOM, RIGHT, BOTTOM);
    svg_text(out, "label", "middle", (LEFT + RIGHT) / 2.0, BOTTOM + 44, scatter->axis_label);
    buffer_format(
        out, "<text text-anchor=\"middle\" transform=\"translate(13 %.1f) rotate(-90)\">relative loss, %%%s</text>\n",
        (TOP + BOTTOM) / 2.0, scatter->loss.linear ? "" : " (finer near 0)");
}

static void add_budget(const Scatter *scatter, Buffer *out) {
    double budget = scatter->points->budget;
    if (!(budget > 0))
        return;
    double at = place_loss(&scatter->loss, budget);
    svg_line(out, "budget", LEFT, at, RIGHT, at);
    buffer_format(out, "<text class=\"budget-name halo\" text-anchor=\"end\" x=\"%d\" y=\"%.1f\">budget ", RIGHT,
                  at - 6);
    report_add_budget(out, budget);
    buffer_add_text(out, "</text>\n");
}

typedef struct Place {
    double x, loss;
} Place;

static int by_x(const void *a, const void *b) {
    const Place *left = a, *right = b;
    double order = left->x != right->x ? left->x - right->x : left->loss - right->loss;
    return (order > 0) - (order < 0);
}

// The stairs under which no recipe was found: for every x the least loss of those at or left of it.
static Status add_best(const Scatter *scatter, Arena *arena, Buffer *out, Error *err) {
    Place *places = arena_array(arena, scatter->points->count, sizeof *places, err);
    TRY_NEW(places);
    size_t count = 0;
    for (size_t i = 0; i < scatter->points->count; i++) {
        const FrontierPoint *point = &scatter->points->items[i];
        if (is_drawn(scatter, point))
            places[count++] = (Place){scatter->x(point), point->loss.value};
    }
    qsort(places, count, sizeof *places, by_x);
    double least = places[0].loss;
    buffer_format(out, "<path class=\"best\" d=\"M%.1f %.1f", place_x(scatter, places[0].x),
                  place_loss(&scatter->loss, least));
    for (size_t i = 1; i < count; i++)
        if (places[i].loss < least) {
            least = places[i].loss;
            buffer_format(out, "H%.1fV%.1f", place_x(scatter, places[i].x), place_loss(&scatter->loss, least));
        }
    buffer_format(out, "H%d\"/>\n", RIGHT);
    return OK;
}

static void add_mark(Buffer *out, bool within, double x, double y) {
    if (within)
        buffer_format(out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>\n", x, y);
    else
        buffer_format(out, "<rect class=\"dot\" x=\"%.1f\" y=\"%.1f\" width=\"8\" height=\"8\"/>\n", x - 4, y - 4);
}

// How much a name of `wide` by `high` pixels around (x, y) would cover: points, the budget's name, the frame's edge.
static size_t covered(const Scatter *scatter, double x, double y, double wide, double high) {
    size_t count = 0;
    for (size_t i = 0; i < scatter->points->count; i++) {
        const FrontierPoint *point = &scatter->points->items[i];
        count += is_drawn(scatter, point) && fabs(place_x(scatter, scatter->x(point)) - x) < wide / 2 + 5 &&
                 fabs(place_loss(&scatter->loss, point->loss.value) - y) < high / 2 + 5;
    }
    double budget = scatter->points->budget > 0 ? place_loss(&scatter->loss, scatter->points->budget) : -HEIGHT;
    bool names_meet = x + wide / 2 > RIGHT - 116 && fabs(budget - 10 - y) < high;
    bool outside = x - wide / 2 < LEFT - 4 || x + wide / 2 > RIGHT || y < TOP || y > BOTTOM - high / 2;
    return count + (names_meet ? PLOT_POINTS_MOST : 0) + (outside ? 2 * PLOT_POINTS_MOST : 0);
}

// The chosen point's ring, and its name in the emptiest corner around it.
static void add_chosen(const Scatter *scatter, Buffer *out, double x, double y) {
    enum { NAME_WIDE = 62, NAME_HIGH = 16 };
    static const int corners[][2] = {{1, 12}, {1, -12}, {-1, -12}, {-1, 12}, {1, 28}, {1, -28}, {-1, -28}, {-1, 28}};
    size_t best = 0, least = SIZE_MAX;
    for (size_t i = 0; i < sizeof corners / sizeof *corners; i++) {
        size_t count =
            covered(scatter, x + corners[i][0] * (10 + NAME_WIDE / 2), y + corners[i][1], NAME_WIDE, NAME_HIGH);
        if (count < least) {
            least = count;
            best = i;
        }
    }
    buffer_format(out, "<circle class=\"ring\" cx=\"%.1f\" cy=\"%.1f\" r=\"8.5\"/>\n", x, y);
    svg_text(out, "name halo", corners[best][0] > 0 ? "start" : "end", x + corners[best][0] * 10,
             y + corners[best][1] + 4, "chosen");
}

static void add_point(const Scatter *scatter, const FrontierPoint *point, Buffer *out) {
    double x = place_x(scatter, scatter->x(point)), y = place_loss(&scatter->loss, point->loss.value);
    buffer_format(out, "<g class=\"%s\"><title>", point->within ? "in" : "out");
    svg_escape(out, *point->recipe ? point->recipe : "original");
    buffer_add_char(out, '\n');
    report_add_short(out, point->ms);
    buffer_add_text(out, "\xC2\xA0ms, ");
    report_add_short(out, point->mb);
    buffer_add_text(out, "\xC2\xA0MB, loss ");
    report_add_loss(out, point->loss);
    buffer_format(out, "\n%s%s</title>\n", point->chosen ? "chosen, " : "",
                  point->within ? "within the budget" : "beyond the budget");
    if (loss_high(point) > loss_low(point))
        svg_line(out, "spread", x, place_loss(&scatter->loss, loss_low(point)), x,
                 place_loss(&scatter->loss, loss_high(point)));
    add_mark(out, point->within, x, y);
    if (point->chosen)
        add_chosen(scatter, out, x, y);
    buffer_format(out, "<circle class=\"hit\" cx=\"%.1f\" cy=\"%.1f\" r=\"11\"/>\n</g>\n", x, y);
}

static Status add_scatter(Report *report, Scatter *scatter, Error *err) {
    Buffer *out = report->out;
    size_t drawn = lay_out(scatter);
    if (!drawn)
        return OK;
    buffer_format(out,
                  "<figure>\n<h3>Loss against %s</h3>\n<svg class=\"frontier\" viewBox=\"0 0 %d %d\" role=\"img\" "
                  "aria-labelledby=\"by-%s by-%s-more\">\n<title id=\"by-%s\">Loss against %s</title>\n"
                  "<desc id=\"by-%s-more\">A point for every recipe that was measured; the table below has the "
                  "numbers.</desc>\n",
                  scatter->name, WIDTH, HEIGHT, scatter->name, scatter->name, scatter->name, scatter->name,
                  scatter->name);
    add_frame(scatter, out);
    TRY(add_best(scatter, report->arena, out, err));
    add_budget(scatter, out);
    for (int chosen = 0; chosen < 2; chosen++) // the chosen one over the others
        for (size_t i = 0; i < scatter->points->count; i++)
            if (is_drawn(scatter, &scatter->points->items[i]) && scatter->points->items[i].chosen == chosen)
                add_point(scatter, &scatter->points->items[i], out);
    buffer_add_text(out, "</svg>\n");
    if (drawn < scatter->points->count)
        buffer_format(out, "<figcaption>Not drawn: %zu of %zu recipes, %s.</figcaption>\n",
                      scatter->points->count - drawn, scatter->points->count, scatter->lacking);
    buffer_add_text(out, "</figure>\n");
    return OK;
}

static void add_legend(Buffer *out) {
    static const char start[] = "<li><svg class=\"frontier\" viewBox=\"0 0 24 14\" width=\"24\" height=\"14\" "
                                "aria-hidden=\"true\">";
    buffer_format(out, "<ul class=\"legend\">\n%s<g class=\"in\">", start);
    add_mark(out, true, 12, 7);
    buffer_format(out, "</g></svg>within the budget</li>\n%s<g class=\"out\">", start);
    add_mark(out, false, 12, 7);
    buffer_format(
        out,
        "</g></svg>beyond it</li>\n"
        "%s<g class=\"in\"><line class=\"spread\" x1=\"12\" x2=\"12\" y1=\"0\" y2=\"14\"/></g></svg>95\xC2\xA0%% "
        "interval</li>\n"
        "%s<path class=\"best\" d=\"M0 3H9V11H24\"/></svg>least loss found</li>\n</ul>\n",
        start, start);
}

static void add_points_table(const Points *points, Buffer *out) {
    buffer_format(out, "<details><summary>All %zu recipes in numbers</summary>\n", points->count);
    report_begin_scroll(out, "pinned", "All recipes in numbers");
    buffer_add_text(out, "<table>\n<thead><tr><th scope=\"col\" class=\"text\">Recipe</th><th scope=\"col\">ms</th>"
                         "<th scope=\"col\">MB</th><th scope=\"col\">loss, %</th>"
                         "<th scope=\"col\" class=\"text\">budget</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < points->count; i++) {
        const FrontierPoint *point = &points->items[i];
        buffer_format(out, "<tr%s><th scope=\"row\" class=\"text\">", point->chosen ? " class=\"chosen\"" : "");
        svg_escape(out, *point->recipe ? point->recipe : "original");
        buffer_add_text(out, "</th><td>");
        report_add_number(out, point->ms, 2);
        buffer_add_text(out, "</td><td>");
        report_add_number(out, point->mb, 2);
        buffer_add_text(out, "</td><td>");
        report_add_number(out, point->loss.value * 100, 2);
        buffer_add_char(out, ' ');
        report_add_interval(out, point->loss, 100, 2);
        buffer_format(out, "</td><td class=\"text\">%s</td></tr>\n", point->within ? "within" : "beyond");
    }
    buffer_add_text(out, "</tbody>\n</table>\n</div>\n</details>\n");
}

static Status points_read(const Report *report, Points *points, Error *err) {
    const json_t *array;
    TRY(report_array(report, "frontier", &array, &points->count, err));
    if (points->count > PLOT_POINTS_MOST)
        return FAIL(err, ERR_LIMIT, "evidence: 'frontier' has %zu items, it may have %d", points->count,
                    PLOT_POINTS_MOST);
    TRY_NEW(points->items = arena_array(report->arena, points->count, sizeof *points->items, err));
    bool chosen = false;
    for (size_t i = 0; i < points->count; i++) {
        FrontierPoint *point = &points->items[i];
        const json_t *item = NULL;
        char where[REPORT_WHERE_BYTES];
        TRY(report_item(array, "frontier", i, where, &item, err));
        TRY(report_text(item, where, "recipe_text", &point->recipe, err));
        TRY(report_figure(item, where, "loss", "relative", &point->loss, err));
        TRY(report_real(item, where, "ms", &point->ms, err));
        TRY(report_real(item, where, "mb", &point->mb, err));
        point->within = !(loss_high(point) > report->budget);
        TRY(json_get_bool(item, where, "within", &point->within, err));
        TRY(json_get_bool(item, where, "chosen", &point->chosen, err));
        point->chosen &= !chosen; // one has a name and a ring
        chosen |= point->chosen;
    }
    return OK;
}

Status report_frontier(Report *report, Error *err) {
    Points points = {.budget = report->budget};
    TRY(points_read(report, &points, err));
    LossAxis loss = loss_lay_out(&points);
    Scatter latency = {.points = &points,
                       .name = "latency",
                       .axis_label = "latency, ms a sample",
                       .lacking = "which were not timed",
                       .x = point_ms,
                       .loss = loss};
    Scatter size = {.points = &points,
                    .name = "size",
                    .axis_label = "weights, MB",
                    .lacking = "whose size is not known",
                    .x = point_mb,
                    .loss = loss};
    buffer_add_text(
        report->out,
        "<p class=\"lead\">Every recipe that was measured. Lower is closer to the original, "
        "further left is faster or smaller. A recipe is within the budget where its whole interval is.</p>\n"
        "<div class=\"pair\">\n");
    TRY(add_scatter(report, &latency, err));
    TRY(add_scatter(report, &size, err));
    buffer_add_text(report->out, "</div>\n");
    add_legend(report->out);
    add_points_table(&points, report->out);
    return OK;
}
