// SPDX-License-Identifier: Apache-2.0
// The command line of hone-load.
#include <getopt.h>
#include <math.h>
#include <netdb.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "bench/load.h"

static const char usage[] =
    "hone-load --url http://HOST:PORT | --socket PATH, --workload FILE, --rate R | --concurrency N, and how much\n"
    "Sends requests to /v1/completions and prints one JSON object: counts, throughput, and percentiles of latencies.\n"
    "\n"
    "  --url URL            where the server listens; http alone\n"
    "  --socket PATH        the same as a Unix-domain socket\n"
    "  --workload FILE      sources: JSON lines with `input_ids` or `text`, drawn at random\n"
    "  --rate R             open loop: a Poisson process of R requests/s, whether answers come or not\n"
    "  --concurrency N      closed loop: N requests always in progress; with --rate at most (default: 4096)\n"
    "  --requests N         end when so many were begun\n"
    "  --duration S         end after so many seconds\n"
    "  --warmup S           leave the first seconds out of the figures (default: 0)\n"
    "  --drain S            how long what was begun may go on behind the last arrival (default: 60)\n"
    "  --timeout S          give a request up after (default: 300)\n"
    "  --lengths L          tokens of the answers: 40, 10:80 (uniform), geometric:45:200 (mean, most) (default: 40)\n"
    "  --whole              answers at once, not as server-sent events\n"
    "  --beams N            beams of the search (default: 1)\n"
    "  --model NAME         which model\n"
    "  --key KEY            API key\n"
    "  --seed N             of everything that is drawn (default: 1)\n"
    "  --leave FRACTION     of the requests: close the connection at a random moment\n"
    "  --bad FRACTION       of the requests: malformed bodies\n"
    "  --idle N             connections that say nothing, beside the others\n"
    "  --pid PID            tell what the threads of the server took, too\n"
    "  --lines FILE         write one JSON line per request\n"
    "  --plan               send nothing: print which requests --requests N would be\n";

typedef enum Kind { KIND_TEXT, KIND_REAL, KIND_COUNT, KIND_FLAG, KIND_OTHER } Kind;

typedef struct Row {
    const char *name;
    Kind kind;
    size_t offset;
    double low, high;
} Row;

#define AT(member) offsetof(LoadSettings, member)

// COUNT members are of eight bytes, or handled as KIND_OTHER.
static const Row rows[] = {
    {"workload", KIND_TEXT, AT(workload), 0, 0},
    {"model", KIND_TEXT, AT(model), 0, 0},
    {"key", KIND_TEXT, AT(key), 0, 0},
    {"lines", KIND_TEXT, AT(lines), 0, 0},
    {"rate", KIND_REAL, AT(rate), 1e-3, 1e6},
    {"duration", KIND_REAL, AT(duration_s), 0.01, 1e7},
    {"warmup", KIND_REAL, AT(warmup_s), 0, 1e6},
    {"drain", KIND_REAL, AT(drain_s), 0, 1e6},
    {"timeout", KIND_REAL, AT(timeout_s), 0.01, 1e6},
    {"leave", KIND_REAL, AT(plan.leave), 0, 1},
    {"bad", KIND_REAL, AT(plan.bad), 0, 1},
    {"concurrency", KIND_COUNT, AT(concurrency), 1, 65536},
    {"requests", KIND_COUNT, AT(requests), 1, 1e12},
    {"idle", KIND_COUNT, AT(idle), 0, 65536},
    {"seed", KIND_COUNT, AT(plan.seed), 0, 1e15},
    {"plan", KIND_FLAG, AT(plan_only), 0, 0},
    {"url", KIND_OTHER, 0, 0, 0},
    {"socket", KIND_OTHER, 0, 0, 0},
    {"lengths", KIND_OTHER, 0, 0, 0},
    {"whole", KIND_FLAG, 0, 0, 0},
    {"beams", KIND_OTHER, 0, 0, 0},
    {"pid", KIND_OTHER, 0, 0, 0},
    {"help", KIND_FLAG, 0, 0, 0},
};
enum { ROWS = sizeof rows / sizeof *rows };

static Status address_parse(const char *url, LoadSettings *settings, Error *err) {
    char host[256], port[16] = "80";
    int used = 0;
    bool six = sscanf(url, "http://[%255[^]]]:%15[0-9]%n", host, port, &used) == 2;
    bool good = six || sscanf(url, "http://%255[^:/]:%15[0-9]%n", host, port, &used) == 2;
    if (!good || (url[used] && strcmp(url + used, "/") != 0))
        return FAIL(err, ERR_USAGE, "--url is '%s', expected http://HOST:PORT", url);
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed)
        return FAIL(err, ERR_IO, "no address for '%s': %s", host, gai_strerror(failed));
    memcpy(&settings->address, found->ai_addr, found->ai_addrlen);
    settings->address_bytes = found->ai_addrlen;
    freeaddrinfo(found);
    return OK;
}

static Status socket_parse(const char *path, LoadSettings *settings, Error *err) {
    struct sockaddr_un *address = (struct sockaddr_un *)&settings->address;
    if (strlen(path) >= sizeof address->sun_path)
        return FAIL(err, ERR_USAGE, "--socket is longer than the %zu bytes that a socket's path may have",
                    sizeof address->sun_path - 1);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, strlen(path) + 1);
    settings->address_bytes = sizeof *address;
    return OK;
}

static Status number_parse(const Row *row, const char *text, double low, double high, bool whole, double *ret,
                           Error *err) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= low && value <= high) || (whole && value != floor(value)))
        return FAIL(err, ERR_USAGE, "--%s is '%s', expected %s from %g to %g", row->name, text,
                    whole ? "a whole number" : "a number", low, high);
    *ret = value;
    return OK;
}

static Status other_parse(const Row *row, const char *text, LoadSettings *settings, Error *err) {
    double value = 0;
    if (strcmp(row->name, "url") == 0)
        return address_parse(text, settings, err);
    if (strcmp(row->name, "socket") == 0)
        return socket_parse(text, settings, err);
    if (strcmp(row->name, "lengths") == 0)
        return lengths_parse(text, &settings->plan.lengths, err);
    bool beams = strcmp(row->name, "beams") == 0;
    TRY(number_parse(row, text, 1, beams ? 8 : 4194304, true, &value, err));
    if (beams)
        settings->beams = (int)value;
    else
        settings->pid = (pid_t)value;
    return OK;
}

static Status row_parse(const Row *row, const char *text, LoadSettings *settings, Error *err) {
    unsigned char *member = (unsigned char *)settings + row->offset;
    double value = 0;
    switch (row->kind) {
    case KIND_TEXT:
        memcpy(member, &text, sizeof text);
        return OK;
    case KIND_REAL:
        TRY(number_parse(row, text, row->low, row->high, false, &value, err));
        memcpy(member, &value, sizeof value);
        return OK;
    case KIND_COUNT: {
        TRY(number_parse(row, text, row->low, row->high, true, &value, err));
        uint64_t count = (uint64_t)value;
        memcpy(member, &count, sizeof count);
        return OK;
    }
    case KIND_FLAG:
        if (row->offset)
            *(bool *)member = true;
        else if (strcmp(row->name, "whole") == 0)
            settings->streams = false;
        else
            return FAIL(err, ERR_INTERRUPTED, "%s", "");
        return OK;
    default:
        return other_parse(row, text, settings, err);
    }
}

static Status settings_check(LoadSettings *settings, Error *err) {
    if (!settings->workload)
        return FAIL(err, ERR_USAGE, "--workload is missing: a file of sources");
    if (settings->plan_only && settings->requests)
        return OK;
    if (settings->plan_only)
        return FAIL(err, ERR_USAGE, "--plan needs --requests N");
    if (!settings->address_bytes)
        return FAIL(err, ERR_USAGE, "--url or --socket is missing: where the server listens");
    if (!(settings->rate > 0) && !settings->concurrency)
        return FAIL(err, ERR_USAGE, "--rate (open loop) or --concurrency (closed loop) is missing");
    if (!settings->requests && !(settings->duration_s > 0))
        return FAIL(err, ERR_USAGE, "--requests or --duration is missing: it would never end");
    if (!settings->concurrency)
        settings->concurrency = 4096;
    return OK;
}

Status load_options(Arena *arena, int count, char **words, LoadSettings *ret, Error *err) {
    struct option options[ROWS + 1] = {0};
    for (int i = 0; i < ROWS; i++)
        options[i] =
            (struct option){rows[i].name, rows[i].kind == KIND_FLAG ? no_argument : required_argument, NULL, i};
    LoadSettings settings = {.plan = {.seed = 1, .lengths = {LENGTHS_FIXED, 40, 40}},
                             .drain_s = 60,
                             .timeout_s = 300,
                             .beams = 1,
                             .streams = true};
    opterr = 0;
    for (int which; (which = getopt_long(count, words, "", options, NULL)) != -1;) {
        if (which < 0 || which >= ROWS)
            return FAIL(err, ERR_USAGE, "'%s' is no option of hone-load, or lacks its value; --help lists them",
                        words[optind - 1]);
        Status status = row_parse(&rows[which], optarg, &settings, err);
        if (status == ERR_INTERRUPTED)
            fputs(usage, stdout);
        TRY(status);
    }
    if (optind < count)
        return FAIL(err, ERR_USAGE, "'%s' is no option of hone-load; --help lists them", words[optind]);
    TRY(settings_check(&settings, err));
    TRY(plan_read(arena, settings.workload, &settings.plan, err));
    *ret = settings;
    return OK;
}
