// SPDX-License-Identifier: Apache-2.0
// hone cpu: what this machine offers.
#include "cli/command.h"

static Status run(CommandRun *run, Error *err) {
    char name[128];
    cpu_name(name, sizeof name);
    buffer_format(&run->out.text, "%s, %s", name, cpu_level_name(run->common.level));
    return output_line(&run->out, err);
}

const Command command_cpu = {
    .arguments = "",
    .help = "Tells the processor, its cores and caches, and which kernels hone would run on it.\n",
    .json = true,
    .run = run,
};
