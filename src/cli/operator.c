#include "cli/operator.h"
#include <arpa/inet.h>
#include <string.h>
#include "audit/query.h"
#include "gate/data_dir.h"

enum { ENTRIES_MAX = 8 };

enum code operator_audit_dir(const struct args *args, struct arena *arena, struct config *config, char out[4096],
                             struct err *err) {
    enum code rc = setup_config(args, arena, config, err);
    return rc ? rc : data_path(config->data, DATA_AUDIT, out, err);
}

struct search {
    struct arena *arena;
    struct audit_entry *ret;
    bool found;
    struct err *err;
    enum code rc;
};

static bool on_entry(void *ctx, UNUSED uint64_t index, struct str json, const struct audit_entry *entry) {
    struct search *s = ctx;
    /* Later entries of the id know more; one without a verdict tells explain nothing. */
    if (s->found && !entry->decided && s->ret->decided) return true;
    s->rc = audit_entry_parse(json, s->arena, s->ret, s->err);
    s->found = s->rc == OK;
    return s->rc == OK;
}

enum code operator_entry(const char *audit_dir, struct str id, struct arena *arena, struct audit_entry *ret,
                         struct err *err) {
    struct search search = { .arena = arena, .ret = ret, .err = err };
    struct audit_filter filter = { .id = id, .limit = ENTRIES_MAX };
    enum code rc = audit_query(audit_dir, &filter, on_entry, &search, err);
    if (!rc) rc = search.rc;
    if (rc || search.found) return rc;
    return err_set(err, NOT_FOUND,
                   "the audit log has no request %.*s: ids have 26 characters, and a refused request's is in its "
                   "error message",
                   STR_ARG(str_upto(id, 64)));
}

static bool copy_atom(const struct audit_atom *from, struct arena *arena, struct atoms *to) {
    struct atom atom = { .path = from->path,
                         .object = from->object,
                         .account = from->account,
                         .columns = from->columns,
                         .n_columns = from->n_columns,
                         .any_column = from->any_column };
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        if (!str_eq_z(from->verb, verb_name((enum verb)verb))) continue;
        atom.verb = (enum verb)verb;
        return atoms_add(to, arena, atom);
    }
    return true; /* a verb of a newer version: nothing that this policy could speak of */
}

static struct policy_names names_of(struct event_names names, struct arena *arena) {
    struct policy_names copy = { .items = ARENA_ARRAY(arena, struct str, names.n ? names.n : 1) };
    for (size_t i = 0; copy.items && i < names.n; i++) copy.items[copy.n++] = names.items[i];
    return copy;
}

static struct in6_addr address_of(struct str source, struct arena *arena) {
    struct in6_addr to = { 0 };
    struct in_addr v4;
    const char *text = str_dupz(arena, source);
    if (!text || inet_pton(AF_INET6, text, &to) == 1 || inet_pton(AF_INET, text, &v4) != 1) return to;
    to.s6_addr[10] = to.s6_addr[11] = 0xff;
    memcpy(&to.s6_addr[12], &v4, sizeof v4);
    return to;
}

static void copy_verdict(const struct audit_entry *e, struct verdict *v) {
    *v = (struct verdict){ .column = -1, .atom = e->refused_atom, .rule = e->rule };
    if (e->decided && !e->allowed) (void)reason_from_name(e->reason, &v->reason);
    if (!e->refused_column.n || e->refused_atom >= e->n_atoms) return;
    const struct audit_atom *a = &e->atoms[e->refused_atom];
    for (size_t i = 0; i < a->n_columns; i++)
        if (str_eq(a->columns[i], e->refused_column)) v->column = (int)i;
}

enum code operator_recorded(const struct audit_entry *e, struct arena *arena, struct policy_recorded *ret,
                            struct err *err) {
    struct atoms *atoms = ARENA_NEW(arena, struct atoms);
    bool ok = atoms != NULL;
    for (size_t i = 0; ok && i < e->n_atoms; i++) ok = copy_atom(&e->atoms[i], arena, atoms);
    *ret = (struct policy_recorded){
        .bearing = { names_of(e->bears, arena), names_of(e->may_bear, arena), names_of(e->chain_bears, arena) },
        .issuer = e->actor.issuer,
        .subject = e->actor.email.n ? e->actor.email : e->actor.subject,
        .job = e->job,
        .from = address_of(e->source, arena),
        .atoms = atoms,
    };
    copy_verdict(e, &ret->verdict);
    return ok && ret->bearing.chain.items ? OK : err_oom(err);
}
