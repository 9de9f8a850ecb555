/* main.c: finds the command and runs it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/commands.h"
#include "spark/world.h"

enum { HELP_BYTES = 256 << 10 };

const struct command *const commands[] = {
    &command_init,
    &command_serve,
    &command_check,
    &command_sql,
    &command_import,
    &command_run,
    &command_jobs_list,
    &command_jobs_get,
    &command_jobs_cancel,
    &command_jobs_logs,
    &command_jobs_delete,
    &command_policy_check,
    &command_policy_fmt,
    &command_policy_explain,
    &command_policy_who,
    &command_policy_roles,
    &command_doctor,
    &command_audit_verify,
    &command_audit_show,
    &command_audit_checkpoint,
    &command_audit_prove,
    &command_dev_issuer_serve,
    &command_dev_issuer_token,
    &command_version,
    NULL,
};

/* How many words of argv are the command's name: "audit verify" is two; 0: none of them. */
static int matches(const struct command *c, int argc, char **argv) {
    struct str rest = str_z(c->name);
    int words = 0;
    for (; rest.n; words++)
        if (words >= argc || !str_eq_z(str_cut(&rest, ' '), argv[words])) return 0;
    return words;
}

static const struct command *find(int argc, char **argv, int *ret_words) {
    for (const struct command *const *c = commands; *c; c++)
        if ((*ret_words = matches(*c, argc, argv))) return *c;
    return NULL;
}

/* "linkspan help audit": all whose first word it is. False: there are none. */
static bool help_group(const char *word, struct buf *out) {
    size_t before = out->n;
    for (const struct command *const *c = commands; *c; c++) {
        struct str rest = str_z((*c)->name);
        if (!str_eq_z(str_cut(&rest, ' '), word) || !rest.n) continue;
        if (out->n == before) buf_printf(out, "usage: linkspan %s COMMAND [options] …\n\n", word);
        buf_printf(out, "  %-18s %s\n", (*c)->name, (*c)->line);
    }
    if (out->n > before) buf_printf(out, "\nlinkspan help %s COMMAND tells about one.\n", word);
    return out->n > before;
}

static int help(int argc, char **argv, bool asked) {
    DEFER(buf_free) struct buf out = BUF_INIT(HELP_BYTES);
    int words;
    const struct command *command = find(argc, argv, &words);
    if (command) help_command(command, &out);
    else if (argc == 0) help_all(&out);
    else if (!help_group(argv[0], &out)) {
        (void)fprintf(stderr, "linkspan: there is no command \"%.64s\"\nTry: linkspan help\n", argv[0]);
        return EXIT_USAGE;
    }
    if (asked) return print_out(&out);
    if (out.n) (void)fwrite(out.p, 1, out.n, stderr);
    return EXIT_USAGE;
}

static bool is_help(const char *word) {
    return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int main(int argc, char **argv) {
    static char version[] = "version";
    if (world_is_child(argc, argv)) return world_child_main();
    (void)signal(SIGPIPE, SIG_IGN);
    argc--, argv++;
    if (argc > 0 && is_help(argv[0])) return help(argc - 1, argv + 1, true);
    if (argc > 0 && strcmp(argv[0], "--version") == 0) argv[0] = version;
    int words;
    const struct command *command = find(argc, argv, &words);
    if (!command) return help(argc > 1 && is_help(argv[1]) ? 1 : argc, argv, argc > 1 && is_help(argv[1]));
    struct args args;
    struct err err;
    if (args_parse(command, argc - words, argv + words, &args, &err)) return complain_usage(&args, &err);
    if (args.help) return help(words, argv, true);
    return command->run(&args);
}
