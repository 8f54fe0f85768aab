// SPDX-License-Identifier: Apache-2.0
// Lanes of waiting requests, the choice among them, and the share of time of the encoder.
#include "engine/scheduler.h"

#include <math.h>

#include "base/memory.h"

static const uint64_t usual_ageing_ns = 2000000000;
enum { USUAL_QUANTUM_TOKENS = 512 };

// A slice of the encoder against the decode step beside it. Below LEAST, a first token waits long for nothing; above
// MOST, streams stall.
static const double least_share = 1, most_share = 3;
// How fast figures of what has ended follow: the last fifty count for two thirds.
static const double follow = 0.02;

// Waiting requests of one tenant and one priority in the order of arrival: the first has aged most.
typedef struct Lane {
    uint64_t tenant;
    int priority;
    Ticket *first, *last;
} Lane;

typedef struct Share {
    uint64_t tenant;
    size_t lanes; // that hold something
    int64_t deficit;
} Share;

struct Scheduler {
    SchedulerSettings settings;
    Lane *lanes; // [most_waiting], those that hold something first
    size_t lane_count;
    Share *shares; // [most_waiting], of tenants with lanes
    size_t share_count;
    uint64_t turn;         // the tenant whose turn it is
    bool turn_paid;        // it got its quantum
    Ticket **shed, **join; // [most_waiting], [most_running]
    Ticket **encoding;     // [most_running] that joined
    size_t encoding_count;
    size_t waiting, waiting_deadlines, waiting_source_tokens, waiting_new_tokens;
    size_t running, rows; // rows: encoding ones included
    size_t most_running;
    Cost encode_cost, decode_cost;
    double last_decode_rows, last_decode_keys;
    double new_tokens, source_tokens; // of a request, on average; 0 until one ended
    uint64_t batch_ns;                // spent on the batch that encodes
};

Status scheduler_make(Arena *arena, const SchedulerSettings *settings, Scheduler **ret, Error *err) {
    Scheduler *s = arena_array(arena, 1, sizeof *s, err);
    TRY_NEW(s);
    *s = (Scheduler){.settings = *settings, .most_running = settings->most_running};
    if (!s->settings.ageing_ns)
        s->settings.ageing_ns = usual_ageing_ns;
    if (!s->settings.quantum_tokens)
        s->settings.quantum_tokens = USUAL_QUANTUM_TOKENS;
    if (!s->settings.most_waiting_tokens)
        s->settings.most_waiting_tokens = SIZE_MAX;
    size_t waiting = settings->most_waiting, running = settings->most_running;
    TRY_NEW(s->lanes = arena_array(arena, waiting, sizeof *s->lanes, err));
    TRY_NEW(s->shares = arena_array(arena, waiting, sizeof *s->shares, err));
    TRY_NEW(s->shed = arena_array(arena, waiting, sizeof(Ticket *), err));
    TRY_NEW(s->join = arena_array(arena, running, sizeof(Ticket *), err));
    TRY_NEW(s->encoding = arena_array(arena, running, sizeof(Ticket *), err));
    cost_init(&s->encode_cost);
    cost_init(&s->decode_cost);
    *ret = s;
    return OK;
}

static size_t ticket_tokens(const Ticket *ticket) {
    return ticket->source_tokens + ticket->most_new_tokens;
}

// New tokens it will have, by those that ended before.
static double expected_tokens(const Scheduler *s, double most) {
    return s->new_tokens > 0 ? fmin(s->new_tokens, most) : most;
}

static double decode_ns(const Scheduler *s, double rows) {
    double keys = s->last_decode_rows > 0 ? s->last_decode_keys / s->last_decode_rows * rows : 0;
    return cost_predict(&s->decode_cost, cost_decode_input(rows, keys));
}

static double encode_ns(const Scheduler *s, double tokens) {
    return cost_predict(&s->encode_cost, cost_encode_input(tokens, tokens * s->source_tokens));
}

uint64_t scheduler_wait_ns(const Scheduler *s) {
    size_t ahead = s->waiting + s->encoding_count + s->running;
    if (!s->decode_cost.seen || ahead < s->most_running)
        return 0;
    double full = (double)s->most_running;
    double steps = expected_tokens(s, (double)s->waiting_new_tokens / fmax((double)s->waiting, 1)) *
                   (double)(ahead + 1 - s->most_running) / full;
    return (uint64_t)(steps * decode_ns(s, full) + encode_ns(s, (double)s->waiting_source_tokens));
}

// The least that it takes from the moment it joins.
static double own_ns(const Scheduler *s, const Ticket *ticket) {
    double steps = expected_tokens(s, (double)ticket->most_new_tokens);
    return encode_ns(s, (double)ticket->source_tokens) + steps * decode_ns(s, (double)ticket->rows);
}

static Status check_room(const Scheduler *s, const Ticket *ticket, uint64_t now, Error *err) {
    if (s->waiting == s->settings.most_waiting)
        return FAIL(err, ERR_BUSY, "the queue is full: %zu requests wait, which is the limit", s->waiting);
    size_t tokens = s->waiting_source_tokens + s->waiting_new_tokens, own = ticket_tokens(ticket);
    if (own > s->settings.most_waiting_tokens - tokens)
        return FAIL(err, ERR_BUSY, "the queue is full: %zu tokens wait and this request has %zu, the limit is %zu",
                    tokens, own, s->settings.most_waiting_tokens);
    if (!ticket->deadline_ns)
        return OK;
    double needed = (double)scheduler_wait_ns(s) + own_ns(s, ticket);
    if (ticket->deadline_ns <= now || needed > (double)(ticket->deadline_ns - now))
        return FAIL(err, ERR_LATE, "the deadline cannot be met: %.0f ms are left and about %.0f ms are needed",
                    ticket->deadline_ns > now ? (double)(ticket->deadline_ns - now) / 1e6 : 0, needed / 1e6);
    return OK;
}

static Share *share_of(Scheduler *s, uint64_t tenant) {
    for (size_t i = 0; i < s->share_count; i++)
        if (s->shares[i].tenant == tenant)
            return &s->shares[i];
    return NULL;
}

static Lane *lane_for(Scheduler *s, const Ticket *ticket) {
    for (size_t i = 0; i < s->lane_count; i++)
        if (s->lanes[i].tenant == ticket->tenant && s->lanes[i].priority == ticket->priority)
            return &s->lanes[i];
    Share *share = share_of(s, ticket->tenant);
    if (!share) {
        share = &s->shares[s->share_count++];
        *share = (Share){.tenant = ticket->tenant};
    }
    share->lanes++;
    Lane *lane = &s->lanes[s->lane_count++];
    *lane = (Lane){.tenant = ticket->tenant, .priority = ticket->priority};
    return lane;
}

Status scheduler_add(Scheduler *s, Ticket *ticket, uint64_t now, Error *err) {
    TRY(check_room(s, ticket, now, err));
    ticket->priority = ticket->priority < 0 ? 0 : ticket->priority;
    ticket->priority = ticket->priority < SCHEDULER_CLASSES ? ticket->priority : SCHEDULER_CLASSES - 1;
    Lane *lane = lane_for(s, ticket);
    ticket->arrived_ns = now;
    ticket->state = TICKET_WAITING;
    ticket->next = NULL;
    if (lane->last)
        lane->last->next = ticket;
    else
        lane->first = ticket;
    lane->last = ticket;
    s->waiting++;
    s->waiting_deadlines += ticket->deadline_ns != 0;
    s->waiting_source_tokens += ticket->source_tokens;
    s->waiting_new_tokens += ticket->most_new_tokens;
    return OK;
}

// A share that has nothing left loses what it saved, as deficit round robin wants it.
static void lane_empty(Scheduler *s, Lane *lane) {
    Share *share = share_of(s, lane->tenant);
    if (--share->lanes == 0)
        *share = s->shares[--s->share_count];
    *lane = s->lanes[--s->lane_count];
}

static void waiting_remove(Scheduler *s, Lane *lane, Ticket *before, Ticket *ticket) {
    if (before)
        before->next = ticket->next;
    else
        lane->first = ticket->next;
    if (lane->last == ticket)
        lane->last = before;
    if (!lane->first)
        lane_empty(s, lane);
    s->waiting--;
    s->waiting_deadlines -= ticket->deadline_ns != 0;
    s->waiting_source_tokens -= ticket->source_tokens;
    s->waiting_new_tokens -= ticket->most_new_tokens;
    ticket->state = TICKET_NONE;
}

static int class_of(const Scheduler *s, const Lane *lane, uint64_t now) {
    uint64_t waited = now > lane->first->arrived_ns ? now - lane->first->arrived_ns : 0;
    uint64_t aged = waited / s->settings.ageing_ns;
    return aged >= (uint64_t)lane->priority ? 0 : lane->priority - (int)aged;
}

// The tenant's lane whose first is of class `best` and has waited longest; NULL: none is.
static Lane *lane_of_tenant(Scheduler *s, uint64_t tenant, int best, uint64_t now) {
    Lane *found = NULL;
    for (size_t i = 0; i < s->lane_count; i++) {
        Lane *lane = &s->lanes[i];
        if (lane->tenant == tenant && class_of(s, lane, now) == best &&
            (!found || lane->first->arrived_ns < found->first->arrived_ns))
            found = lane;
    }
    return found;
}

static size_t turn_index(const Scheduler *s) {
    for (size_t i = 0; i < s->share_count; i++)
        if (s->shares[i].tenant == s->turn)
            return i;
    return s->share_count;
}

// The lane whose first is next: deficit round robin over the tenants that have something in the most urgent class.
// Calling it again gives the same lane until something arrives or is taken.
static Lane *lane_choose(Scheduler *s, uint64_t now) {
    int best = SCHEDULER_CLASSES;
    for (size_t i = 0; i < s->lane_count; i++) {
        int class = class_of(s, &s->lanes[i], now);
        best = class < best ? class : best;
    }
    if (!s->lane_count)
        return NULL;
    for (size_t i = turn_index(s);; i++, s->turn_paid = false) {
        Share *share = &s->shares[i % s->share_count];
        s->turn_paid = s->turn_paid && share->tenant == s->turn;
        s->turn = share->tenant;
        Lane *lane = lane_of_tenant(s, share->tenant, best, now);
        if (!lane)
            continue;
        if (!s->turn_paid) {
            share->deficit += (int64_t)s->settings.quantum_tokens;
            s->turn_paid = true;
        }
        if (share->deficit >= (int64_t)ticket_tokens(lane->first))
            return lane;
    }
}

// Requests that wait and cannot end in time are out.
static size_t shed(Scheduler *s, uint64_t now) {
    size_t count = 0;
    for (size_t i = 0; s->waiting_deadlines && i < s->lane_count;) {
        Lane *lane = &s->lanes[i];
        size_t lanes = s->lane_count;
        for (Ticket *ticket = lane->first, *before = NULL, *next; ticket && lanes == s->lane_count; ticket = next) {
            next = ticket->next;
            bool late = ticket->deadline_ns && (double)now + own_ns(s, ticket) > (double)ticket->deadline_ns;
            if (late) {
                s->shed[count++] = ticket;
                waiting_remove(s, lane, before, ticket);
            } else
                before = ticket;
        }
        i += lanes == s->lane_count; // another lane has taken the place of one that is empty
    }
    return count;
}

// Sequences at once that keep a step with its slice below the target.
static size_t running_bound(const Scheduler *s) {
    size_t most = s->most_running;
    if (!s->settings.step_target_ns || !s->decode_cost.seen)
        return most;
    double target = (double)s->settings.step_target_ns / (1 + least_share);
    while (most > 1 && decode_ns(s, (double)most) > target)
        most--;
    return most;
}

// A batch that could still grow waits a little, as long as others keep the machine busy.
static bool waits_for_more(const Scheduler *s, uint64_t now) {
    if (!s->settings.queue_delay_ns || !s->running || s->waiting_source_tokens >= s->settings.encode_tokens ||
        s->running + s->waiting >= s->most_running)
        return false;
    for (size_t i = 0; i < s->lane_count; i++)
        if (now - s->lanes[i].first->arrived_ns >= s->settings.queue_delay_ns)
            return false;
    return true;
}

static size_t join(Scheduler *s, uint64_t now, size_t free_pages) {
    size_t count = 0, tokens = 0, bound = running_bound(s);
    Lane *lane;
    while ((lane = lane_choose(s, now))) {
        Ticket *ticket = lane->first;
        size_t pages = s->settings.pages(s->settings.context, ticket);
        bool fits = s->running + count < bound && s->rows + ticket->rows <= s->settings.most_rows &&
                    (!count || tokens + ticket->source_tokens <= s->settings.encode_tokens) && pages <= free_pages;
        if (!fits)
            break;
        share_of(s, ticket->tenant)->deficit -= (int64_t)ticket_tokens(ticket);
        waiting_remove(s, lane, NULL, ticket);
        ticket->state = TICKET_ENCODING;
        tokens += ticket->source_tokens;
        free_pages -= pages;
        s->rows += ticket->rows;
        s->join[count++] = s->encoding[s->encoding_count++] = ticket;
    }
    return count;
}

// The encoder's time for a decode step: what a full house would need, whose requests leave after so many steps and have
// to be replaced. So a house that is not full fills up. Nobody waits: no more than a stream bears.
static double encode_share(const Scheduler *s) {
    double full = (double)running_bound(s), step = decode_ns(s, full);
    if (step <= 0 || s->new_tokens <= 0 || !s->waiting)
        return least_share;
    double leave = full / s->new_tokens; // of a step
    return fmin(fmax(1.25 * leave * encode_ns(s, s->source_tokens) / step, least_share), most_share);
}

void scheduler_next(Scheduler *s, uint64_t now, size_t free_pages, ScheduledStep *ret) {
    *ret = (ScheduledStep){.shed = s->shed, .join = s->join};
    ret->shed_count = shed(s, now);
    bool closed = s->settings.whole_batches && s->running;
    if (!s->encoding_count && s->waiting && !closed && !waits_for_more(s, now)) {
        ret->join_count = join(s, now, free_pages);
        s->batch_ns = 0;
    }
    ret->decode = s->running > 0;
    if (!s->encoding_count)
        return;
    double step = decode_ns(s, (double)s->rows);
    bool to_end = !s->running || !s->settings.slices || step <= 0;
    ret->encode_ns = to_end ? UINT64_MAX : (uint64_t)(step * encode_share(s)) + 1;
}

void scheduler_encoded(Scheduler *s, uint64_t spent_ns, bool ended, size_t tokens, double squares) {
    s->batch_ns += spent_ns;
    if (!ended)
        return;
    cost_learn(&s->encode_cost, cost_encode_input((double)tokens, squares), s->batch_ns);
    for (size_t i = 0; i < s->encoding_count; i++)
        s->encoding[i]->state = TICKET_RUNNING;
    s->running += s->encoding_count;
    s->encoding_count = 0;
}

static void encoding_remove(Scheduler *s, const Ticket *ticket) {
    size_t kept = 0;
    for (size_t i = 0; i < s->encoding_count; i++)
        if (s->encoding[i] != ticket)
            s->encoding[kept++] = s->encoding[i];
    s->encoding_count = kept;
}

void scheduler_skip_encode(Scheduler *s, Ticket *ticket) {
    encoding_remove(s, ticket);
    ticket->state = TICKET_RUNNING;
    s->running++;
}

void scheduler_decoded(Scheduler *s, size_t rows, size_t keys, uint64_t spent_ns) {
    s->last_decode_rows = (double)rows;
    s->last_decode_keys = (double)keys;
    cost_learn(&s->decode_cost, cost_decode_input((double)rows, (double)keys), spent_ns);
}

static void average(double *figure, double value) {
    *figure = *figure > 0 ? *figure + follow * (value - *figure) : value;
}

static void waiting_leave(Scheduler *s, Ticket *ticket) {
    for (size_t i = 0; i < s->lane_count; i++) {
        Lane *lane = &s->lanes[i];
        if (lane->tenant != ticket->tenant || lane->priority != ticket->priority)
            continue;
        Ticket *before = NULL;
        for (Ticket *t = lane->first; t != ticket; t = t->next)
            before = t;
        waiting_remove(s, lane, before, ticket);
        return;
    }
}

void scheduler_leave(Scheduler *s, Ticket *ticket, size_t new_tokens) {
    if (ticket->state == TICKET_WAITING)
        waiting_leave(s, ticket);
    if (ticket->state == TICKET_ENCODING)
        encoding_remove(s, ticket);
    if (ticket->state == TICKET_RUNNING)
        s->running--;
    if (ticket->state == TICKET_ENCODING || ticket->state == TICKET_RUNNING)
        s->rows -= ticket->rows;
    ticket->state = TICKET_NONE;
    if (!new_tokens)
        return;
    average(&s->new_tokens, (double)new_tokens);
    average(&s->source_tokens, (double)ticket->source_tokens);
}

void scheduler_set_most_running(Scheduler *s, size_t most) {
    size_t bound = s->settings.most_running;
    s->most_running = most < 1 ? 1 : most < bound ? most : bound;
}

SchedulerView scheduler_view(const Scheduler *s) {
    return (SchedulerView){.waiting = s->waiting,
                           .waiting_tokens = s->waiting_source_tokens + s->waiting_new_tokens,
                           .encoding = s->encoding_count,
                           .running = s->running,
                           .rows = s->rows,
                           .most_running = running_bound(s)};
}

const Cost *scheduler_cost(const Scheduler *s, bool encoding) {
    return encoding ? &s->encode_cost : &s->decode_cost;
}
