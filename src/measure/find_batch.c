// SPDX-License-Identifier: Apache-2.0
// Doubling, then the neighbourhood of the best.
#include "measure/find_batch.h"

#include <math.h>

// Windows of a point agree when their throughputs lie within this of each other, as perf_analyzer has it.
static const double agreement = 0.1;
// A larger batch has to be this much faster than a smaller one to be preferred: waiting costs, too.
static const double worth = 0.01;
enum { WINDOWS_LEAST = 2, WINDOWS_MOST = 5 };

static Status window(Engine *engine, const BatchSearch *search, size_t batch, size_t requests, uint64_t seed,
                     ServingFigures *ret, Error *err) {
    ServingWork work = search->work;
    work.in_flight = batch;
    work.requests = requests;
    work.seed = seed;
    return serving_run(engine, &work, NULL, NULL, ret, err);
}

static double greater(double a, double b) {
    return a > b || isnan(b) ? a : b;
}

// A window's requests are as many as run in its time, and several rounds of the batch: a start and an end have fewer
// rows.
static Status measure(Engine *engine, const BatchSearch *search, size_t batch, BatchPoint *ret, Error *err) {
    double seconds = search->point_s > 0 ? search->point_s : 0.5;
    engine_set_most_running(engine, batch);
    ServingFigures figures;
    TRY(window(engine, search, batch, batch, 1, &figures, err));
    size_t requests = (size_t)(figures.requests_per_s * seconds), least = 2 * batch;
    requests = requests > least ? requests : least;
    double low = INFINITY, high = 0, sum = 0;
    BatchPoint point = {.batch = batch, .token_p50_ms = NAN, .token_p99_ms = NAN, .first_token_p99_ms = NAN};
    size_t windows = 0;
    while (windows < WINDOWS_LEAST || (windows < WINDOWS_MOST && (high - low) / high > agreement)) {
        TRY(window(engine, search, batch, requests, 2 + windows, &figures, err));
        low = fmin(low, figures.tokens_per_s);
        high = fmax(high, figures.tokens_per_s);
        sum += figures.tokens_per_s;
        point.requests_per_s += figures.requests_per_s;
        point.token_p50_ms = greater(figures.token_ms[0], point.token_p50_ms);
        point.token_p99_ms = greater(figures.token_ms[2], point.token_p99_ms);
        point.first_token_p99_ms = greater(figures.first_token_ms[2], point.first_token_p99_ms);
        windows++;
    }
    point.tokens_per_s = sum / (double)windows;
    point.requests_per_s /= (double)windows;
    point.spread = (high - low) / high;
    point.within = search->target_ms <= 0 || !(point.token_p99_ms > search->target_ms);
    *ret = point;
    return OK;
}

static void add(BatchCurve *curve, BatchPoint point) {
    size_t at = curve->count++;
    for (; at > 0 && curve->points[at - 1].batch > point.batch; at--)
        curve->points[at] = curve->points[at - 1];
    curve->points[at] = point;
}

static bool is_better(const BatchPoint *a, const BatchPoint *b) {
    if (a->within != b->within)
        return a->within;
    return a->within && a->tokens_per_s > b->tokens_per_s * (1 + worth);
}

static void choose(BatchCurve *curve) {
    curve->best = 0;
    for (size_t i = 1; i < curve->count; i++)
        if (is_better(&curve->points[i], &curve->points[curve->best]))
            curve->best = i;
    curve->met = curve->points[curve->best].within;
}

static Status take(Engine *engine, const BatchSearch *search, size_t batch, BatchCurve *curve, Error *err) {
    BatchPoint point;
    TRY(measure(engine, search, batch, &point, err));
    add(curve, point);
    choose(curve);
    if (search->tell)
        search->tell(search->context, &point);
    return OK;
}

// Halfway to the neighbours of the best, once and again, where that is an eighth away at least.
static Status refine(Engine *engine, const BatchSearch *search, BatchCurve *curve, Error *err) {
    for (int round = 0; round < 2; round++) {
        size_t best = curve->best, own = curve->points[best].batch, step = 1 + own / 8;
        size_t next = best + 1 < curve->count ? curve->points[best + 1].batch : own;
        size_t last = best > 0 ? curve->points[best - 1].batch : own;
        size_t above = (own + next) / 2, below = (own + last) / 2;
        if (above >= own + step && above < next && curve->count < BATCH_POINTS_MOST)
            TRY(take(engine, search, above, curve, err));
        if (below + step <= own && below > last && curve->count < BATCH_POINTS_MOST)
            TRY(take(engine, search, below, curve, err));
    }
    return OK;
}

Status find_batch(Engine *engine, const BatchSearch *search, BatchCurve *ret, Error *err) {
    *ret = (BatchCurve){0};
    bool goes_on = true;
    for (size_t batch = 1; goes_on; batch = 2 * batch < search->most_batch ? 2 * batch : search->most_batch) {
        TRY(take(engine, search, batch, ret, err));
        // Larger ones take longer for a token; two doublings that win nothing are not noise.
        goes_on = batch < search->most_batch && ret->best + 2 >= ret->count &&
                  (ret->count == 1 || ret->points[ret->count - 1].within);
    }
    TRY(refine(engine, search, ret, err));
    engine_set_most_running(engine, ret->points[ret->best].batch);
    return OK;
}
