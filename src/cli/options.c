// SPDX-License-Identifier: Apache-2.0
// Reads a command's words by its option table: long options (abbreviated where that is clear), letters, arguments.
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "cli/command.h"

typedef struct Common {
    int64_t threads;
    const char *cpu;
    bool quiet, json, help;
} Common;

static const Option common_options[] = {
    {"threads", 0, "N", "work with N threads (default: the physical cores)", OPTION_INT, offsetof(Common, threads),
     .low = 1, .high = 1024},
    {"cpu", 0, "LEVEL", "use no stronger kernels than ref, avx2, avx512, vnni or neon", OPTION_TEXT,
     offsetof(Common, cpu)},
    {"quiet", 'q', NULL, "show no progress", OPTION_FLAG, offsetof(Common, quiet)},
    {"help", 'h', NULL, "show this help", OPTION_FLAG, offsetof(Common, help)},
    {0},
};

static const Option json_option[] = {
    {"json", 0, NULL, "answer as JSON", OPTION_FLAG, offsetof(Common, json)},
    {0},
};

// Options of all tables in one list, each with the place its value goes to.
enum { MOST_OPTIONS = 96 };
typedef struct OptionSet {
    const Option *options[MOST_OPTIONS];
    unsigned char *values[MOST_OPTIONS];
    size_t count;
} OptionSet;

static bool is_end(const Option *option) {
    return !option->name && option->kind != OPTION_TABLE;
}

static Status set_add(OptionSet *set, const Option *table, unsigned char *settings, Error *err) {
    for (const Option *o = table; o && !is_end(o); o++) {
        if (o->kind == OPTION_TABLE) {
            TRY(set_add(set, o->table, settings + o->offset, err));
            continue;
        }
        if (set->count == MOST_OPTIONS)
            return FAIL(err, ERR_INTERNAL, "a command has more than %d options", MOST_OPTIONS);
        set->options[set->count] = o;
        set->values[set->count++] = settings + o->offset;
    }
    return OK;
}

static Status bad_value(const Option *option, const char *text, const char *expected, Error *err) {
    return FAIL(err, ERR_USAGE, "--%s is '%s', expected %s", option->name, text, expected);
}

static Status read_number(const Option *option, const char *text, unsigned char *value, Error *err) {
    char expected[96], *end;
    errno = 0;
    if (option->kind == OPTION_INT) {
        snprintf(expected, sizeof expected, "an integer from %.0f to %.0f", option->low, option->high);
        long long number = strtoll(text, &end, 10);
        if (end == text || *end || errno || (double)number < option->low || (double)number > option->high)
            return bad_value(option, text, expected, err);
        int64_t stored = number;
        memcpy(value, &stored, sizeof stored);
        return OK;
    }
    snprintf(expected, sizeof expected, "a number from %g to %g", option->low, option->high);
    double number = strtod(text, &end);
    if (end == text || *end || !isfinite(number) || number < option->low || number > option->high)
        return bad_value(option, text, expected, err);
    memcpy(value, &number, sizeof number);
    return OK;
}

static bool is_choice(const char *choices, const char *text) {
    size_t length = strlen(text);
    for (const char *c = choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
        if (strcspn(c, "|") == length && memcmp(c, text, length) == 0)
            return true;
    return false;
}

static Status list_add(Arena *arena, unsigned char *value, const char *text, Error *err) {
    TextList list;
    memcpy(&list, value, sizeof list);
    const char **items = arena_array(arena, list.count + 1, sizeof *items, err);
    TRY_NEW(items);
    if (list.count)
        memcpy(items, list.items, list.count * sizeof *items);
    items[list.count++] = text;
    list.items = items;
    memcpy(value, &list, sizeof list);
    return OK;
}

static Status read_option(Arena *arena, const Option *option, const char *text, unsigned char *value, Error *err) {
    switch (option->kind) {
    case OPTION_FLAG:
        memcpy(value, &(bool){true}, sizeof(bool));
        return OK;
    case OPTION_INT:
    case OPTION_REAL:
        return read_number(option, text, value, err);
    case OPTION_TEXT:
        if (option->choices && !is_choice(option->choices, text))
            return bad_value(option, text, option->choices, err);
        memcpy(value, &text, sizeof text);
        return OK;
    case OPTION_LIST:
        return list_add(arena, value, text, err);
    case OPTION_TABLE:
        break;
    }
    return FAIL(err, ERR_INTERNAL, "option --%s is of no kind", option->name);
}

// What getopt_long found wrong with the word it stopped at.
static Status refuse_word(const CommandRow *row, const OptionSet *set, char **words, int found, Error *err) {
    const char *word = words[optind - 1];
    bool letter = optopt && optopt < 0x100 && !(word[0] == '-' && word[1] == '-');
    if (found == ':' && letter)
        return FAIL(err, ERR_USAGE, "option -%c needs a value; see 'hone help %s'", optopt, row->name);
    if (found == ':')
        return FAIL(err, ERR_USAGE, "option %s needs a value; see 'hone help %s'", word, row->name);
    if (letter)
        return FAIL(err, ERR_USAGE, "unknown option -%c; see 'hone help %s'", optopt, row->name);
    size_t length = strcspn(word + 2, "="), matches = 0;
    for (size_t i = 0; i < set->count; i++) {
        matches += strncmp(set->options[i]->name, word + 2, length) == 0;
        if (optopt && strncmp(set->options[i]->name, word + 2, length) == 0 && !set->options[i]->argument)
            return FAIL(err, ERR_USAGE, "option --%s takes no value; see 'hone help %s'", set->options[i]->name,
                        row->name);
    }
    return FAIL(err, ERR_USAGE, "%s option %s; see 'hone help %s'", matches > 1 ? "ambiguous" : "unknown", word,
                row->name);
}

static Status read_words(const CommandRow *row, const OptionSet *set, int count, char **words, Arena *arena,
                         Error *err) {
    struct option longs[MOST_OPTIONS + 1] = {0};
    char letters[2 * MOST_OPTIONS + 2] = ":";
    size_t used = 1;
    for (size_t i = 0; i < set->count; i++) {
        const Option *o = set->options[i];
        longs[i] = (struct option){o->name, o->argument ? required_argument : no_argument, NULL, 0x100 + (int)i};
        if (o->letter) {
            letters[used++] = o->letter;
            if (o->argument)
                letters[used++] = ':';
        }
    }
    opterr = 0;
    optind = 0; // getopt's way to begin anew
    for (int found; (found = getopt_long(count, words, letters, longs, NULL)) != -1;) {
        if (found == '?' || found == ':')
            return refuse_word(row, set, words, found, err);
        size_t at = 0;
        while (at < set->count && found != 0x100 + (int)at && found != set->options[at]->letter)
            at++;
        TRY(read_option(arena, set->options[at], optarg, set->values[at], err));
    }
    return OK;
}

Status command_parse(const CommandRow *row, int count, char **words, CommandRun *run, bool *ret_helped, Error *err) {
    const Command *command = row->command;
    unsigned char *settings = arena_array(run->arena, command->settings_bytes + 1, 1, err);
    TRY_NEW(settings);
    if (command->defaults)
        memcpy(settings, command->defaults, command->settings_bytes);
    Common common = {0};
    OptionSet set = {.count = 0};
    TRY(set_add(&set, command->options, settings, err));
    TRY(set_add(&set, command->json ? json_option : NULL, (unsigned char *)&common, err));
    TRY(set_add(&set, common_options, (unsigned char *)&common, err));
    TRY(read_words(row, &set, count, words, run->arena, err));
    *ret_helped = common.help;
    if (common.help) {
        command_print_help(row, &run->out.text);
        return OK;
    }
    size_t given = (size_t)(count - optind);
    if (given < command->least || given > command->most)
        return FAIL(err, ERR_USAGE, "%s arguments: expected 'hone %s%s%s'; see 'hone help %s'",
                    given < command->least ? "too few" : "too many", row->name, *command->arguments ? " " : "",
                    command->arguments, row->name);
    TRY(cpu_choose(common.cpu, &run->common.level, err));
    run->common.threads = common.threads ? (int)common.threads : cpu_cores();
    run->common.quiet = common.quiet;
    run->common.json = common.json;
    run->settings = settings;
    run->arguments = words + optind;
    run->argument_count = given;
    return OK;
}

static void print_table(const Option *table, Buffer *text) {
    for (const Option *o = table; o && !is_end(o); o++) {
        if (o->kind == OPTION_TABLE) {
            print_table(o->table, text);
            continue;
        }
        char left[64];
        snprintf(left, sizeof left, "%c%c%c --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                 o->letter ? ',' : ' ', o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        buffer_format(text, "  %-38s %s\n", left, o->help);
    }
}

void command_print_help(const CommandRow *row, Buffer *text) {
    const Command *command = row->command;
    buffer_format(text, "hone %s%s%s [options]\n\n%s\n", row->name, *command->arguments ? " " : "", command->arguments,
                  command->help);
    print_table(command->options, text);
    print_table(command->json ? json_option : NULL, text);
    print_table(common_options, text);
}

Status option_size(const char *option, const char *text, size_t *ret_bytes, Error *err) {
    char *end;
    double number = strtod(text, &end);
    const char *units = "KMG", *unit = *end ? strchr(units, *end) : NULL;
    double bytes = number;
    for (ptrdiff_t i = 0; unit && i <= unit - units; i++)
        bytes *= 1024;
    if (end == text || !(number > 0) || (*end && (!unit || end[1])) || bytes > 1e18)
        return FAIL(err, ERR_USAGE, "--%s is '%s', expected bytes or a number with K, M or G", option, text);
    *ret_bytes = (size_t)bytes;
    return OK;
}
