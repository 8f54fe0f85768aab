// SPDX-License-Identifier: Apache-2.0
// The program: finds the command, lets it read its options and run, prints a failure once and turns it into an exit
// code.
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/command.h"

#define COMMAND(name, group, summary) extern const Command command_##name;
#include "cli/commands.def"
#undef COMMAND

static const CommandRow rows[] = {
#define COMMAND(name, group, summary) {#name, group, summary, &command_##name},
#include "cli/commands.def"
#undef COMMAND
};

enum { ROW_COUNT = sizeof rows / sizeof *rows };

const CommandRow *command_find(const char *name) {
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

void commands_print_help(Buffer *text) {
    buffer_add_text(text, "hone makes trained transformers small and fast, measures them and runs them.\n\n"
                          "  hone COMMAND [MODEL] [options]\n"
                          "  hone help COMMAND\n");
    const char *group = "";
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strcmp(group, rows[i].group) != 0)
            buffer_format(text, "\n%s\n", rows[i].group);
        group = rows[i].group;
        buffer_format(text, "  %-12s %s\n", rows[i].name, rows[i].summary);
    }
    buffer_add_text(text, "\nA MODEL is a folder in Hugging Face layout, or one checkpoint file.\n"
                          "Exit codes: 0 done, 1 the answer is no, 2 wrong usage, 3 bad input, 4 limit or memory,\n"
                          "5 reading or writing failed, 6 not supported, 70 a bug of ours, 130 interrupted.\n");
}

// Ctrl-C, kill and a terminal that closes: remove what is half-written and leave. Only async-signal-safe calls.
static void on_signal(int number) {
    (void)number;
    file_discard_all();
    _exit(status_exit_code(ERR_INTERRUPTED));
}

static void handle_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) // nohup wants it ignored
        sigaction(SIGHUP, &action, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL); // a closed pipe is a failed write, exit code 5
}

static bool is_word(const char *word, const char *a, const char *b) {
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

static Status run_words(CommandRun *run, int count, char **words, Error *err) {
    if (count < 2)
        return FAIL(err, ERR_USAGE, "expected a command; see 'hone help'");
    const char *word = words[1];
    if (is_word(word, "--version", "version")) {
        buffer_add_text(&run->out.text, "hone " HONE_VERSION "\n");
        return OK;
    }
    bool help = is_word(word, "--help", "-h") || strcmp(word, "help") == 0;
    if (help && count < 3) {
        commands_print_help(&run->out.text);
        return OK;
    }
    const CommandRow *row = command_find(help ? words[2] : word);
    if (!row)
        return FAIL(err, ERR_USAGE, "unknown command '%s'; see 'hone help'", help ? words[2] : word);
    if (help) {
        command_print_help(row, &run->out.text);
        return OK;
    }
    bool helped;
    TRY(command_parse(row, count - 1, words + 1, run, &helped, err));
    return helped ? OK : row->command->run(run, err);
}

int main(int count, char **words) {
    memory_init();
    handle_signals();
    Arena arena;
    arena_init(&arena, 0);
    CommandRun run = {.arena = &arena};
    output_init(&run.out, STDOUT_FILENO);
    Error err;
    Status status = run_words(&run, count, words, &err);
    if (status != OK)
        output_drop_line(&run.out);
    Error write_err;
    Status written = output_flush(&run.out, &write_err); // whole lines are answers even when a later one failed
    if (status == OK && written != OK) {
        status = written;
        err = write_err;
    }
    if (status != OK)
        fprintf(stderr, "hone: %s\n", err.message);
    output_done(&run.out);
    arena_done(&arena);
    return status_exit_code(status);
}
