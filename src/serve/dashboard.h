// SPDX-License-Identifier: Apache-2.0
// The dashboard: one page that shows what the server does, with its style, scripts and charts in the program itself,
// and the JSON that the page and `hone top` live on. Nothing here knows sockets or routes:
//
//     GET /, /dashboard/page.css ...     dashboard_asset(path)
//     GET /dashboard/state               dashboard_state     all that there is to know, once
//     GET /dashboard/events              "data: " dashboard_event "\n\n", once a second
//     GET /dashboard/history?model=&span=15m|24h    dashboard_history
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/file.h"
#include "model/model.h"
#include "serve/history.h"
#include "serve/metrics.h"
#include "serve/profile.h"

// A file of the page. They are the same for everybody and hold nothing of the server: no API key is needed for them.
typedef struct DashboardAsset {
    const char *path, *content_type;
    const char *etag; // quotes included: changes with the content
    Bytes content;
} DashboardAsset;

// NULL: no file of the page.
const DashboardAsset *dashboard_asset(const char *path);

// Headers for every answer of the dashboard: the page runs its own scripts and loads nothing from elsewhere.
typedef struct DashboardHeader {
    const char *name, *value;
} DashboardHeader;
extern const DashboardHeader dashboard_headers[]; // ends with {0}

// One option of the server as it is in effect.
typedef struct DashboardSetting {
    const char *name, *value; // "max-batch-size", "16"; no secrets
    bool chosen;              // said by the user: not the default
} DashboardSetting;

typedef struct DashboardModel {
    const char *name;
    const Metrics *metrics;
    ServeHistory *history;
    const char *card; // dashboard_card; NULL: not known
    const ProfileRow *profile;
    size_t profile_count;
    double most_requests, most_queued, most_queued_tokens; // limits of the service; 0: none
} DashboardModel;

typedef struct Dashboard {
    const Metrics *server;
    const DashboardModel *models;
    size_t model_count;
    const DashboardSetting *settings;
    size_t setting_count;
    const char *state; // "serving", "loading", "draining"
} Dashboard;

// What a model is, and the evidence that its hone.json holds, as a JSON object. Made once, when the model is opened. A
// hone.json that is missing or damaged is no failure: the card says what is the matter with it.
MUST_CHECK Status dashboard_card(const ModelInfo *info, Buffer *out, Error *err);

// `now`: seconds since 1970. Each appends one JSON object without line ends.
void dashboard_state(const Dashboard *dashboard, double now, Buffer *out);
void dashboard_event(const Dashboard *dashboard, double now, Buffer *out);
// `model` NULL: the first; `span` NULL: "15m". ERR_USAGE for others than there are.
MUST_CHECK Status dashboard_history(const Dashboard *dashboard, const char *model, const char *span, Buffer *out,
                                    Error *err);
