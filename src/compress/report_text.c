// SPDX-License-Identifier: Apache-2.0
// Numbers as the report writes them: a true minus sign, no-break spaces before units, a dash for what is not known.
#include <math.h>
#include <string.h>

#include "compress/report_part.h"
#include "measure/plot_svg.h"

static void add_signed(Buffer *out, const char *number) {
    bool negative = number[0] == '-';
    if (negative)
        buffer_add_text(out, "\xE2\x88\x92");
    buffer_add_text(out, number + negative);
}

void report_add_number(Buffer *out, double value, int decimals) {
    char text[PLOT_NUMBER_BYTES];
    add_signed(out, isfinite(value) ? plot_decimals(value, decimals, text) : "\xE2\x80\x93");
}

void report_add_short(Buffer *out, double value) {
    char text[PLOT_NUMBER_BYTES];
    add_signed(out, isfinite(value) ? plot_number(value, text) : "\xE2\x80\x93");
}

void report_add_percent(Buffer *out, double share, int decimals) {
    report_add_number(out, share * 100, decimals);
    if (isfinite(share))
        buffer_add_text(out, "\xC2\xA0%");
}

void report_add_budget(Buffer *out, double share) {
    report_add_short(out, share * 100);
    buffer_add_text(out, "\xC2\xA0%");
}

void report_add_interval(Buffer *out, Figure figure, double factor, int decimals) {
    if (!isfinite(figure.low) || !isfinite(figure.high))
        return;
    buffer_add_char(out, '[');
    report_add_number(out, figure.low * factor, decimals);
    buffer_add_text(out, ",\xC2\xA0");
    report_add_number(out, figure.high * factor, decimals);
    buffer_add_char(out, ']');
}

void report_add_loss(Buffer *out, Figure loss) {
    report_add_percent(out, loss.value, 2);
    buffer_add_char(out, ' ');
    report_add_interval(out, loss, 100, 2);
}

void report_add_change(Buffer *out, double from, double to, const char *unit) {
    if (!isfinite(from) || !isfinite(to))
        return;
    int decimals = (int)fmin(2, report_decimals(fmin(from, to)));
    report_add_number(out, from, decimals);
    buffer_add_text(out, "\xC2\xA0\xE2\x86\x92\xC2\xA0");
    report_add_number(out, to, decimals);
    buffer_format(out, "\xC2\xA0%s", unit);
}

int report_decimals(double smallest) {
    double size = fabs(smallest);
    return size < 1 ? 3 : size < 10 ? 2 : size < 100 ? 1 : 0;
}

size_t report_stem_bytes(const char *name) {
    size_t stem = 0;
    for (const char *p = name; (p = strchr(p, '.')); p++) {
        size_t digits = strspn(p + 1, "0123456789");
        if (digits && (p[1 + digits] == '.' || !p[1 + digits]))
            stem = (size_t)(p + 1 + digits - name);
    }
    return stem;
}

void report_begin_scroll(Buffer *out, const char *class, const char *label) {
    buffer_format(out, "<div class=\"scroll %s\" role=\"region\" tabindex=\"0\" aria-label=\"%s\">\n", class, label);
}
