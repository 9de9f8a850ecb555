/* What activities depend on and expressions refer to: cycles, and what cannot be known where it is asked for. */
#include "pipeline/document_internal.h"

struct set {
    uint64_t words[(PIPELINE_ACTIVITIES_MAX + 63) / 64];
};

static void set_add(struct set *set, unsigned ordinal) {
    set->words[ordinal / 64] |= UINT64_C(1) << ordinal % 64;
}

static bool set_has(const struct set *set, unsigned ordinal) {
    return set->words[ordinal / 64] >> ordinal % 64 & 1;
}

/* --- cycles --- */

enum mark { MARK_NEW, MARK_OPEN, MARK_DONE };
struct walk {
    struct compile *c;
    struct activity_list list;
    enum mark marks[PIPELINE_ACTIVITIES_MAX];
    unsigned path[PIPELINE_ACTIVITIES_MAX]; /* the open ones, in order */
    unsigned n;
};

/* "A → B → A", from where `at` is on the path. */
static void report_cycle(struct walk *w, unsigned at) {
    char text[512];
    size_t n = 0;
    unsigned i = 0;
    while (w->path[i] != at) i++;
    for (; i < w->n && n < sizeof text - 1; i++) {
        struct str name = str_upto(w->list.items[w->path[i]].name, ACTIVITY_NAME_MAX);
        n += (size_t)snprintf(text + n, sizeof text - n, "%.*s → ", STR_ARG(name));
        if (n >= sizeof text) n = sizeof text - 1;
    }
    const struct activity *a = &w->list.items[at];
    fault_add(w->c->shape.faults, "BadRequest", path_key(w->c->shape.arena, a->path, STR("dependsOn")), 0,
              "the activities depend on one another in a circle: %s%.*s", text,
              STR_ARG(str_upto(a->name, ACTIVITY_NAME_MAX)));
}

static void visit(struct walk *w, unsigned at) {
    const struct activity *a = &w->list.items[at];
    w->marks[at] = MARK_OPEN;
    w->path[w->n++] = at;
    for (size_t i = 0; i < a->n_depends_on; i++) {
        unsigned next = a->depends_on[i].activity;
        if (w->marks[next] == MARK_OPEN) report_cycle(w, next);
        if (w->marks[next] == MARK_NEW) visit(w, next);
    }
    w->n--;
    w->marks[at] = MARK_DONE;
}

static void check_cycles(struct compile *c, struct activity_list list) {
    struct walk w = { .c = c, .list = list };
    for (unsigned i = 0; i < list.n; i++)
        if (w.marks[i] == MARK_NEW) visit(&w, i);
}

/* --- references --- */

struct look {
    struct compile *c;
    const struct activity *self;
    struct set before; /* activities that have ended whenever this one runs */
    bool item;         /* inside of a ForEach */
};

static const struct activity *find_activity(const struct compile *c, struct str name) {
    for (size_t i = 0; i < c->pipeline->n_activities; i++)
        if (str_eq(c->all[i]->name, name)) return c->all[i];
    return NULL;
}

static bool has_slot(const struct pipeline_slot *slots, size_t n, struct str name) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(slots[i].name, name)) return true;
    return false;
}

static void see_activity(struct look *l, struct str path, const struct expr_ref *ref) {
    const struct activity *a = find_activity(l->c, ref->name);
    struct str name = str_upto(ref->name, ACTIVITY_NAME_MAX);
    if (!a)
        fault_add(l->c->shape.faults, "InvalidTemplate", path, ref->column, "there is no activity '%.*s'", STR_ARG(name));
    else if (!set_has(&l->before, a->ordinal))
        fault_add(l->c->shape.faults, "InvalidTemplate", path, ref->column,
                  "activity '%.*s' need not have run by then: '%.*s' does not depend on it", STR_ARG(name),
                  STR_ARG(str_upto(l->self->name, ACTIVITY_NAME_MAX)));
}

static void see_variable(struct look *l, struct str path, const struct expr_ref *ref) {
    const struct pipeline *p = l->c->pipeline;
    const struct activity *a = l->self;
    struct str name = str_upto(ref->name, 64);
    if (!has_slot(p->variables, p->n_variables, ref->name))
        fault_add(l->c->shape.faults, "InvalidTemplate", path, ref->column, "the pipeline has no variable '%.*s'",
                  STR_ARG(name));
    else if (a->kind == ACTIVITY_SET_VARIABLE && a->set_variable.variable < p->n_variables &&
             str_eq(p->variables[a->set_variable.variable].name, ref->name))
        fault_add(l->c->shape.faults, "InvalidTemplate", path, ref->column,
                  "variable '%.*s' cannot be set from itself, as in Synapse: go by another variable", STR_ARG(name));
}

static void see(void *user, struct str path, const struct expr_ref *ref) {
    struct look *l = user;
    const struct pipeline *p = l->c->pipeline;
    switch (ref->kind) {
    case EXPR_REF_ACTIVITY: see_activity(l, path, ref); break;
    case EXPR_REF_VARIABLE: see_variable(l, path, ref); break;
    case EXPR_REF_PARAMETER:
        if (!has_slot(p->parameters, p->n_parameters, ref->name))
            fault_add(l->c->shape.faults, "InvalidTemplate", path, ref->column, "the pipeline has no parameter '%.*s'",
                      STR_ARG(str_upto(ref->name, 64)));
        break;
    case EXPR_REF_ITEM:
        if (!l->item)
            fault_add(l->c->shape.faults, "InvalidTemplate", path, ref->column,
                      "item() has a value only inside of a ForEach");
        break;
    }
}

static void see_all(struct look *l, const struct template *const *templates, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (templates[i]) template_each_ref(templates[i], see, l);
}

static void check_own(struct look *l) {
    const struct activity *a = l->self;
    see_all(l, &a->user_properties, 1);
    switch (a->kind) {
    case ACTIVITY_WEB:
        see_all(l, (const struct template *const[]){ a->web.url, a->web.headers, a->web.body, a->web.resource }, 4);
        break;
    case ACTIVITY_WAIT: see_all(l, &a->wait_s, 1); break;
    case ACTIVITY_SET_VARIABLE: see_all(l, &a->set_variable.value, 1); break;
    case ACTIVITY_FAIL: see_all(l, (const struct template *const[]){ a->fail.message, a->fail.error_code }, 2); break;
    case ACTIVITY_IF_CONDITION: see_all(l, &a->if_condition.expression, 1); break;
    case ACTIVITY_FOR_EACH: see_all(l, &a->for_each.items, 1); break;
    case ACTIVITY_EXECUTE_PIPELINE: see_all(l, &a->execute.parameters, 1); break;
    case ACTIVITY_KINDS: break;
    }
}

/* All that the activity depends on, also by others. Ends on circles, too: each is added once. */
static void add_ancestors(struct activity_list list, unsigned at, struct set *set) {
    const struct activity *a = &list.items[at];
    for (size_t i = 0; i < a->n_depends_on; i++) {
        unsigned next = a->depends_on[i].activity, ordinal = list.items[next].ordinal;
        if (set_has(set, ordinal)) continue;
        set_add(set, ordinal);
        add_ancestors(list, next, set);
    }
}

static void check_list(struct compile *c, struct activity_list list, const struct set *outer, bool item) {
    check_cycles(c, list);
    for (unsigned i = 0; i < list.n; i++) {
        const struct activity *a = &list.items[i];
        struct look l = { .c = c, .self = a, .before = *outer, .item = item };
        add_ancestors(list, i, &l.before);
        check_own(&l);
        if (a->kind == ACTIVITY_IF_CONDITION) {
            check_list(c, a->if_condition.if_true, &l.before, item);
            check_list(c, a->if_condition.if_false, &l.before, item);
        }
        if (a->kind == ACTIVITY_FOR_EACH) check_list(c, a->for_each.activities, &l.before, true);
    }
}

void compile_references(struct compile *c) {
    struct set none = { 0 };
    check_list(c, c->pipeline->activities, &none, false);
}
