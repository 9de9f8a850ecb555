/* args.h: the command line, read by a table: long options only, `--name value` or `--name=value`, everything else is an
 * operand; `--` ends the options. Unknown options are refused by name. The texts are argv's own. Any thread. */
#pragma once
#include "base/err.h"

enum { ARGS_OPTIONS_MAX = 24, ARGS_OPERANDS_MAX = 256, ARGS_REPEATS_MAX = 63 };

struct option {
    const char *name;     /* "config" */
    const char *value;    /* what help calls its value: "FILE"; NULL: a switch */
    const char *fallback; /* the default, or NULL */
    const char *env;      /* the environment variable that gives the default, or NULL */
    const char *doc;      /* one sentence */
    bool repeated;
};

struct args;
struct command {
    const char *name;     /* "sql", "audit verify" */
    const char *line;     /* one line for the list of commands */
    const char *operands; /* "DATABASE [FILE]…", or "" */
    size_t min_operands, max_operands;
    const struct option *options;  /* ends with name == NULL; NULL: none */
    const char *about;             /* what it does, exit statuses that are its own, examples */
    int (*run)(struct args *args); /* returns the exit status */
};

struct args {
    const struct command *command;
    const char *given[ARGS_OPTIONS_MAX][ARGS_REPEATS_MAX + 1]; /* by the option's place in its table; NULL ends */
    size_t n_given[ARGS_OPTIONS_MAX];
    const char *operands[ARGS_OPERANDS_MAX];
    size_t n_operands;
    bool help;
};

/* argv holds what follows the command's name. INVALID_ARGUMENT says which word is wrong. */
MUST_USE enum code args_parse(const struct command *command, int argc, char **argv, struct args *ret, struct err *err);

/* By name; a name that the command's table does not hold is the program's fault, and aborts. */
bool args_has(const struct args *args, const char *name);         /* was it given? */
const char *args_text(const struct args *args, const char *name); /* given, the environment's, the default, or NULL */
const char *const *args_list(const struct args *args, const char *name); /* all that were given, then NULL */
MUST_USE enum code args_number(const struct args *args, const char *name, int64_t least, int64_t most, int64_t *ret,
                               struct err *err);
