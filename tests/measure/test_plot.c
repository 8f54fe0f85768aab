// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <math.h>

#include "markup.h"
#include "measure/plot_spec.h"
#include "measure/plot_svg.h"

START_TEST(checker_can_fail) {
    ck_assert(is_well_formed("<a b=\"<\"/>") == false);
    ck_assert(is_well_formed("<a><b></a></b>") == false);
    ck_assert(is_well_formed("<a>&</a>") == false);
    ck_assert(is_well_formed("<a>\x01</a>") == false);
    ck_assert(is_well_formed("<a></a><b></b>") == false);
    ck_assert(is_well_formed("<a b=\"c>d\">&amp;<b/></a>\n"));
    ck_assert(is_well_formed("<!doctype html>\n<a><script>if (a && b < c) d();</script><h1>&amp;</h1></a>"));
    ck_assert(!is_well_formed("<a><script>1</a>"));
    ck_assert(!is_well_formed("<a b></a>") && !is_well_formed("<a b='c'></a>"));
}
END_TEST

static const PlotPoint points[] = {{1, 270, 260, 300}, {2, 200, 200, 200}, {128, 30, 29, 34}};

static Plot plot_two(PlotSeries *series, PlotScale x, PlotScale y) {
    series[0] = (PlotSeries){.name = "hone <INT8> & \"co\"", .points = points, .count = 3};
    series[1] = (PlotSeries){.name = "limit", .points = points, .count = 2, .dashed = true};
    return (Plot){.title = "a & b",
                  .description = "d < e",
                  .x = {"batch", x},
                  .y = {"ms", y},
                  .series = series,
                  .series_count = 2};
}

START_TEST(lines_have_everything) {
    Error err;
    Buffer svg = {0};
    PlotSeries series[2];
    Plot plot = plot_two(series, PLOT_LOG2, PLOT_LINEAR);
    CHECK_OK(plot_lines(&plot, &svg, &err));
    ck_assert_msg(is_well_formed(svg.data), "not well-formed:\n%s", svg.data);
    ck_assert(strncmp(svg.data, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"hone-plot\" viewBox=", 66) == 0);
    ck_assert(strstr(svg.data, "<title id=\"title-0\">a &amp; b</title>\n<desc id=\"desc-0\">d &lt; e</desc>"));
    ck_assert_uint_eq(count(svg.data, "hone &lt;INT8&gt; &amp; &quot;co&quot;"), 2); // legend, and the series' title
    ck_assert_uint_eq(count(svg.data, "class=\"mark c0\""), 4);                      // three points and the legend
    ck_assert_uint_eq(count(svg.data, "class=\"mark c1\""), 0);                      // a dashed line has no marks
    ck_assert_uint_eq(count(svg.data, "class=\"spread c0\""), 6);                    // two spreads of three strokes
    ck_assert(strstr(svg.data, "prefers-color-scheme:dark"));
    buffer_done(&svg);
}
END_TEST

// x from 72 to 694 over 1..128 by powers of two; y from 374 (0) to 74 (300): seven octaves, linear milliseconds.
START_TEST(numbers_land_where_they_belong) {
    Error err;
    Buffer svg = {0};
    PlotSeries series[2];
    Plot plot = plot_two(series, PLOT_LOG2, PLOT_LINEAR);
    CHECK_OK(plot_lines(&plot, &svg, &err));
    char expected[160];
    snprintf(expected, sizeof expected, "d=\"M%.1f %.1fL%.1f %.1fL%.1f %.1f\"", 72.0, 374 - 300 * 270.0 / 300,
             72 + 622.0 / 7, 374 - 300 * 200.0 / 300, 694.0, 374 - 300 * 30.0 / 300);
    ck_assert_msg(strstr(svg.data, expected) != NULL, "no %s in\n%s", expected, svg.data);
    buffer_done(&svg);
    svg = (Buffer){0};
    plot = plot_two(series, PLOT_LINEAR, PLOT_LOG10); // x 0..150 in steps of 20: to 140; y 20..500
    CHECK_OK(plot_lines(&plot, &svg, &err));
    snprintf(expected, sizeof expected, "d=\"M%.1f %.1fL%.1f %.1fL", 72 + 622.0 / 140,
             374 - 300 * log(270.0 / 20) / log(500.0 / 20), 72 + 622.0 * 2 / 140,
             374 - 300 * log(200.0 / 20) / log(500.0 / 20));
    ck_assert_msg(strstr(svg.data, expected) != NULL, "no %s in\n%s", expected, svg.data);
    buffer_done(&svg);
}
END_TEST

static void check_ticks(PlotScale scale, double low, double high, size_t wanted, const char *expected) {
    double ticks[PLOT_TICKS_MOST];
    size_t ticks_count = plot_ticks(scale, low, high, wanted, ticks);
    char text[512] = "", number[PLOT_NUMBER_BYTES];
    for (size_t i = 0; i < ticks_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), i ? " %s" : "%s", plot_number(ticks[i], number));
    ck_assert_str_eq(text, expected);
}

START_TEST(ticks) {
    check_ticks(PLOT_LINEAR, 0, 300, 6, "0 50 100 150 200 250 300");
    check_ticks(PLOT_LINEAR, 0, 0.07, 6, "0 0.02 0.04 0.06 0.08");
    check_ticks(PLOT_LINEAR, -3, 4, 6, "-4 -2 0 2 4");
    check_ticks(PLOT_LINEAR, 0, 50265, 6, "0 10,000 20,000 30,000 40,000 50,000 60,000");
    check_ticks(PLOT_LOG2, 1, 128, 8, "1 2 4 8 16 32 64 128");
    check_ticks(PLOT_LOG2, 60, 1000, 8, "32 64 128 256 512 1,024");
    check_ticks(PLOT_LOG2, 1, 1e6, 8, "1 8 64 512 4,096 32,768 262,144 2,097,152");
    check_ticks(PLOT_LOG10, 12, 700, 6, "10 20 50 100 200 500 1,000");
    check_ticks(PLOT_LOG10, 0.3, 0.4, 6, "0.2 0.5");
    check_ticks(PLOT_LOG10, 1, 1e6, 6, "1 10 100 1,000 10,000 100,000 1,000,000");
}
END_TEST

// Whatever the range, the ticks enclose it, ascend, and are few.
START_TEST(ticks_enclose) {
    for (int scale = 0; scale < PLOT_SCALE_COUNT; scale++)
        for (double low = 1e-9; low < 1e9; low *= 7.3)
            for (double factor = 1.001; factor < 1e12; factor *= 3.7) {
                double t[PLOT_TICKS_MOST], high = low * factor;
                size_t n = plot_ticks((PlotScale)scale, low, high, 6, t);
                ck_assert_uint_ge(n, 2);
                ck_assert_uint_le(n, PLOT_TICKS_MOST);
                ck_assert_msg(t[0] <= low * (1 + 1e-9) && t[n - 1] >= high * (1 - 1e-9),
                              "scale %d: %g .. %g has ticks %g .. %g", scale, low, high, t[0], t[n - 1]);
                for (size_t i = 1; i < n; i++)
                    ck_assert(t[i] > t[i - 1]);
            }
}
END_TEST

START_TEST(numbers) {
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},
                 {0.5, "0.5"},
                 {2.5, "2.5"},
                 {1024, "1,024"},
                 {-1234567, "-1,234,567"},
                 {999.96, "1,000"},
                 {123456, "123,456"},
                 {1e-7, "1e-07"},
                 {1.25e12, "1.25e+12"},
                 {3.14159, "3.142"},
                 {-100000, "-100,000"}};
    char text[PLOT_NUMBER_BYTES];
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        ck_assert_str_eq(plot_number(cases[i].value, text), cases[i].text);
}
END_TEST

START_TEST(short_numbers) {
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},       {0.004, "0"},  {0.005, "0.01"}, {-0.123, "-0.12"},  {0.994, "0.99"},
                 {0.996, "1.0"}, {9.94, "9.9"}, {9.96, "10"},    {-1234.5, "-1,234"}};
    char text[PLOT_NUMBER_BYTES];
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        ck_assert_str_eq(plot_short(cases[i].value, text), cases[i].text);
}
END_TEST

START_TEST(decimals) {
    static const struct {
        double value;
        int decimals;
        const char *text;
    } cases[] = {{2.5, 2, "2.50"},
                 {1234.5, 1, "1,234.5"},
                 {-0.004, 2, "0.00"},
                 {-0.006, 2, "-0.01"},
                 {-1e-9, 0, "0"},
                 {0, 3, "0.000"},
                 {99.999, 1, "100.0"},
                 {-123456.7, 0, "-123,457"},
                 {1e15, 2, "1e+15"},
                 {-2e9, 1, "-2e+09"},
                 {999999999, 9, "999,999,999.000000000"}};
    char text[PLOT_NUMBER_BYTES];
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        ck_assert_str_eq(plot_decimals(cases[i].value, cases[i].decimals, text), cases[i].text);
}
END_TEST

// In one page, no picture's ids are another's, and its rules begin with its own class.
START_TEST(pictures_share_a_page) {
    Error err;
    Buffer page = {0};
    PlotSeries series[2];
    Plot plot = plot_two(series, PLOT_LOG2, PLOT_LINEAR);
    PlotBar bar = {.label = "b", .value = 1, .low = 1, .high = 1};
    PlotBars bars = {.title = "t", .bars = &bar, .count = 1};
    CHECK_OK(plot_lines(&plot, &page, &err));
    char second[64];
    snprintf(second, sizeof second, "aria-labelledby=\"title-%zu desc-%zu\"", page.bytes, page.bytes);
    CHECK_OK(plot_bars(&bars, &page, &err));
    ck_assert_uint_eq(count(page.data, "id=\"title-0\""), 1);
    ck_assert_uint_eq(count(page.data, second), 1);
    const char *style = strstr(page.data, "<style>\n") + strlen("<style>\n"), *end = strstr(style, "</style>");
    size_t rules = 0;
    for (const char *p = style; p < end; p = strchr(p, '}') + 1 + strspn(strchr(p, '}') + 1, "}\n"), rules++) {
        const char *media = "@media screen and (prefers-color-scheme:dark){\n";
        p += strncmp(p, media, strlen(media)) == 0 ? strlen(media) : 0;
        ck_assert_msg(strncmp(p, ".hone-plot ", 11) == 0, "a rule of the page: %.40s", p);
    }
    ck_assert_uint_gt(rules, 30);
    buffer_done(&page);
}
END_TEST

START_TEST(refusals) {
    Error err;
    Buffer svg = {0};
    PlotSeries one = {.name = "s", .points = (PlotPoint[]){{0, 1, 1, 1}}, .count = 1};
    Plot plot = {.title = "t", .x = {"x", PLOT_LOG2}, .y = {"y", PLOT_LINEAR}, .series = &one, .series_count = 1};
    CHECK_FAILS(plot_lines(&plot, &svg, &err), ERR_FORMAT,
                "point 1 of series 's' is not above 0, which a logarithmic axis needs");
    one.points = (PlotPoint[]){{1, NAN, 1, 1}};
    CHECK_FAILS(plot_lines(&plot, &svg, &err), ERR_FORMAT, "point 1 of series 's' is no finite number");
    one.points = (PlotPoint[]){{1, 2, 3, 4}};
    CHECK_FAILS(plot_lines(&plot, &svg, &err), ERR_FORMAT, "outside its own spread");
    one.count = 0;
    CHECK_FAILS(plot_lines(&plot, &svg, &err), ERR_FORMAT, "at least one point");
    plot.series_count = 9;
    CHECK_FAILS(plot_lines(&plot, &svg, &err), ERR_LIMIT, "9 series, it may have 8");
    PlotBar bar = {.label = "b", .value = -1, .low = -1, .high = 1};
    PlotBars bars = {.title = "t", .bars = &bar, .count = 1};
    CHECK_FAILS(plot_bars(&bars, &svg, &err), ERR_FORMAT, "bar 1, 'b'");
    bar = (PlotBar){.label = "b", .value = NAN};
    CHECK_FAILS(plot_bars(&bars, &svg, &err), ERR_FORMAT, "bar 1, 'b'");
    bars.count = 0;
    CHECK_FAILS(plot_bars(&bars, &svg, &err), ERR_FORMAT, "at least one");
    ck_assert_uint_eq(svg.bytes, 0);
    buffer_done(&svg);
}
END_TEST

// Points that leave an axis no span, and texts of any bytes, still make a picture.
START_TEST(odd_inputs) {
    Error err;
    for (int scale = 0; scale < PLOT_SCALE_COUNT; scale++)
        for (int kind = 0; kind < 3; kind++) {
            double value = (double[]){1, 1e15, 1e-15}[kind];
            PlotPoint point = {value, value, value, value};
            PlotSeries one = {.name = "\xff\x01<\xed\xa0\x80", .points = &point, .count = 1};
            Plot plot = {.title = "]]>&",
                         .x = {"\x02", (PlotScale)scale},
                         .y = {NULL, (PlotScale)scale},
                         .series = &one,
                         .series_count = 1};
            Buffer svg = {0};
            CHECK_OK(plot_lines(&plot, &svg, &err));
            ck_assert_msg(is_well_formed(svg.data), "%s", svg.data);
            ck_assert(!strstr(svg.data, "nan") && !strstr(svg.data, "inf"));
            ck_assert(strstr(svg.data, "]]&gt;&amp;"));
            buffer_done(&svg);
        }
}
END_TEST

START_TEST(waterfall) {
    Error err;
    Buffer svg = {0};
    const PlotBar bars[] = {{.label = "PyTorch", .value = 400, .low = 390, .high = 400},
                            {.label = "hone", .note = "overhead", .value = 100, .low = 100, .high = 100},
                            {.label = "slower", .value = 120, .low = 120, .high = 120}};
    PlotBars plot = {.title = "t", .axis_label = "ms", .bars = bars, .count = 3, .waterfall = true};
    CHECK_OK(plot_bars(&plot, &svg, &err));
    ck_assert(is_well_formed(svg.data));
    // 376 pixels for 400: the second bar is a quarter, what it saves the rest; a step up saves nothing
    ck_assert(strstr(svg.data, "<rect class=\"bar\" x=\"236\" y=\"94.0\" width=\"94.0\" height=\"22\"/>"));
    ck_assert(strstr(svg.data, "<rect class=\"saved\" x=\"330.0\" y=\"94.0\" width=\"282.0\" height=\"22\"/>"));
    ck_assert_uint_eq(count(svg.data, "class=\"saved\""), 1);
    ck_assert(strstr(svg.data, ">100 (\xC3\x97 0.25)<") && strstr(svg.data, ">120 (\xC3\x97 1.20)<"));
    buffer_done(&svg);
}
END_TEST

// 3 rows by 2 columns; the largest is 1000, so that each shade down is the next smaller half power of ten.
static PlotHeat heat_six(PlotCell cells[6]) {
    static const PlotHeatRow rows[] = {{"shared", 0}, {"enc.0.fc1", 5}, {"enc.0.fc2", 5}};
    static const char *const columns[] = {"int8", "zeros <0.5>"};
    const PlotCell six[] = {{1000, "saves & more"}, {99, NULL}, {NAN, "unseen"}, {-0.05, NULL}, {0, NULL}, {3, NULL}};
    memcpy(cells, six, sizeof six);
    return (PlotHeat){.title = "t",
                      .legend = "thousandths",
                      .rows = rows,
                      .row_count = 3,
                      .columns = columns,
                      .column_count = 2,
                      .cells = cells};
}

START_TEST(heat_map) {
    Error err;
    Buffer svg = {0};
    PlotCell cells[6];
    PlotHeat heat = heat_six(cells);
    CHECK_OK(plot_heat(&heat, &svg, &err));
    ck_assert_msg(is_well_formed(svg.data), "not well-formed:\n%s", svg.data);
    // labels of 6 letters, 7 units each, between 20 and 8; columns of the least width
    ck_assert(strstr(svg.data,
                     "<g class=\"strong\"><title>shared, int8: 1,000\nsaves &amp; more</title><rect class=\"h8\" "
                     "x=\"70.0\" y=\"136.0\" width=\"45.0\" height=\"19.0\"/><text class=\"cell\" "
                     "text-anchor=\"middle\" x=\"92.5\" y=\"149.5\">1,000</text></g>"));
    ck_assert(strstr(
        svg.data,
        "<g class=\"bold\"><title>shared, zeros &lt;0.5&gt;: 99</title><rect class=\"h6\" x=\"116.0\" y=\"136.0\""));
    ck_assert(strstr(svg.data, "<g><title>enc.0.fc1, zeros &lt;0.5&gt;: -0.05</title><rect class=\"g0\""));
    ck_assert(strstr(svg.data, "<g><title>enc.0.fc2, int8: 0</title><rect class=\"h0\""));
    ck_assert(strstr(svg.data, "<g><title>enc.0.fc2, zeros &lt;0.5&gt;: 3.0</title><rect class=\"h3\""));
    ck_assert_uint_eq(count(svg.data, "class=\"cell\""), 5);
    ck_assert(!strstr(svg.data, "unseen") && !strstr(svg.data, "nan"));
    // the heading that two rows share stands there once, in a row of its own with space above
    ck_assert_uint_eq(
        count(svg.data, "<text class=\"group\" text-anchor=\"start\" x=\"20.0\" y=\"177.0\">enc.0</text>"), 1);
    ck_assert(strstr(svg.data, "text-anchor=\"end\" x=\"62.0\" y=\"196.5\">fc1</text>"));
    ck_assert(strstr(svg.data, "y=\"114.0\">zeros</text>") && strstr(svg.data, "y=\"128.0\">&lt;0.5&gt;</text>"));
    ck_assert(strstr(svg.data, ">1,000</text>") && strstr(svg.data, ">0.10</text>")); // the legend's ends
    buffer_clear(&svg);
    const PlotHeatRow rows[] = {{"enc.0", 5}, {"enc.0.fc1", 5}, {"enc.0.fc2", 5}}; // a row that is all of its group
    heat.rows = rows;
    heat.most = 1;
    CHECK_OK(plot_heat(&heat, &svg, &err));
    ck_assert_uint_eq(count(svg.data, "y=\"150.0\">enc.0</text>"), 1);
    ck_assert(strstr(svg.data, "y=\"169.5\">as a whole</text>") && strstr(svg.data, "<title>enc.0, int8: 1,000"));
    ck_assert(strstr(svg.data, "y=\"88.0\">0.0001</text>")); // no shade begins at 0
    buffer_clear(&svg);
    heat.most = 10; // what is larger has the strongest shade, too
    CHECK_OK(plot_heat(&heat, &svg, &err));
    ck_assert_uint_eq(count(svg.data, "</title><rect class=\"h8\""), 2);
    buffer_done(&svg);
}
END_TEST

START_TEST(heat_map_refusals) {
    Error err;
    Buffer svg = {0};
    PlotCell cells[6];
    PlotHeat heat = heat_six(cells);
    cells[5].value = -INFINITY;
    CHECK_FAILS(plot_heat(&heat, &svg, &err), ERR_FORMAT,
                "the cell of 'enc.0.fc2' and 'zeros <0.5>' is no number of a size that can be drawn");
    heat.column_count = 0;
    CHECK_FAILS(plot_heat(&heat, &svg, &err), ERR_FORMAT, "at least one row and one column");
    heat.column_count = 33;
    CHECK_FAILS(plot_heat(&heat, &svg, &err), ERR_LIMIT, "3 rows and 33 columns, it may have 1024 and 32");
    ck_assert_uint_eq(svg.bytes, 0);
    const PlotHeatRow row = {"\xff\x01 a label of many more letters than a picture has room for <", 0};
    const char *const column = "]]>&\xed\xa0\x80 another label of very many letters";
    heat = (PlotHeat){.rows = &row, .row_count = 1, .columns = &column, .column_count = 1, .cells = cells};
    for (double value = 1e-15; value <= 1e15; value *= 1e15) {
        cells[0].value = value;
        buffer_clear(&svg);
        CHECK_OK(plot_heat(&heat, &svg, &err));
        ck_assert_msg(is_well_formed(svg.data), "%s", svg.data);
        ck_assert(strstr(svg.data, "\xE2\x80\xA6</text>") && strstr(svg.data, "]]&gt;&amp;"));
        ck_assert(!strstr(svg.data, "nan") && !strstr(svg.data, "inf"));
    }
    buffer_done(&svg);
}
END_TEST

// No number is too small or too large beside another to be drawn as one.
START_TEST(bars_of_any_size) {
    Error err;
    Buffer svg = {0};
    static const double values[][2] = {{1e-320, 1e-321}, {1e-300, 1e15}, {0, 0}, {1e15, 1e-300}};
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        double a = values[i][0], b = values[i][1];
        const PlotBar bars[] = {{.label = "a", .value = a, .low = a, .high = a},
                                {.label = "b", .value = b, .low = b, .high = b}};
        PlotBars plot = {.title = "t", .bars = bars, .count = 2, .waterfall = true};
        buffer_clear(&svg);
        CHECK_OK(plot_bars(&plot, &svg, &err));
        ck_assert_msg(!strstr(svg.data, "nan") && !strstr(svg.data, "inf"), "%s", svg.data);
    }
    buffer_done(&svg);
}
END_TEST

START_TEST(long_labels_are_cut) {
    Error err;
    Buffer svg = {0};
    PlotBar bar = {.label = "\xC3\xA9 23456789 123456789 1234567", .value = 1, .low = 1, .high = 1};
    PlotBars bars = {.title = "t", .bars = &bar, .count = 1};
    CHECK_OK(plot_bars(&bars, &svg, &err));
    ck_assert(strstr(svg.data, ">\xC3\xA9 23456789 123456789 1234567</text>"));
    buffer_clear(&svg);
    bar.label = "\xC3\xA9 23456789 123456789 12345678x";
    CHECK_OK(plot_bars(&bars, &svg, &err));
    ck_assert(strstr(svg.data, ">\xC3\xA9 23456789 123456789 123456\xE2\x80\xA6</text>"));
    buffer_done(&svg);
}
END_TEST

static Status draw(const char *text, Buffer *out, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    json_t *spec = NULL;
    Status status = json_parse(&arena, "spec", (Bytes){(const unsigned char *)text, strlen(text)}, false, &spec, err);
    if (status == OK)
        status = plot_spec_draw(&arena, spec, "spec", out, err);
    arena_done(&arena);
    return status;
}

START_TEST(specs) {
    Error err;
    Buffer a = {0}, b = {0};
    CHECK_OK(draw("{\"kind\":\"lines\",\"title\":\"a & b\",\"description\":\"d < e\",\"x\":{\"label\":\"batch\","
                  "\"scale\":\"log2\"},\"y\":{\"label\":\"ms\"},\"series\":[{\"name\":\"hone <INT8> & \\\"co\\\"\","
                  "\"points\":[[1,270,260,300],[2,200],[128,30,29,34]]},{\"name\":\"limit\",\"dashed\":true,"
                  "\"points\":[[1,270,260,300],[2,200]]}]}",
                  &a, &err));
    PlotSeries series[2];
    Plot plot = plot_two(series, PLOT_LOG2, PLOT_LINEAR);
    CHECK_OK(plot_lines(&plot, &b, &err));
    ck_assert_str_eq(a.data, b.data);
    buffer_clear(&a);
    CHECK_OK(draw("{\"kind\":\"waterfall\",\"title\":\"t\",\"axis\":\"ms\",\"bars\":[{\"label\":\"x\",\"value\":2,"
                  "\"low\":1,\"high\":3},{\"label\":\"y\",\"note\":\"n\",\"value\":1}]}",
                  &a, &err));
    ck_assert_uint_eq(count(a.data, "class=\"saved\""), 1);
    ck_assert_uint_eq(count(a.data, "class=\"whisker\""), 3);
    buffer_clear(&a);
    buffer_clear(&b);
    CHECK_OK(
        draw("{\"kind\":\"heat\",\"title\":\"t\",\"legend\":\"nats\",\"columns\":[\"int8\",\"nf4\"],\"rows\":["
             "{\"label\":\"shared\",\"values\":[1,null]},{\"label\":\"a.0.fc1\",\"group\":\"a.0\",\"values\":[-2,3]}]}",
             &a, &err));
    PlotHeatRow rows[] = {{"shared", 0}, {"a.0.fc1", 3}};
    PlotCell cells[] = {{.value = 1}, {.value = NAN}, {.value = -2}, {.value = 3}};
    PlotHeat heat = {.title = "t",
                     .legend = "nats",
                     .rows = rows,
                     .row_count = 2,
                     .columns = (const char *const[]){"int8", "nf4"},
                     .column_count = 2,
                     .cells = cells};
    CHECK_OK(plot_heat(&heat, &b, &err));
    ck_assert_str_eq(a.data, b.data);
    static const struct {
        const char *spec, *text;
    } bad[] = {
        {"[]", "expected a JSON object that describes a plot"},
        {"{\"kind\":\"pie\"}", "'kind' is 'pie', expected lines, bars, waterfall or heat"},
        {"{\"kind\":\"bars\"}", "'title' is missing"},
        {"{\"kind\":\"bars\",\"title\":\"t\",\"axis\":\"a\"}", "'bars' is missing, expected an array"},
        {"{\"kind\":\"bars\",\"title\":\"t\",\"axis\":\"a\",\"bars\":[{\"label\":\"x\"}]}",
         "bar 'x' has no number as its 'value'"},
        {"{\"kind\":\"lines\",\"title\":\"t\",\"x\":{\"label\":\"l\",\"scale\":\"cubic\"}}",
         "'x' has the scale 'cubic', expected linear, log2 or log10"},
        {"{\"kind\":\"lines\",\"title\":\"t\",\"x\":{\"label\":\"l\"},\"y\":{\"label\":\"l\"},\"series\":[{\"name\":"
         "\"s\",\"points\":[[1]]}]}",
         "point 1 of series 's' is none, expected [x, y] or [x, y, low, high]"},
        {"{\"kind\":\"heat\",\"title\":\"t\"}", "'legend' is missing"},
        {"{\"kind\":\"heat\",\"title\":\"t\",\"legend\":\"l\",\"columns\":[1]}",
         "'columns' holds something else than strings"},
        {"{\"kind\":\"heat\",\"title\":\"t\",\"legend\":\"l\",\"columns\":[\"c\"],\"rows\":[1]}",
         "'rows' holds something else than objects"},
        {"{\"kind\":\"heat\",\"title\":\"t\",\"legend\":\"l\",\"columns\":[\"c\"],\"rows\":[{\"label\":\"r\","
         "\"values\":[1,2]}]}",
         "row 'r' has 2 values, and there are 1 columns"},
        {"{\"kind\":\"heat\",\"title\":\"t\",\"legend\":\"l\",\"columns\":[\"c\"],\"rows\":[{\"label\":\"r\","
         "\"values\":[\"1\"]}]}",
         "row 'r' holds something else than numbers and null"},
        {"{\"kind\":\"heat\",\"title\":\"t\",\"legend\":\"l\",\"columns\":[\"c\"],\"rows\":[{\"label\":\"r\","
         "\"group\":\"s\",\"values\":[1]}]}",
         "row 'r' is in the group 's', which its label does not begin with"},
        {"{\"kind\":\"heat\",\"title\":\"t\",\"legend\":\"l\",\"columns\":[\"c\"],\"rows\":[]}",
         "at least one row and one column"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        CHECK_FAILS(draw(bad[i].spec, &a, &err), ERR_FORMAT, bad[i].text);
    buffer_done(&a);
    buffer_done(&b);
}
END_TEST

TEST_MAIN("measure/plot", checker_can_fail, lines_have_everything, numbers_land_where_they_belong, ticks, ticks_enclose,
          numbers, short_numbers, decimals, pictures_share_a_page, refusals, odd_inputs, waterfall, heat_map,
          heat_map_refusals, bars_of_any_size, long_labels_are_cut, specs)
