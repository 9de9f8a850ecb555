/* say.c: help and complaints, the same for every command. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "cli/commands.h"

int complain(const struct args *args, const struct err *err) {
    if (err->line)
        (void)fprintf(stderr, "linkspan %s: %u:%u: %s\n", args->command->name, err->line, err->column, err->message);
    else (void)fprintf(stderr, "linkspan %s: %s\n", args->command->name, err->message);
    return code_exit_status(err->code);
}

int complain_usage(const struct args *args, const struct err *err) {
    (void)fprintf(stderr, "linkspan %s: %s\nTry: linkspan help %s\n", args->command->name, err->message,
                  args->command->name);
    return EXIT_USAGE;
}

static void put_option(const struct option *o, struct buf *out) {
    DEFER(buf_free) struct buf left = BUF_INIT(256);
    buf_printf(&left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    buf_printf(out, "  %-26.*s %s", STR_ARG(buf_str(&left)), o->doc);
    if (o->env) buf_printf(out, " Default: $%s%s%s.", o->env, o->fallback ? ", else " : "", o->fallback ? o->fallback : "");
    else if (o->fallback) buf_printf(out, " Default: %s.", o->fallback);
    if (o->repeated) buf_add_z(out, " May be given several times.");
    buf_add_char(out, '\n');
}

void help_command(const struct command *c, struct buf *out) {
    buf_printf(out, "usage: linkspan %s%s%s%s\n\n%s.\n", c->name, c->options ? " [options]" : "", c->operands[0] ? " " : "",
               c->operands, c->line);
    if (c->about) buf_printf(out, "\n%s\n", c->about);
    if (c->options) buf_add_z(out, "\nOptions:\n");
    for (const struct option *o = c->options; o && o->name; o++) put_option(o, out);
    buf_add_z(out,
              "\nExit status: 0 done; 64 the command line is wrong; 65 bad input; 66 not found; 69 the server cannot be\n"
              "reached or does not support it; 70 an internal fault; 73 exists already; 74 data do not verify; 75 try\n"
              "again later; 77 not allowed; 1 anything else. docs/cli.md has all of them.\n");
}

void help_all(struct buf *out) {
    buf_add_z(out,
              "usage: linkspan COMMAND [options] …\n\nBrings compute to data: checks who crosses, on every request.\n\n");
    for (const struct command *const *c = commands; *c; c++) buf_printf(out, "  %-18s %s\n", (*c)->name, (*c)->line);
    buf_add_z(out, "\nlinkspan help COMMAND tells about one. Start with: linkspan init DIR\n");
}

int print_out(const struct buf *out) {
    struct err err;
    if (!buf_ok(out)) {
        (void)fputs("linkspan: the output is larger than this program holds\n", stderr);
        return code_exit_status(RESOURCE_EXHAUSTED);
    }
    if (file_write_all(STDOUT_FILENO, buf_str(out), &err) == OK) return 0;
    if (errno != EPIPE) (void)fprintf(stderr, "linkspan: standard output: %s\n", err.message);
    return code_exit_status(INTERNAL);
}
