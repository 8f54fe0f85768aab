// SPDX-License-Identifier: Apache-2.0
// Milliseconds by measurement: samples at batch 1, a token a step, with all weights as they are and with all in one
// scheme, in turns; of each step the fastest of some rounds counts. References are decoded rather than what
// each scheme would write, so that all do the same steps.
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "compress/sensitivity_work.h"

enum { TIMED_SAMPLES = 4, ROUNDS = 3 };

// Milliseconds of each step of a sample: those of the encode plan, of the decode plan, of the head's.
typedef struct StepTimes {
    double *ms;        // [count] the means of
    double *sample_ms; // [samples, count] the fastest rounds
    size_t count, samples;
    size_t first[SESSION_STAGES];
} StepTimes;

static Plan *plan_of(const Sensing *sensing, SessionStage stage) {
    return session_plan(engine_session(sensing->runtime->engine), stage);
}

static Status times_make(Sensing *sensing, StepTimes *ret_times, Error *err) {
    StepTimes times = {0};
    const PlanStep *steps;
    for (SessionStage stage = 0; stage < SESSION_STAGES; stage++) {
        times.first[stage] = times.count;
        times.count += plan_steps(plan_of(sensing, stage), &steps);
    }
    times.samples = sensing->samples.count < TIMED_SAMPLES ? sensing->samples.count : TIMED_SAMPLES;
    TRY_NEW(times.ms = arena_array(&sensing->scratch, times.count, sizeof *times.ms, err));
    TRY_NEW(times.sample_ms = arena_array(&sensing->scratch, times.samples * times.count, sizeof *times.ms, err));
    *ret_times = times;
    return OK;
}

static Status sample_run(Sensing *sensing, const TokenSample *sample, Error *err) {
    Session *session = engine_session(sensing->runtime->engine);
    Arena arena;
    ForcedLoss forced;
    arena_init(&arena, 0);
    Status status = forced_open(&arena, session, sample, 1, sensing->start, &forced, err);
    if (status == OK)
        status = forced_run(&forced, SESSION_ENCODE, err);
    float *logits;
    for (size_t r = 0; r < forced.row_count && status == OK; r++)
        status = session_decode(session, &forced.rows[r], 1, &logits, err);
    forced_close(&forced);
    arena_done(&arena);
    return status;
}

static void spent_read(const Sensing *sensing, const StepTimes *times, double *ret_ns) {
    const PlanStep *steps;
    for (SessionStage stage = 0; stage < SESSION_STAGES; stage++)
        for (size_t s = 0, count = plan_steps(plan_of(sensing, stage), &steps); s < count; s++)
            ret_ns[times->first[stage] + s] = (double)steps[s].spent_ns;
}

// One pass over the samples; what was faster than before takes its place, step by step of each sample: whatever else
// the machine does spoils a few steps, and seldom the same twice.
static Status round_run(Sensing *sensing, StepTimes *times, bool first, Error *err) {
    double *ns = arena_array(&sensing->scratch, times->count, 2 * sizeof *ns, err);
    TRY_NEW(ns);
    double *before = ns + times->count;
    for (size_t i = 0; i < times->samples; i++) {
        spent_read(sensing, times, before);
        TRY(sample_run(sensing, &sensing->samples.items[i], err));
        spent_read(sensing, times, ns);
        for (size_t s = 0; s < times->count; s++) {
            double *best = &times->sample_ms[i * times->count + s], ms = (ns[s] - before[s]) * 1e-6;
            *best = first || ms < *best ? ms : *best;
        }
    }
    return OK;
}

// The means of all samples.
static void times_average(StepTimes *times) {
    for (size_t s = 0; s < times->count; s++) {
        times->ms[s] = 0;
        for (size_t i = 0; i < times->samples; i++)
            times->ms[s] += times->sample_ms[i * times->count + s] / (double)times->samples;
    }
}

// Whether a step reads one of the weights whose time is a site's.
static bool reads_of(const Site *site, const Node *node) {
    const Constant *weight = node->op == OP_LINEAR || node->op == OP_EMBED ? node->inputs[1].constant : NULL;
    bool reads = false;
    for (size_t i = 0; i < node->input_count && !site->tensor; i++)
        reads |= node->inputs[i].constant &&
                 strncmp(node->inputs[i].constant->name, site->prefix, strlen(site->prefix)) == 0;
    for (size_t m = 0; weight && site->group && m < site->group->member_count; m++)
        reads |= strcmp(site->group->members[m].tensor->name, weight->name) == 0;
    return reads || (weight && site->tensor && !site->group && strcmp(site->tensor->name, weight->name) == 0);
}

// All steps of a layer; else those that multiply by the site's weights, in whatever plan they are.
static double site_ms(const Sensing *sensing, const Site *site, const StepTimes *times) {
    double ms = 0;
    for (SessionStage stage = 0; stage < SESSION_STAGES; stage++) {
        const PlanStep *steps;
        Plan *plan = plan_of(sensing, stage);
        size_t count = plan_steps(plan, &steps);
        SiteSteps own = !site->tensor && stage == site->stage ? site_steps(site, plan) : (SiteSteps){0, 0};
        for (size_t s = 0; s < count; s++)
            if ((s >= own.first && s < own.last) || reads_of(site, steps[s].node))
                ms += times->ms[times->first[stage] + s];
    }
    return ms;
}

// All weights in a scheme at once.
typedef struct Everything {
    Change *changes;
    size_t count;
    Arena arena;
    SessionVariant variant;
} Everything;

static Status everything_make(Sensing *sensing, WeightScheme scheme, Everything *all, Error *err) {
    Constant *constants;
    TRY_NEW(all->changes = arena_array(&all->arena, sensing->site_count, sizeof *all->changes, err));
    TRY_NEW(constants = arena_array(&all->arena, sensing->site_count, sizeof *constants, err));
    for (size_t i = 0; i < sensing->entry_count; i++)
        if (sensing->entries[i].row.kind == CHANGE_SCHEME && sensing->entries[i].row.scheme == scheme &&
            !(all->count && all->changes[all->count - 1].entry->site == sensing->entries[i].site))
            all->changes[all->count++].entry = &sensing->entries[i];
    TRY(changes_find(sensing, all->changes, all->count, err));
    for (size_t i = 0; i < all->count; i++)
        constants[i] = all->changes[i].variant.constant;
    return session_variant_make(&all->arena, engine_session(sensing->runtime->engine), constants, all->count,
                                &all->variant, err);
}

// Rounds in turns: the machine is as busy for one as for the other.
static Status turns_run(Sensing *sensing, const Everything *all, StepTimes *base, StepTimes *changed, Error *err) {
    for (size_t round = 0; round < ROUNDS; round++) {
        TRY(round_run(sensing, base, round == 0, err));
        if (!changed)
            continue;
        session_variant_swap(&all->variant);
        Status status = round_run(sensing, changed, round == 0, err);
        session_variant_swap(&all->variant);
        TRY(status);
    }
    return OK;
}

static Status turns_measure(Sensing *sensing, const Everything *all, double *ret_ms, double *ret_sample_ms,
                            Error *err) {
    StepTimes base, changed;
    Session *session = engine_session(sensing->runtime->engine);
    TRY(times_make(sensing, &base, err));
    TRY(times_make(sensing, &changed, err));
    session_set_timing(session, true);
    Status status = turns_run(sensing, all, &base, all ? &changed : NULL, err);
    session_set_timing(session, false);
    TRY(status);
    *ret_sample_ms = 0;
    times_average(&base);
    times_average(&changed); // all 0 where nothing changed
    for (size_t s = 0; s < base.count; s++) {
        *ret_sample_ms += base.ms[s];
        base.ms[s] -= changed.ms[s];
    }
    for (size_t i = 0; i < sensing->site_count; i++)
        ret_ms[i] = site_ms(sensing, &sensing->sites[i], &base);
    return OK;
}

static Status scheme_measure(Sensing *sensing, WeightScheme scheme, double *ret_ms, double *ret_sample_ms, Error *err) {
    TRY(sensing_start(sensing, err));
    if (scheme == STORE_AS_IS)
        return turns_measure(sensing, NULL, ret_ms, ret_sample_ms, err);
    Everything all = {0};
    arena_init(&all.arena, 0);
    Status status = everything_make(sensing, scheme, &all, err);
    if (status == OK)
        status = turns_measure(sensing, &all, ret_ms, ret_sample_ms, err);
    changes_done(all.changes, all.count);
    arena_done(&all.arena);
    return status;
}

// ret_ms [sites]: what each site takes as it is (STORE_AS_IS), or saves under the scheme.
static Status times_find(Sensing *sensing, WeightScheme scheme, double *ret_ms, double *ret_sample_ms, bool *ret_found,
                         Error *err) {
    const SensitivityOptions *options = sensing->options;
    Kept *kept = arena_array(&sensing->scratch, sensing->site_count + 1, sizeof *kept, err);
    TRY_NEW(kept);
    for (size_t i = 0; i < sensing->site_count; i++)
        kept[i] = (Kept){sensing->sites[i].layer, &ret_ms[i]};
    kept[sensing->site_count] = (Kept){"sample", ret_sample_ms};
    char *key = arena_format(&sensing->scratch, err, "%s; %s; threads %d; int4/%zu; times %s",
                             options->cache_key ? options->cache_key : "", cpu_level_name(options->level),
                             options->threads, options->group, weight_scheme_name(scheme));
    TRY_NEW(key);
    TRY(sensing_recall(sensing, key, kept, sensing->site_count + 1, ret_found, err));
    if (*ret_found || sensing_is_late(sensing))
        return OK;
    TRY(scheme_measure(sensing, scheme, ret_ms, ret_sample_ms, err));
    *ret_found = true;
    return sensing_keep(sensing, key, kept, sensing->site_count + 1, err);
}

// What goes takes its share of the time along; zeros take as long as any other value.
static double saved_ms(const Sensing *sensing, const Entry *entry, const double *base_ms) {
    double ms = base_ms[entry->site - sensing->sites];
    if (entry->row.kind == CHANGE_MASK)
        return 0;
    return entry->row.kind == CHANGE_LAYER
               ? ms
               : ms * (double)(entry->site->group->units - entry->kept) / (double)entry->site->group->units;
}

Status sensing_times(Sensing *sensing, Error *err) {
    double ignored, *ms = arena_array(&sensing->scratch, sensing->site_count, sizeof *ms, err);
    TRY_NEW(ms);
    bool found;
    TRY(times_find(sensing, STORE_AS_IS, ms, &sensing->base_ms, &found, err));
    for (size_t i = 0; i < sensing->entry_count && found; i++) {
        Entry *entry = &sensing->entries[i];
        entry->timed = entry->row.kind != CHANGE_SCHEME;
        if (entry->timed)
            entry->row.ms_saved = saved_ms(sensing, entry, ms);
    }
    for (size_t s = 0; s < sensing->options->scheme_count; s++) {
        WeightScheme scheme = sensing->options->schemes[s];
        TRY(times_find(sensing, scheme, ms, &ignored, &found, err));
        for (size_t i = 0; i < sensing->entry_count && found; i++) {
            Entry *entry = &sensing->entries[i];
            if (entry->row.kind != CHANGE_SCHEME || entry->row.scheme != scheme)
                continue;
            entry->row.ms_saved = ms[entry->site - sensing->sites];
            entry->timed = true;
        }
    }
    return OK;
}
