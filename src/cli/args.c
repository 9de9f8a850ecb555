#include "cli/args.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ptrdiff_t place_of(const struct command *command, struct str name) {
    for (ptrdiff_t i = 0; command->options && command->options[i].name; i++)
        if (str_eq_z(name, command->options[i].name)) return i;
    return -1;
}

static enum code keep(struct args *args, size_t at, const char *value, struct err *err) {
    const struct option *o = &args->command->options[at];
    if (args->n_given[at] && !o->repeated) return err_set(err, INVALID_ARGUMENT, "--%s is given twice", o->name);
    if (args->n_given[at] == ARGS_REPEATS_MAX)
        return err_set(err, INVALID_ARGUMENT, "--%s is given more than %d times", o->name, ARGS_REPEATS_MAX);
    args->given[at][args->n_given[at]++] = value;
    return OK;
}

static enum code take_option(struct args *args, int argc, char **argv, int *at, struct err *err) {
    const char *word = argv[*at] + 2, *equals = strchr(word, '=');
    struct str name = equals ? (struct str){ word, (size_t)(equals - word) } : str_z(word);
    if (str_eq(name, STR("help"))) {
        args->help = true;
        return OK;
    }
    ptrdiff_t place = place_of(args->command, name);
    if (place < 0) return err_set(err, INVALID_ARGUMENT, "there is no option --%.*s", STR_ARG(str_upto(name, 64)));
    const struct option *o = &args->command->options[place];
    if (!o->value && equals) return err_set(err, INVALID_ARGUMENT, "--%s takes no value", o->name);
    if (!o->value) return keep(args, (size_t)place, "", err);
    if (equals) return keep(args, (size_t)place, equals + 1, err);
    if (++*at >= argc) return err_set(err, INVALID_ARGUMENT, "--%s needs a value: --%s %s", o->name, o->name, o->value);
    return keep(args, (size_t)place, argv[*at], err);
}

/* "-e" is the one short option that people know from every SQL shell. */
static bool is_option(const char *word) {
    return word[0] == '-' && word[1] != '\0';
}

static enum code take_short(struct args *args, int argc, char **argv, int *at, struct err *err) {
    static char help[] = "--help", execute[] = "--execute";
    char *word = argv[*at];
    if (strcmp(word, "-h") == 0) word = help;
    else if (strcmp(word, "-e") == 0 && place_of(args->command, STR("execute")) >= 0) word = execute;
    else return err_set(err, INVALID_ARGUMENT, "there is no option %.64s", word);
    char *two[2] = { word, *at + 1 < argc ? argv[*at + 1] : NULL };
    int from = 0;
    enum code rc = take_option(args, two[1] ? 2 : 1, two, &from, err);
    *at += from;
    return rc;
}

static enum code check_operands(const struct args *args, struct err *err) {
    const struct command *c = args->command;
    if (args->help) return OK;
    if (args->n_operands < c->min_operands) return err_set(err, INVALID_ARGUMENT, "something is missing: %s", c->operands);
    if (args->n_operands > c->max_operands)
        return err_set(err, INVALID_ARGUMENT, "too many words, from \"%.64s\" on", args->operands[c->max_operands]);
    return OK;
}

enum code args_parse(const struct command *command, int argc, char **argv, struct args *ret, struct err *err) {
    bool options = true;
    *ret = (struct args){ .command = command };
    for (int i = 0; i < argc; i++) {
        enum code rc = OK;
        if (options && strcmp(argv[i], "--") == 0) options = false;
        else if (options && strncmp(argv[i], "--", 2) == 0) rc = take_option(ret, argc, argv, &i, err);
        else if (options && is_option(argv[i])) rc = take_short(ret, argc, argv, &i, err);
        else if (ret->n_operands == ARGS_OPERANDS_MAX) rc = err_set(err, INVALID_ARGUMENT, "too many words");
        else ret->operands[ret->n_operands++] = argv[i];
        if (rc) return rc;
    }
    return check_operands(ret, err);
}

static size_t must_place(const struct args *args, const char *name) {
    ptrdiff_t place = place_of(args->command, str_z(name));
    if (place < 0) {
        (void)fprintf(stderr, "linkspan: %s has no option --%s\n", args->command->name, name);
        abort();
    }
    return (size_t)place;
}

bool args_has(const struct args *args, const char *name) {
    return args->n_given[must_place(args, name)] > 0;
}

const char *args_text(const struct args *args, const char *name) {
    size_t place = must_place(args, name);
    const struct option *o = &args->command->options[place];
    if (args->n_given[place]) return args->given[place][0];
    const char *env = o->env ? getenv(o->env) : NULL;
    return env && env[0] ? env : o->fallback;
}

const char *const *args_list(const struct args *args, const char *name) {
    return args->given[must_place(args, name)];
}

enum code args_number(const struct args *args, const char *name, int64_t least, int64_t most, int64_t *ret,
                      struct err *err) {
    int64_t n;
    if (!str_i64(str_z(args_text(args, name)), &n) || n < least || n > most)
        return err_set(err, INVALID_ARGUMENT, "--%s must be a number from %lld to %lld", name, (long long)least,
                       (long long)most);
    *ret = n;
    return OK;
}
