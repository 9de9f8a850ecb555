#include "cli/commands.h"

static int run(struct args *args) {
    DEFER(buf_free) struct buf out = BUF_INIT(1024);
    if (args_has(args, "json")) buf_printf(&out, "{\"name\":\"linkspan\",\"version\":\"%s\"}\n", LINKSPAN_VERSION);
    else buf_printf(&out, "linkspan %s\n", LINKSPAN_VERSION);
    return print_out(&out);
}

static const struct option options[] = { { .name = "json", .doc = "As JSON: {name, version}." }, { 0 } };
const struct command command_version = {
    .name = "version", .line = "Prints the version", .operands = "", .options = options, .run = run
};
