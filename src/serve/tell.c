// SPDX-License-Identifier: Apache-2.0
// Routes that only tell: models, health, information, figures, tokens, pages.
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/completion.h"

static void answer_text(Visit *visit, const char *content_type, Buffer *body) {
    visit->status = 200;
    exchange_add_header(visit->exchange, "X-Request-Id", visit->request_id);
    exchange_answer(visit->exchange, 200, content_type, body);
}

static ApiModel model_of(const Slot *slot, const Instance *instance) {
    const ModelInfo *info = service_info(instance->service);
    return (ApiModel){.name = slot->name,
                      .created = slot->created,
                      .positions = info->most_positions,
                      .vocabulary = info->vocabulary,
                      .ready = true};
}

static void tell_models(Visit *visit) {
    Server *server = visit->server;
    Error error;
    ApiModel *models = arena_array(&visit->arena, server->slot_count, sizeof *models, &error);
    if (!models) {
        visit_refuse(visit, &error, NULL);
        return;
    }
    for (size_t i = 0; i < server->slot_count; i++) {
        Instance *instance = slot_hold(&server->slots[i]);
        models[i] = model_of(&server->slots[i], instance);
        instance_drop(instance);
    }
    Buffer body = {0};
    api_print_models(models, server->slot_count, &body);
    visit_answer(visit, 200, &body);
}

// What is told of the model that the path names.
static void tell_named(Visit *visit, void (*print)(const ApiModel *model, Buffer *out)) {
    Error error;
    if (!(visit->slot = server_slot(visit->server, visit->name, &error))) {
        visit_error(visit, 404, NULL, 0, &error);
        return;
    }
    visit->instance = slot_hold(visit->slot);
    ApiModel model = model_of(visit->slot, visit->instance);
    model.ready = server_is_ready(visit->server);
    Buffer body = {0};
    print(&model, &body);
    visit_answer(visit, print == api_print_model_ready && !model.ready ? 503 : 200, &body);
}

static void tell_model(Visit *visit) {
    tell_named(visit, api_print_model);
}

static void tell_metadata(Visit *visit) {
    tell_named(visit, api_print_metadata);
}

static void tell_model_ready(Visit *visit) {
    tell_named(visit, api_print_model_ready);
}

static void tell_live(Visit *visit) {
    bool live = server_is_live(visit->server);
    Buffer body = {0};
    api_print_live(live, &body);
    visit_answer(visit, live ? 200 : 503, &body);
}

static void tell_ready(Visit *visit) {
    bool ready = server_is_ready(visit->server);
    Buffer body = {0};
    api_print_ready(ready, &body);
    visit_answer(visit, ready ? 200 : 503, &body);
}

static void tell_server(Visit *visit) {
    Buffer body = {0};
    api_print_server(HONE_VERSION, &body);
    visit_answer(visit, 200, &body);
}

static void tell_info(Visit *visit) {
    visit->slot = &visit->server->slots[0];
    visit->instance = slot_hold(visit->slot);
    const ServiceSettings *settings = service_settings(visit->instance->service);
    ApiModel model = model_of(visit->slot, visit->instance);
    Buffer body = {0};
    api_print_info(&model, HONE_VERSION, settings->most_queued + settings->most_running,
                   visit->server->settings.http.limits.most_body_bytes, &body);
    visit_answer(visit, 200, &body);
}

static void tell_openapi(Visit *visit) {
    Buffer body = {0};
    api_print_openapi(HONE_VERSION, &body);
    visit_answer(visit, 200, &body);
}

static void tell_metrics(Visit *visit) {
    Server *server = visit->server;
    Error error;
    const Metrics **metrics = arena_array(&visit->arena, server->slot_count + 1, sizeof(Metrics *), &error);
    if (!metrics) {
        visit_refuse(visit, &error, NULL);
        return;
    }
    server_count(server);
    metrics[0] = server->metrics;
    for (size_t i = 0; i < server->slot_count; i++)
        metrics[1 + i] = server->slots[i].metrics;
    Buffer body = {0};
    metrics_print(metrics, server->slot_count + 1, &body);
    answer_text(visit, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static void tell_cancel(Visit *visit) {
    bool found = complete_cancel(visit->server, visit->name, visit->key);
    Buffer body = {0};
    api_print_cancelled(visit->name, found, &body);
    visit_answer(visit, found ? 200 : 404, &body);
}

// The model that a body of /tokenize or /detokenize names, and an encoder of it.
static Status begin_tokens(Visit *visit, ApiCall *call, Encoder **ret_encoder, const char **ret_param, Error *err) {
    GenerationOptions own = generation_defaults();
    TRY(api_read(&visit->arena, visit->route, exchange_body(visit->exchange), &own, call, ret_param, err));
    if (!(visit->slot = server_slot(visit->server, call->model, err))) {
        *ret_param = "model";
        return err->status;
    }
    visit->instance = slot_hold(visit->slot);
    TRY_NEW(*ret_encoder = service_encoder_take(visit->instance->service, err));
    return OK;
}

static Status print_tokens(Visit *visit, const ApiCall *call, Encoder *encoder, Buffer *body, Error *err) {
    const ModelInfo *info = service_info(visit->instance->service);
    if (visit->route->shape == API_TOKENIZE) {
        Encoding encoding;
        EncodeOptions options = {.add_special = call->add_special};
        TRY(encoder_encode(encoder, call->prompts[0].text, call->prompts[0].bytes, NULL, 0, options, &encoding, err));
        api_print_tokens(encoding.ids, encoding.count, info->most_positions, body);
        return OK;
    }
    Buffer text = {0};
    DecodeOptions options = {.skip_special = call->skip_special,
                             .clean_up = tokenizer_cleans_up(model_tokenizer(service_model(visit->instance->service)))};
    Status status = encoder_decode(encoder, call->prompts[0].ids, call->prompts[0].count, options, &text, err);
    if (status == OK)
        api_print_text(text.data ? text.data : "", text.bytes, body);
    buffer_done(&text);
    return status;
}

static void tell_tokens(Visit *visit) {
    ApiCall call;
    Error error;
    Encoder *encoder = NULL;
    const char *param = NULL;
    Buffer body = {0};
    Status status = begin_tokens(visit, &call, &encoder, &param, &error);
    if (status == OK)
        status = print_tokens(visit, &call, encoder, &body, &error);
    if (encoder)
        service_encoder_give(visit->instance->service, encoder);
    if (status == OK) {
        visit_answer(visit, 200, &body);
        return;
    }
    buffer_done(&body);
    if (param && strcmp(param, "model") == 0 && error.status == ERR_USAGE)
        visit_error(visit, 404, param, 0, &error);
    else
        visit_refuse(visit, &error, param);
}

static void answer_asset(Visit *visit, const DashboardAsset *asset) {
    for (const DashboardHeader *header = dashboard_headers; header->name; header++)
        exchange_add_header(visit->exchange, header->name, header->value);
    exchange_add_header(visit->exchange, "ETag", asset->etag);
    exchange_add_header(visit->exchange, "Cache-Control", "no-cache");
    const char *known = exchange_header(visit->exchange, "If-None-Match");
    Buffer body = {0};
    visit->kind = ROUTE_DASHBOARD;
    if (known && strcmp(known, asset->etag) == 0) {
        visit->status = 304;
        exchange_answer(visit->exchange, 304, NULL, &body);
        return;
    }
    buffer_add(&body, asset->content.data, asset->content.size);
    answer_text(visit, asset->content_type, &body);
}

// The dashboard's view of the server; what it points to lives as long as the instances that are taken.
typedef struct View {
    Dashboard dashboard;
    DashboardModel *models;
    Instance **instances;
    size_t count;
} View;

static Status view_make(Visit *visit, View *ret, Error *err) {
    Server *server = visit->server;
    Arena *arena = &visit->arena;
    View view = {0};
    TRY_NEW(view.models = arena_array(arena, server->slot_count, sizeof *view.models, err));
    TRY_NEW(view.instances = arena_array(arena, server->slot_count, sizeof(Instance *), err));
    ProfileRow *rows = arena_array(arena, server->slot_count * PROFILE_MOST_ROWS, sizeof *rows, err);
    TRY_NEW(rows);
    DashboardSetting *settings = arena_array(arena, server->settings.option_count + 1, sizeof *settings, err);
    TRY_NEW(settings);
    for (size_t i = 0; i < server->settings.option_count; i++) {
        const ServerOption *option = &server->settings.options[i];
        settings[i] = (DashboardSetting){option->name, option->value, option->chosen};
    }
    for (size_t i = 0; i < server->slot_count; i++, rows += PROFILE_MOST_ROWS) {
        Slot *slot = &server->slots[i];
        view.instances[i] = slot_hold(slot);
        Service *service = view.instances[i]->service;
        const ServiceSettings *own = service_settings(service);
        view.models[i] = (DashboardModel){
            .name = slot->name,
            .metrics = slot->metrics,
            .history = slot->history,
            .card = view.instances[i]->card.data,
            .profile = rows,
            .profile_count = service_profile(service, rows),
            .most_requests = (double)own->most_running,
            .most_queued = (double)own->most_queued,
            .most_queued_tokens = own->most_queued_tokens == SIZE_MAX ? 0 : (double)own->most_queued_tokens};
    }
    view.count = server->slot_count;
    view.dashboard = (Dashboard){.server = server->metrics,
                                 .models = view.models,
                                 .model_count = view.count,
                                 .settings = settings,
                                 .setting_count = server->settings.option_count,
                                 .state = atomic_load(&server->draining) ? "draining" : "serving"};
    *ret = view;
    return OK;
}

static void view_done(View *view) {
    for (size_t i = 0; i < view->count; i++)
        instance_drop(view->instances[i]);
}

static void tell_view(Visit *visit, bool history) {
    Error error;
    View view = {0};
    Buffer body = {0};
    server_count(visit->server);
    Status status = view_make(visit, &view, &error);
    if (status == OK && history)
        status = dashboard_history(&view.dashboard, exchange_query(visit->exchange, "model"),
                                   exchange_query(visit->exchange, "span"), &body, &error);
    else if (status == OK)
        dashboard_state(&view.dashboard, seconds_now(), &body);
    view_done(&view);
    if (status == OK) {
        visit_answer(visit, 200, &body);
        return;
    }
    buffer_done(&body);
    visit_refuse(visit, &error, NULL);
}

// One event a second, when the server's clock wakes the visit.
static StreamState tell_event(void *context, Buffer *out) {
    Visit *visit = context;
    Server *server = visit->server;
    uint64_t beat = atomic_load(&server->beats);
    Error error;
    View view = {0};
    if (atomic_load(&server->draining))
        return STREAM_END;
    if (beat == visit->beat)
        return STREAM_WAIT;
    visit->beat = beat;
    if (view_make(visit, &view, &error) != OK)
        return STREAM_ABORT;
    buffer_add_text(out, "data: ");
    dashboard_event(&view.dashboard, seconds_now(), out);
    buffer_add_text(out, "\n\n");
    view_done(&view);
    arena_reset(&visit->arena); // nothing else of an event stream lives there
    return STREAM_MORE;
}

static void tell_unknown(Visit *visit) {
    Error error;
    error_set(&error, ERR_USAGE, __FILE__, __LINE__, "nothing is served at this path; GET /openapi.json tells what is");
    visit_error(visit, 404, NULL, 0, &error);
}

static void tell_dashboard(Visit *visit) {
    const char *path = exchange_path(visit->exchange);
    const DashboardAsset *asset = dashboard_asset(path);
    if (asset)
        answer_asset(visit, asset);
    else if (strcmp(path, "/dashboard/state") == 0)
        tell_view(visit, false);
    else if (strcmp(path, "/dashboard/history") == 0)
        tell_view(visit, true);
    else if (strcmp(path, "/dashboard/events") == 0) {
        visit->status = 200;
        visit->beat = UINT64_MAX;
        visit->watches = true;
        visits_add(&visit->server->watchers, visit);
        exchange_add_header(visit->exchange, "Cache-Control", "no-store");
        exchange_add_header(visit->exchange, "X-Accel-Buffering", "no");
        exchange_stream(visit->exchange, 200, "text/event-stream", tell_event, visit);
    } else
        tell_unknown(visit);
}

void tell(Visit *visit) {
    static const struct {
        const char *handle;
        void (*tell)(Visit *visit);
    } tellers[] = {{"models", tell_models},       {"model", tell_model},     {"metadata", tell_metadata},
                   {"live", tell_live},           {"ready", tell_ready},     {"model_ready", tell_model_ready},
                   {"health", tell_ready},        {"server", tell_server},   {"info", tell_info},
                   {"openapi", tell_openapi},     {"metrics", tell_metrics}, {"cancel", tell_cancel},
                   {"dashboard", tell_dashboard}, {"tokenize", tell_tokens}, {"detokenize", tell_tokens}};
    for (size_t i = 0; visit->route && i < sizeof tellers / sizeof *tellers; i++)
        if (strcmp(visit->route->handle, tellers[i].handle) == 0) {
            tellers[i].tell(visit);
            return;
        }
    tell_unknown(visit);
}
