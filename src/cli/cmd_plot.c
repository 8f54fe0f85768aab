// SPDX-License-Identifier: Apache-2.0
// hone plot: a picture of numbers that a JSON file describes.
#include "cli/command.h"
#include "measure/plot_spec.h"

typedef struct Settings {
    const char *out;
} Settings;

static const Option options[] = {
    {"out", 'o', "FILE", "write the picture here (default: standard output)", OPTION_TEXT, offsetof(Settings, out)},
    {0},
};

static Status run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    const char *path = run->arguments[0];
    json_t *spec;
    TRY(json_read(run->arena, path, false, &spec, err));
    char *name = arena_format(run->arena, err, "file '%s'", path);
    TRY_NEW(name);
    if (!settings->out)
        return plot_spec_draw(run->arena, spec, name, &run->out.text, err);
    Buffer svg = {0};
    Status status = plot_spec_draw(run->arena, spec, name, &svg, err);
    if (status == OK)
        status = file_replace(settings->out, svg.data, svg.bytes, err);
    buffer_done(&svg);
    return status;
}

const Command command_plot = {
    .arguments = "FILE.json",
    .least = 1,
    .most = 1,
    .help = "Draws lines, bars, a waterfall or a heat map as an SVG picture that stands alone. The file is one of\n"
            "  {\"kind\":\"lines\",\"title\":..,\"x\":{\"label\":..,\"scale\":\"linear|log2|log10\"},\"y\":{..},\n"
            "   \"series\":[{\"name\":..,\"points\":[[x,y],[x,y,low,high],..]},..]}\n"
            "  {\"kind\":\"bars|waterfall\",\"title\":..,\"axis\":..,\"bars\":[{\"label\":..,\"value\":..},..]}\n"
            "  {\"kind\":\"heat\",\"title\":..,\"legend\":..,\"columns\":[..],\n"
            "   \"rows\":[{\"label\":..,\"values\":[1.5,null,..]},..]}\n",
    .settings_bytes = sizeof(Settings),
    .options = options,
    .run = run,
};
