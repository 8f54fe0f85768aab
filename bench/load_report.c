// SPDX-License-Identifier: Apache-2.0
// What hone-load prints.
#include <sys/resource.h>

#include "bench/load.h"

static const char *const failure_names[FAILURES] = {"connect", "reset",      "cut",     "event",
                                                    "timeout", "unfinished", "overflow"};

static void add_counts(Buffer *out, const uint64_t statuses[600], int but) {
    bool first = true;
    for (int status = 0; status < 600; status++)
        if (statuses[status] && status != but) {
            buffer_format(out, "%s\"%d\":%llu", first ? "" : ",", status, (unsigned long long)statuses[status]);
            first = false;
        }
}

static void add_errors(const LoadFigures *figures, Buffer *out) {
    bool first = true;
    for (int i = 0; i < 600; i++)
        first &= i == 200 || !figures->statuses[i];
    buffer_add_text(out, ",\"errors\":{");
    add_counts(out, figures->statuses, 200);
    for (int i = 0; i < FAILURES; i++)
        if (figures->failures[i]) {
            buffer_format(out, "%s\"%s\":%llu", first ? "" : ",", failure_names[i],
                          (unsigned long long)figures->failures[i]);
            first = false;
        }
    buffer_add_text(out, "},\"bad\":{");
    add_counts(out, figures->bad_statuses, -1);
    buffer_add_char(out, '}');
}

static void add_times(Buffer *out, const char *name, const Histogram *histogram) {
    if (!histogram->count) {
        buffer_format(out, ",\"%s\":null", name);
        return;
    }
    buffer_format(out, ",\"%s\":{\"p50\":%.3f,\"p95\":%.3f,\"p99\":%.3f,\"mean\":%.3f,\"most\":%.3f,\"count\":%llu}",
                  name, (double)histogram_quantile(histogram, 0.5) / 1e6,
                  (double)histogram_quantile(histogram, 0.95) / 1e6, (double)histogram_quantile(histogram, 0.99) / 1e6,
                  histogram_mean(histogram) / 1e6, (double)histogram->most / 1e6, (unsigned long long)histogram->count);
}

static void add_server(const LoadFigures *figures, Buffer *out) {
    const ThreadTimes *a = &figures->before, *b = &figures->after;
    double engine = b->engine_s - a->engine_s, http = b->http_s - a->http_s, watch = b->watch_s - a->watch_s;
    double first = b->main_s - a->main_s, all = b->all_s - a->all_s, known = engine + http + watch + first;
    buffer_format(out,
                  ",\"server\":{\"engine_s\":%.4f,\"http_s\":%.4f,\"watch_s\":%.4f,\"main_s\":%.4f,\"all_s\":%.2f,"
                  "\"transport_share\":%.5f,\"threads\":%zu,\"rss_mb\":%.1f}",
                  engine, http, watch, first, all, known > 0 ? (http + watch) / known : 0, b->threads,
                  (double)b->resident_bytes / 1e6);
}

void load_report(const LoadSettings *settings, const LoadFigures *figures, Buffer *out) {
    double window = figures->window_s > 0 ? figures->window_s : 1;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    buffer_format(out, "{\"requests\":%llu,\"good\":%llu,\"left\":%llu,\"retries\":%llu,\"accepted_bad\":%llu",
                  (unsigned long long)figures->started, (unsigned long long)figures->good,
                  (unsigned long long)figures->left, (unsigned long long)figures->retries,
                  (unsigned long long)figures->accepted_bad);
    add_errors(figures, out);
    buffer_format(out,
                  ",\"duration_s\":%.3f,\"window_s\":%.3f,\"finished\":%llu,\"requests_per_s\":%.3f,"
                  "\"output_tokens\":%llu,\"output_tokens_per_s\":%.2f,\"source_tokens_per_s\":%.1f",
                  figures->duration_s, figures->window_s, (unsigned long long)figures->finished_in_window,
                  (double)figures->finished_in_window / window, (unsigned long long)figures->tokens_in_window,
                  (double)figures->tokens_in_window / window, (double)figures->source_tokens_in_window / window);
    add_times(out, "ttft_ms", &figures->first);
    add_times(out, "tpot_ms", &figures->per_token);
    add_times(out, "itl_ms", &figures->gap);
    add_times(out, "e2e_ms", &figures->total);
    buffer_format(out, ",\"most_in_progress\":%zu,\"idle_closed\":%llu,\"interrupted\":%s", figures->most_open,
                  (unsigned long long)figures->idle_closed, figures->interrupted ? "true" : "false");
    if (settings->pid)
        add_server(figures, out);
    buffer_format(out, ",\"own\":{\"cpu_s\":%.4f,\"cpu_share\":%.5f,\"peak_rss_mb\":%.1f}}\n", figures->own_cpu_s,
                  figures->duration_s > 0 ? figures->own_cpu_s / figures->duration_s : 0,
                  (double)usage.ru_maxrss / 1024);
}
