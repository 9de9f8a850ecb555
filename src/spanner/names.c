#include "spanner/names.h"

/* Takes "word/ID" off the front, and the '/' behind it. */
static bool take(struct str *rest, const char *word, struct str *ret) {
    struct str copy = *rest;
    if (!str_eq_z(str_cut(&copy, '/'), word)) return false;
    *ret = str_cut(&copy, '/');
    *rest = copy;
    return ret->n > 0;
}

static enum code bad(struct str text, const char *what, struct err *err) {
    return err_set(err, INVALID_ARGUMENT, "Invalid %s name: %.*s", what, STR_ARG(str_upto(text, 300)));
}

/* A trailing '/' leaves an empty part behind that str_cut does not show: refuse it here. */
static bool ends(struct str text, struct str rest) {
    return rest.n == 0 && !str_ends(text, STR("/"));
}

enum code name_project(struct str text, struct spanner_name *ret, struct err *err) {
    struct str rest = text;
    *ret = (struct spanner_name){ 0 };
    return take(&rest, "projects", &ret->project) && ends(text, rest) ? OK : bad(text, "project", err);
}

enum code name_instance(struct str text, struct spanner_name *ret, struct err *err) {
    struct str rest = text;
    *ret = (struct spanner_name){ 0 };
    bool ok = take(&rest, "projects", &ret->project) && take(&rest, "instances", &ret->instance) && ends(text, rest);
    return ok ? OK : bad(text, "instance", err);
}

static bool take_database(struct str *rest, struct spanner_name *ret) {
    *ret = (struct spanner_name){ 0 };
    return take(rest, "projects", &ret->project) && take(rest, "instances", &ret->instance) &&
           take(rest, "databases", &ret->database);
}

enum code name_database(struct str text, struct spanner_name *ret, struct err *err) {
    struct str rest = text;
    return take_database(&rest, ret) && ends(text, rest) ? OK : bad(text, "database", err);
}

enum code name_session(struct str text, struct spanner_name *ret, struct err *err) {
    struct str rest = text;
    return take_database(&rest, ret) && take(&rest, "sessions", &ret->session) && ends(text, rest)
               ? OK
               : bad(text, "session", err);
}

enum code name_operation(struct str text, struct spanner_name *ret, struct err *err) {
    struct str rest = text;
    *ret = (struct spanner_name){ 0 };
    bool ok = take(&rest, "projects", &ret->project) && take(&rest, "instances", &ret->instance);
    if (ok) (void)take(&rest, "databases", &ret->database);
    return ok && take(&rest, "operations", &ret->operation) && ends(text, rest) ? OK : bad(text, "operation", err);
}

enum code name_config(struct str text, struct spanner_name *ret, struct err *err) {
    struct str rest = text;
    *ret = (struct spanner_name){ 0 };
    bool ok = take(&rest, "projects", &ret->project) && take(&rest, "instanceConfigs", &ret->config) && ends(text, rest);
    return ok ? OK : bad(text, "instance config", err);
}
