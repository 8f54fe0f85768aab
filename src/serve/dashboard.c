// SPDX-License-Identifier: Apache-2.0
// What the page lives on, as JSON.
#include "serve/dashboard.h"

#include <math.h>
#include <string.h>

#include "serve/bottleneck.h"

const DashboardHeader dashboard_headers[] = {
    {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                                "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {0},
};

static void add_text(Buffer *out, const char *name, const char *text) {
    buffer_format(out, "\"%s\":", name);
    buffer_add_json(out, text, strlen(text));
}

static void add_number(Buffer *out, const char *name, double value) {
    buffer_format(out, isfinite(value) ? "\"%s\":%.12g" : "\"%s\":null", name, value);
}

// ,"rejected":{"queue_full":0,...}
static void add_labels(Buffer *out, const char *name, const Metrics *metrics, MetricId id) {
    buffer_format(out, ",\"%s\":{", name);
    for (size_t label = 0; label < metric_labels(id); label++) {
        if (label)
            buffer_add_char(out, ',');
        add_number(out, metric_label(id, label), metrics_value(metrics, id, label));
    }
    buffer_add_char(out, '}');
}

static void add_server(const Dashboard *dashboard, double now, Buffer *out) {
    const Metrics *server = dashboard->server;
    double start = metrics_value(server, METRIC_START_TIME, 0);
    buffer_add_text(out, "{\"hone\":\"" HONE_VERSION "\",");
    add_number(out, "time", now);
    buffer_add_char(out, ',');
    add_text(out, "state", dashboard->state);
    buffer_add_text(out, ",\"server\":{");
    add_number(out, "uptime_s", start > 0 ? now - start : NAN);
    buffer_add_char(out, ',');
    add_number(out, "connections", metrics_value(server, METRIC_CONNECTIONS, 0));
    buffer_add_char(out, ',');
    add_number(out, "resident_bytes", metrics_value(server, METRIC_RESIDENT_BYTES, 0));
    buffer_add_char(out, ',');
    add_number(out, "memory_limit_bytes", metrics_value(server, METRIC_MEMORY_LIMIT, 0));
    buffer_add_text(out, "},\"models\":[");
}

static void add_totals(const Metrics *metrics, Buffer *out) {
    static const struct {
        const char *name;
        MetricId id;
    } totals[] = {
        {"requests", METRIC_REQUESTS_FINISHED},
        {"failed", METRIC_REQUESTS_FAILED},
        {"deadlines_missed", METRIC_DEADLINES_MISSED},
        {"source_tokens", METRIC_PROMPT_TOKENS},
        {"generated_tokens", METRIC_GENERATED_TOKENS},
        {"encode_steps", METRIC_ENCODE_STEPS},
        {"encoded_tokens", METRIC_ENCODED_TOKENS},
        {"padding_avoided_tokens", METRIC_PADDING_AVOIDED},
        {"decode_steps", METRIC_DECODE_STEPS},
        {"encoder_cache_hits", METRIC_ENCODER_CACHE_HITS},
        {"encoder_cache_misses", METRIC_ENCODER_CACHE_MISSES},
        {"step_predicted_s", METRIC_STEP_PREDICTED_SECONDS},
        {"step_actual_s", METRIC_STEP_ACTUAL_SECONDS},
    };
    buffer_add_text(out, ",\"totals\":{");
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++) {
        if (i)
            buffer_add_char(out, ',');
        add_number(out, totals[i].name, metrics_total(metrics, totals[i].id));
    }
    add_labels(out, "finished", metrics, METRIC_REQUESTS_FINISHED);
    add_labels(out, "rejected", metrics, METRIC_REQUESTS_REJECTED);
    add_labels(out, "cancelled", metrics, METRIC_REQUESTS_CANCELLED);
    add_labels(out, "step_s", metrics, METRIC_STEP_SECONDS);
    buffer_add_char(out, '}');
}

static void add_bottleneck(const DashboardModel *model, Buffer *out) {
    BottleneckFigures figures = bottleneck_figures(model->history, model->most_requests);
    BottleneckKind kind = bottleneck_find(&figures);
    Buffer sentence = {0}, advice = {0};
    bottleneck_print(kind, &figures, &sentence, &advice);
    buffer_add_text(out, ",\"bottleneck\":{");
    add_text(out, "kind", bottleneck_word(kind));
    buffer_add_char(out, ',');
    add_text(out, "sentence", sentence.bytes ? sentence.data : "");
    buffer_add_char(out, ',');
    add_text(out, "advice", advice.bytes ? advice.data : "");
    buffer_add_char(out, '}');
    buffer_done(&sentence);
    buffer_done(&advice);
}

static void add_live(const DashboardModel *model, Buffer *out) {
    HistorySample newest = history_newest(model->history);
    add_text(out, "name", model->name);
    buffer_add_text(out, ",\"now\":");
    if (isfinite(newest.time))
        history_print_sample(&newest, out);
    else
        buffer_add_text(out, "null");
    add_bottleneck(model, out);
    add_totals(model->metrics, out);
}

static void add_profile(const DashboardModel *model, Buffer *out) {
    buffer_add_text(out, ",\"profile\":[");
    for (size_t i = 0; i < model->profile_count; i++) {
        const ProfileRow *row = &model->profile[i];
        buffer_add_text(out, i ? ",{" : "{");
        add_text(out, "op", row->op ? row->op : "");
        buffer_add_char(out, ',');
        add_text(out, "kernel", row->kernel ? row->kernel : "");
        buffer_add_char(out, ',');
        add_number(out, "seconds", row->seconds);
        buffer_format(out, ",\"runs\":%llu}", (unsigned long long)row->runs);
    }
    buffer_add_char(out, ']');
}

static void add_still(const DashboardModel *model, Buffer *out) {
    buffer_format(out, ",\"card\":%s,\"limits\":{", model->card ? model->card : "null");
    add_number(out, "requests", model->most_requests > 0 ? model->most_requests : NAN);
    buffer_add_char(out, ',');
    add_number(out, "queued", model->most_queued > 0 ? model->most_queued : NAN);
    buffer_add_char(out, ',');
    add_number(out, "queued_tokens", model->most_queued_tokens > 0 ? model->most_queued_tokens : NAN);
    buffer_add_char(out, ',');
    add_number(out, "kv_pages", metrics_value(model->metrics, METRIC_KV_PAGES, 0));
    buffer_format(out, "},\"history_kept\":%s", history_is_kept(model->history) ? "true" : "false");
    add_profile(model, out);
}

static void add_models(const Dashboard *dashboard, bool still, Buffer *out) {
    for (size_t i = 0; i < dashboard->model_count; i++) {
        buffer_add_text(out, i ? ",{" : "{");
        add_live(&dashboard->models[i], out);
        if (still)
            add_still(&dashboard->models[i], out);
        buffer_add_char(out, '}');
    }
    buffer_add_char(out, ']');
}

void dashboard_event(const Dashboard *dashboard, double now, Buffer *out) {
    add_server(dashboard, now, out);
    add_models(dashboard, false, out);
    buffer_add_char(out, '}');
}

void dashboard_state(const Dashboard *dashboard, double now, Buffer *out) {
    add_server(dashboard, now, out);
    add_models(dashboard, true, out);
    buffer_add_text(out, ",\"settings\":[");
    for (size_t i = 0; i < dashboard->setting_count; i++) {
        const DashboardSetting *setting = &dashboard->settings[i];
        buffer_add_text(out, i ? ",{" : "{");
        add_text(out, "name", setting->name);
        buffer_add_char(out, ',');
        add_text(out, "value", setting->value ? setting->value : "");
        buffer_format(out, ",\"chosen\":%s}", setting->chosen ? "true" : "false");
    }
    buffer_add_text(out, "]}");
}

Status dashboard_history(const Dashboard *dashboard, const char *model, const char *span, Buffer *out, Error *err) {
    HistorySpan wanted = HISTORY_15M;
    if (span && !history_span(span, &wanted))
        return FAIL(err, ERR_USAGE, "'span' is '%.40s', expected 15m or 24h", span);
    for (size_t i = 0; i < dashboard->model_count; i++)
        if (!model || strcmp(model, dashboard->models[i].name) == 0) {
            history_print(dashboard->models[i].history, wanted, out);
            return OK;
        }
    return FAIL(err, ERR_USAGE, "no model '%.80s' is served here", model ? model : "");
}
