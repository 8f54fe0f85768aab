// SPDX-License-Identifier: Apache-2.0
// How a command is written: one file cmd_<name>.c with one Command, one row in commands.def.
//
//     typedef struct Settings { int64_t samples; const char *workload; bool dense; } Settings;
//
//     static const Option options[] = {
//         {"samples", 'n', "N", "take the first N samples", OPTION_INT, offsetof(Settings, samples), .low = 1, .high =
//         1e6},
//         {"workload", 0, "FILE", "JSON lines of input_ids", OPTION_TEXT, offsetof(Settings, workload)},
//         {"dense", 0, NULL, "store zeros", OPTION_FLAG, offsetof(Settings, dense)},
//         {.kind = OPTION_TABLE, .table = generation_options, .offset = offsetof(Settings, generation)},
//         {0},
//     };
//
//     static Status run(CommandRun *run, Error *err) {
//         const Settings *settings = run->settings;
//         ... run->arguments[0], run->common.threads, buffer_format(&run->out.text, ...); return output_line(&run->out,
//         err);
//     }
//
//     const Command command_bench = {
//         .arguments = "MODEL...", .least = 1, .most = SIZE_MAX, .help = "Measures ...",
//         .settings_bytes = sizeof(Settings), .defaults = &(const Settings){.samples = 100}, .options = options,
//         .json = true, .run = run,
//     };
//
// Values are checked against low and high before run is called; wrong usage ends with exit code 2 and one sentence.
// `run` returns a failure, it never prints one. ERR_NO is how a command says no (exit 1).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cpu.h"
#include "cli/output.h"

typedef enum OptionKind {
    OPTION_FLAG, // bool: given or not
    OPTION_INT,  // int64_t in [low, high]
    OPTION_REAL, // double in [low, high]
    OPTION_TEXT, // const char *, NULL when not given; one of `choices` ("a|b|c") where there are any
    OPTION_LIST, // TextList: may be given many times
    OPTION_TABLE // the options of another table, whose settings lie at `offset`
} OptionKind;

typedef struct Option Option;
struct Option {
    const char *name;     // "num-beams"
    char letter;          // 'n', or 0: no short form
    const char *argument; // "N"; NULL for a flag
    const char *help;     // a few words without a full stop
    OptionKind kind;
    size_t offset; // of the member in the settings
    double low, high;
    const char *choices;
    const Option *table;
};

typedef struct TextList {
    const char **items;
    size_t count;
} TextList;

// What every command takes.
typedef struct CommonOptions {
    int threads;    // at least 1
    CpuLevel level; // kernels no stronger than this
    bool quiet;     // no progress
    bool json;      // only where the command says so
} CommonOptions;

typedef struct CommandRun {
    CommonOptions common;
    const void *settings; // the command's own, filled
    char **arguments;
    size_t argument_count;
    Arena *arena; // lives as long as the command
    Output out;   // standard output
} CommandRun;

typedef struct Command {
    const char *arguments; // "MODEL [FILE...]", for the help
    size_t least, most;    // how many arguments
    const char *help;      // one or a few paragraphs, lines of at most 100 columns, ending in a newline
    size_t settings_bytes;
    const void *defaults;  // settings before options are read; NULL: all zero
    const Option *options; // ends with {0}; NULL: none but the common ones
    bool json;             // takes --json
    Status (*run)(CommandRun *run, Error *err);
} Command;

// One row of commands.def.
typedef struct CommandRow {
    const char *name, *group, *summary;
    const Command *command;
} CommandRow;

// The row called `name`; NULL when there is none.
const CommandRow *command_find(const char *name);

// Fills `run` from the words after the command's name. With --help, prints the help and sets *ret_helped.
// ERR_USAGE, ERR_UNSUPPORTED (--cpu beyond this machine).
MUST_CHECK Status command_parse(const CommandRow *row, int count, char **words, CommandRun *run, bool *ret_helped,
                                Error *err);

// The bytes that an option's text means: "900M", or with K, G, all of 1024. ERR_USAGE naming the option.
MUST_CHECK Status option_size(const char *option, const char *text, size_t *ret_bytes, Error *err);

// The help of one command, and of all of hone.
void command_print_help(const CommandRow *row, Buffer *text);
void commands_print_help(Buffer *text);
