// SPDX-License-Identifier: Apache-2.0
// The scheduler on a simulated clock: order, shares, ageing, deadlines, slices, and a long random life in which every
// bound is checked at every step and the page pool is full again at the end.
#include <math.h>

#include "base/random.h"
#include "check.h"
#include "engine/scheduler.h"

// Check writes a line of protocol for each of its own assertions; these are for what is checked a million times.
#define HOLDS(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            ck_abort_msg("%s", #condition);                                                                            \
    } while (0)

enum { MS = 1000000, MOST = 512, SIM_PAGES = 400 };

// A machine of its own: 3 ms for a decode step and 0.1 ms a row, 0.05 ms for a token of the encoder.
typedef struct Sim {
    Arena arena;
    Scheduler *scheduler;
    SchedulerSettings settings;
    uint64_t now;
    size_t free_pages;
    Ticket *encoding[MOST], *running[MOST];
    size_t encoding_count, running_count, left[MOST]; // left: steps of each running
    double encode_left_ns;
    size_t encode_tokens;
    double encode_squares;
    size_t joined, shed, worst_slice_ns, ended;
} Sim;

static size_t pages_of(void *context, const Ticket *ticket) {
    (void)context;
    return (ticket->source_tokens + 15) / 16 + (ticket->most_new_tokens + 15) / 16 * ticket->rows;
}

static void sim_init(Sim *sim, SchedulerSettings settings) {
    *sim = (Sim){.settings = settings, .free_pages = SIM_PAGES, .now = 1000};
    arena_init(&sim->arena, 0);
    sim->settings.pages = pages_of;
    Error err;
    CHECK_OK(scheduler_make(&sim->arena, &sim->settings, &sim->scheduler, &err));
}

static SchedulerSettings usual(void) {
    return (SchedulerSettings){
        .most_waiting = MOST, .most_running = 8, .most_rows = 16, .encode_tokens = 512, .slices = true};
}

static void sim_release(Sim *sim, Ticket *ticket, size_t new_tokens) {
    if (ticket->state == TICKET_ENCODING || ticket->state == TICKET_RUNNING)
        sim->free_pages += pages_of(NULL, ticket);
    scheduler_leave(sim->scheduler, ticket, new_tokens);
}

static size_t steps_of(const Ticket *ticket) {
    return 1 + (ticket->source_tokens * 7 + ticket->arrived_ns) % ticket->most_new_tokens;
}

static void sim_encode(Sim *sim, uint64_t budget) {
    double spent = fmin(sim->encode_left_ns, (double)budget);
    sim->encode_left_ns -= spent;
    sim->now += (uint64_t)spent;
    bool ended = sim->encode_left_ns <= 0;
    scheduler_encoded(sim->scheduler, (uint64_t)spent, ended, sim->encode_tokens, sim->encode_squares);
    for (size_t i = 0; ended && i < sim->encoding_count; i++) {
        sim->left[sim->running_count] = steps_of(sim->encoding[i]);
        sim->running[sim->running_count++] = sim->encoding[i];
    }
    sim->encoding_count = ended ? 0 : sim->encoding_count;
}

static void sim_decode(Sim *sim) {
    size_t rows = 0, kept = 0;
    for (size_t i = 0; i < sim->running_count; i++)
        rows += sim->running[i]->rows;
    uint64_t spent = 3 * MS + rows * MS / 10;
    sim->now += spent;
    scheduler_decoded(sim->scheduler, rows, rows * 200, spent);
    for (size_t i = 0; i < sim->running_count; i++) {
        if (--sim->left[i]) {
            sim->left[kept] = sim->left[i];
            sim->running[kept++] = sim->running[i];
            continue;
        }
        sim->ended++;
        sim_release(sim, sim->running[i], steps_of(sim->running[i]));
    }
    sim->running_count = kept;
}

// One step of the engine; everything that must hold is checked here.
static void sim_step(Sim *sim) {
    ScheduledStep step;
    scheduler_next(sim->scheduler, sim->now, sim->free_pages, &step);
    sim->shed += step.shed_count;
    for (size_t i = 0; i < step.shed_count; i++) {
        HOLDS(step.shed[i]->state == TICKET_NONE);
        HOLDS(step.shed[i]->deadline_ns > 0);
    }
    if (step.join_count) {
        HOLDS(sim->encoding_count == 0);
        sim->encode_tokens = 0;
        sim->encode_squares = 0;
    }
    for (size_t i = 0; i < step.join_count; i++) {
        Ticket *ticket = step.join[i];
        size_t pages = pages_of(NULL, ticket);
        HOLDS(pages <= sim->free_pages);
        sim->free_pages -= pages;
        sim->encoding[sim->encoding_count++] = ticket;
        sim->encode_tokens += ticket->source_tokens;
        sim->encode_squares += (double)ticket->source_tokens * (double)ticket->source_tokens;
    }
    sim->joined += step.join_count;
    if (step.join_count) {
        HOLDS(step.join_count == 1 || sim->encode_tokens <= sim->settings.encode_tokens);
        sim->encode_left_ns = 0.05 * MS * (double)sim->encode_tokens;
    }
    size_t rows = 0;
    for (size_t i = 0; i < sim->encoding_count; i++)
        rows += sim->encoding[i]->rows;
    for (size_t i = 0; i < sim->running_count; i++)
        rows += sim->running[i]->rows;
    HOLDS(rows <= sim->settings.most_rows);
    HOLDS(sim->encoding_count + sim->running_count <= sim->settings.most_running);
    HOLDS(step.decode == (sim->running_count > 0));
    bool decoding = sim->running_count > 0;
    if (sim->encoding_count) {
        HOLDS(step.encode_ns > 0);
        HOLDS(decoding || step.encode_ns == UINT64_MAX);
        if (decoding && step.encode_ns != UINT64_MAX && step.encode_ns > sim->worst_slice_ns)
            sim->worst_slice_ns = step.encode_ns;
        sim_encode(sim, step.encode_ns);
    }
    if (sim->running_count)
        sim_decode(sim);
    else if (!sim->encoding_count)
        sim->now += MS;
}

static void add(Sim *sim, Ticket *ticket, Ticket what) {
    Error err;
    *ticket = what;
    CHECK_OK(scheduler_add(sim->scheduler, ticket, sim->now, &err));
}

// Runs until everything has ended, and writes down in which order tickets joined.
static size_t joins(Sim *sim, const Ticket *first, int *ret_order, size_t most) {
    size_t count = 0;
    while (count < most) {
        ScheduledStep step;
        scheduler_next(sim->scheduler, sim->now, SIM_PAGES, &step);
        if (!step.join_count)
            break;
        for (size_t i = 0; i < step.join_count && count < most; i++)
            ret_order[count++] = (int)(step.join[i] - first);
        for (size_t i = 0; i < step.join_count; i++)
            scheduler_leave(sim->scheduler, (Ticket *)(uintptr_t)step.join[i], 10);
    }
    return count;
}

static void check_order(Sim *sim, const Ticket *first, const int *expected, size_t count) {
    int order[64];
    ck_assert_uint_eq(joins(sim, first, order, 64), count);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(order[i] == expected[i], "place %zu: ticket %d joined, expected %d", i, order[i], expected[i]);
    arena_done(&sim->arena);
}

START_TEST(test_arrival_within_a_tenant) {
    Sim sim;
    sim_init(&sim, usual());
    Ticket tickets[5];
    for (int i = 0; i < 5; i++)
        add(&sim, &tickets[i], (Ticket){.source_tokens = 100 - 10 * (size_t)i, .rows = 1, .most_new_tokens = 20});
    check_order(&sim, tickets, (int[]){0, 1, 2, 3, 4}, 5);
}
END_TEST

START_TEST(test_the_urgent_first) {
    Sim sim;
    sim_init(&sim, usual());
    Ticket tickets[4];
    static const int priorities[] = {5, 9, 0, 5};
    for (int i = 0; i < 4; i++)
        add(&sim, &tickets[i],
            (Ticket){.source_tokens = 50, .rows = 1, .most_new_tokens = 20, .priority = priorities[i]});
    check_order(&sim, tickets, (int[]){2, 0, 3, 1}, 4);
}
END_TEST

START_TEST(test_waiting_makes_urgent) {
    Sim sim;
    SchedulerSettings settings = usual();
    settings.ageing_ns = 100 * (uint64_t)MS;
    sim_init(&sim, settings);
    Ticket tickets[2];
    add(&sim, &tickets[0], (Ticket){.source_tokens = 50, .rows = 1, .most_new_tokens = 20, .priority = 5});
    sim.now += 600 * (uint64_t)MS;
    add(&sim, &tickets[1], (Ticket){.source_tokens = 50, .rows = 1, .most_new_tokens = 20, .priority = 0});
    check_order(&sim, tickets, (int[]){0, 1}, 2);
}
END_TEST

// One tenant fills the queue, then another asks for a little: it is not behind them all. Tokens are what is shared.
START_TEST(test_tenants_share_by_tokens) {
    Sim sim;
    SchedulerSettings settings = usual();
    settings.most_running = MOST;
    settings.most_rows = MOST;
    settings.quantum_tokens = 100;
    sim_init(&sim, settings);
    static Ticket tickets[120];
    for (int i = 0; i < 60; i++)
        add(&sim, &tickets[i], (Ticket){.source_tokens = 90, .rows = 1, .most_new_tokens = 10, .tenant = 1});
    for (int i = 60; i < 120; i++)
        add(&sim, &tickets[i], (Ticket){.source_tokens = 40, .rows = 1, .most_new_tokens = 10, .tenant = 2});
    size_t tokens[3] = {0};
    int order[60];
    ck_assert_uint_eq(joins(&sim, tickets, order, 60), 60);
    for (int i = 0; i < 60; i++)
        tokens[tickets[order[i]].tenant] += tickets[order[i]].source_tokens + 10;
    ck_assert_msg(tokens[1] <= tokens[2] + 200 && tokens[2] <= tokens[1] + 200, "%zu against %zu tokens", tokens[1],
                  tokens[2]);
    arena_done(&sim.arena);
}
END_TEST

START_TEST(test_bounds_of_the_queue) {
    Sim sim;
    SchedulerSettings settings = usual();
    settings.most_waiting = 3;
    settings.most_waiting_tokens = 250;
    sim_init(&sim, settings);
    Ticket tickets[4] = {0};
    Error err;
    add(&sim, &tickets[0], (Ticket){.source_tokens = 100, .rows = 1, .most_new_tokens = 20});
    tickets[1] = (Ticket){.source_tokens = 120, .rows = 1, .most_new_tokens = 20};
    CHECK_FAILS(scheduler_add(sim.scheduler, &tickets[1], sim.now, &err), ERR_BUSY,
                "120 tokens wait and this request has 140, the limit is 250");
    add(&sim, &tickets[2], (Ticket){.source_tokens = 10, .rows = 1, .most_new_tokens = 20});
    add(&sim, &tickets[3], (Ticket){.source_tokens = 10, .rows = 1, .most_new_tokens = 20});
    CHECK_FAILS(scheduler_add(sim.scheduler, &tickets[1], sim.now, &err), ERR_BUSY,
                "3 requests wait, which is the limit");
    ck_assert_uint_eq(scheduler_view(sim.scheduler).waiting_tokens, 180);
    for (int i = 0; i < 4; i++)
        scheduler_leave(sim.scheduler, &tickets[i], 0);
    ck_assert_uint_eq(scheduler_view(sim.scheduler).waiting_tokens, 0);
    arena_done(&sim.arena);
}
END_TEST

// A deadline that what was learned makes impossible is refused at once; one that becomes impossible while waiting is
// shed before work begins.
START_TEST(test_deadlines) {
    Sim sim;
    sim_init(&sim, usual());
    Ticket warm[64] = {0}, hopeless = {0}, tight = {0};
    for (int i = 0; i < 64; i++)
        add(&sim, &warm[i], (Ticket){.source_tokens = 200, .rows = 1, .most_new_tokens = 40});
    while (sim.ended < 40)
        sim_step(&sim);
    Error err;
    hopeless = (Ticket){.source_tokens = 200, .rows = 1, .most_new_tokens = 40, .deadline_ns = sim.now + 5 * MS};
    CHECK_FAILS(scheduler_add(sim.scheduler, &hopeless, sim.now, &err), ERR_LATE,
                "the deadline cannot be met: 5 ms are left");
    uint64_t wait = scheduler_wait_ns(sim.scheduler);
    ck_assert_uint_gt(wait, 0);
    add(&sim, &tight,
        (Ticket){.source_tokens = 200,
                 .rows = 1,
                 .most_new_tokens = 40,
                 .priority = 9,
                 .deadline_ns = sim.now + 2 * wait + 1000 * (uint64_t)MS});
    sim.now += 2 * wait + 990 * (uint64_t)MS; // a machine that stood still
    size_t before = sim.shed;
    sim_step(&sim);
    ck_assert_uint_eq(sim.shed, before + 1);
    ck_assert_int_eq(tight.state, TICKET_NONE);
    while (sim.ended < 64)
        sim_step(&sim);
    ck_assert_uint_eq(sim.free_pages, SIM_PAGES);
    arena_done(&sim.arena);
}
END_TEST

// An idle machine begins at once; a busy one waits for more, but not longer than it was told.
START_TEST(test_queue_delay) {
    Sim sim;
    SchedulerSettings settings = usual();
    settings.queue_delay_ns = 50 * (uint64_t)MS;
    sim_init(&sim, settings);
    Ticket tickets[3];
    ScheduledStep step;
    add(&sim, &tickets[0], (Ticket){.source_tokens = 200, .rows = 1, .most_new_tokens = 100});
    scheduler_next(sim.scheduler, sim.now, SIM_PAGES, &step);
    ck_assert_uint_eq(step.join_count, 1);
    scheduler_encoded(sim.scheduler, 10 * MS, true, 200, 40000);
    add(&sim, &tickets[1], (Ticket){.source_tokens = 200, .rows = 1, .most_new_tokens = 100});
    scheduler_next(sim.scheduler, sim.now + 49 * MS, SIM_PAGES, &step);
    ck_assert_uint_eq(step.join_count, 0);
    scheduler_next(sim.scheduler, sim.now + 50 * MS, SIM_PAGES, &step);
    ck_assert_uint_eq(step.join_count, 1);
    arena_done(&sim.arena);
}
END_TEST

// Nobody joins while others run, and all that fit join then.
START_TEST(test_whole_batches) {
    Sim sim;
    SchedulerSettings settings = usual();
    settings.whole_batches = true;
    sim_init(&sim, settings);
    Ticket tickets[6];
    ScheduledStep step;
    for (int i = 0; i < 3; i++)
        add(&sim, &tickets[i], (Ticket){.source_tokens = 20, .rows = 1, .most_new_tokens = 100});
    scheduler_next(sim.scheduler, sim.now, SIM_PAGES, &step);
    ck_assert_uint_eq(step.join_count, 3);
    scheduler_encoded(sim.scheduler, 3 * MS, true, 60, 1200);
    for (int i = 3; i < 6; i++)
        add(&sim, &tickets[i], (Ticket){.source_tokens = 20, .rows = 1, .most_new_tokens = 100});
    for (int left = 3; left--;) {
        scheduler_next(sim.scheduler, sim.now, SIM_PAGES, &step);
        ck_assert_uint_eq(step.join_count, 0);
        scheduler_leave(sim.scheduler, &tickets[left], 10);
    }
    scheduler_next(sim.scheduler, sim.now, SIM_PAGES, &step);
    ck_assert_uint_eq(step.join_count, 3);
    arena_done(&sim.arena);
}
END_TEST

// A long source does not stall streams: its slices stay near the decode step they stand beside.
START_TEST(test_slices_follow_decode_steps) {
    Sim sim;
    sim_init(&sim, usual());
    Ticket streams[4], long_one;
    for (int i = 0; i < 4; i++)
        add(&sim, &streams[i], (Ticket){.source_tokens = 100, .rows = 1, .most_new_tokens = 900});
    for (int i = 0; i < 60; i++)
        sim_step(&sim);
    add(&sim, &long_one, (Ticket){.source_tokens = 1000, .rows = 1, .most_new_tokens = 20}); // 50 ms of encoding
    sim.worst_slice_ns = 0;
    uint64_t begun = sim.now;
    while (long_one.state == TICKET_WAITING || long_one.state == TICKET_ENCODING)
        sim_step(&sim);
    ck_assert_uint_lt(sim.worst_slice_ns, 6 * MS); // the step is 3.4 ms
    ck_assert_uint_lt(sim.now - begun, 200 * (uint64_t)MS);
    arena_done(&sim.arena);
}
END_TEST

START_TEST(test_a_target_bounds_what_runs) {
    Sim sim;
    SchedulerSettings settings = usual();
    settings.most_running = settings.most_rows = 64;
    settings.step_target_ns = 8 * MS; // with a slice as long as the step: 4 ms, 10 rows
    sim_init(&sim, settings);
    static Ticket tickets[400];
    for (int i = 0; i < 400; i++)
        add(&sim, &tickets[i], (Ticket){.source_tokens = 20 + (size_t)i % 30, .rows = 1, .most_new_tokens = 30});
    while (sim.ended < 300)
        sim_step(&sim);
    size_t most = scheduler_view(sim.scheduler).most_running;
    ck_assert_msg(most >= 8 && most <= 12, "%zu run at once", most);
    while (sim.ended < 400)
        sim_step(&sim);
    arena_done(&sim.arena);
}
END_TEST

// Requests of all kinds come and go, are cancelled wherever they are, miss deadlines, fill the queue. Nobody starves,
// and in the end everything is free.
static void live(uint64_t seed, size_t events) {
    Sim sim;
    SchedulerSettings settings = usual();
    settings.most_waiting = 100;
    settings.most_waiting_tokens = 12000;
    settings.ageing_ns = 200 * (uint64_t)MS;
    sim_init(&sim, settings);
    Random random = {seed};
    enum { PEOPLE = 200 };
    static Ticket tickets[PEOPLE];
    memset(tickets, 0, sizeof tickets);
    uint64_t longest = 0;
    Error err;
    for (size_t event = 0; event < events; event++) {
        Ticket *ticket = &tickets[random_next(&random) % PEOPLE];
        uint64_t kind = random_next(&random) % 16;
        if (ticket->state == TICKET_NONE && kind < 9) {
            *ticket =
                (Ticket){.source_tokens = 1 + random_next(&random) % 700,
                         .rows = random_next(&random) % 8 ? 1 : 4,
                         .most_new_tokens = 1 + random_next(&random) % 60,
                         .priority = (int)(random_next(&random) % 12) - 1,
                         .tenant = random_next(&random) % 7,
                         .deadline_ns = random_next(&random) % 10 ? 0 : sim.now + random_next(&random) % (800 * MS)};
            Status status = scheduler_add(sim.scheduler, ticket, sim.now, &err);
            HOLDS(status == OK || status == ERR_BUSY || (status == ERR_LATE && ticket->deadline_ns));
        } else if (ticket->state != TICKET_NONE && kind == 9) {
            bool encoding = ticket->state == TICKET_ENCODING, running = ticket->state == TICKET_RUNNING;
            sim_release(&sim, ticket, 0);
            Ticket **list = encoding ? sim.encoding : sim.running;
            size_t *count = encoding ? &sim.encoding_count : &sim.running_count, kept = 0;
            for (size_t i = 0; (encoding || running) && i < *count; i++)
                if (list[i] != ticket) {
                    if (running)
                        sim.left[kept] = sim.left[i];
                    list[kept++] = list[i];
                }
            if (encoding || running)
                *count = kept;
        } else if (kind > 9)
            sim_step(&sim);
        for (size_t i = 0; i < PEOPLE && event % 64 == 0; i++)
            if (tickets[i].state == TICKET_WAITING && sim.now - tickets[i].arrived_ns > longest)
                longest = sim.now - tickets[i].arrived_ns;
    }
    for (int i = 0; i < 100000 && (sim.encoding_count || sim.running_count || scheduler_view(sim.scheduler).waiting);
         i++)
        sim_step(&sim);
    SchedulerView view = scheduler_view(sim.scheduler);
    ck_assert_uint_eq(view.waiting + view.encoding + view.running + view.rows + view.waiting_tokens, 0);
    ck_assert_uint_eq(sim.free_pages, SIM_PAGES);
    ck_assert_uint_gt(sim.ended, events / 60);
    // 100 waiting requests of at most 760 tokens: all of them together are less than 20 s of this machine.
    ck_assert_msg(longest < 20000 * (uint64_t)MS, "somebody waited %.1f s", (double)longest / 1e9);
    arena_done(&sim.arena);
}

START_TEST(test_long_lives) {
    for (uint64_t seed = 1; seed <= 8; seed++)
        live(seed, 300000);
}
END_TEST

TEST_MAIN("engine/scheduler", test_arrival_within_a_tenant, test_the_urgent_first, test_waiting_makes_urgent,
          test_tenants_share_by_tokens, test_bounds_of_the_queue, test_deadlines, test_queue_delay, test_whole_batches,
          test_slices_follow_decode_steps, test_a_target_bounds_what_runs, test_long_lives)
