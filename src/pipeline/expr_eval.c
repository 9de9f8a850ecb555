#include <stdlib.h>

#include "data/json.h"
#include "pipeline/expr_internal.h"

static enum code eval(struct expr_run *run, const struct expr_node *node, json_t **ret);

enum code expr_refuse(struct expr_call *call, enum code code, const char *fmt, ...) {
    char message[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    return err_at(call->run->err, code, 0, call->node->column, "%s: %s", call->node->function->name, message);
}

static enum code give(struct expr_run *run, json_t *made, json_t **ret) {
    if (!made) return err_oom(run->err);
    *ret = made;
    return OK;
}

enum code expr_give(struct expr_call *call, json_t *made, json_t **ret) {
    return give(call->run, made, ret);
}

enum code expr_give_str(struct expr_call *call, struct str s, json_t **ret) {
    enum code rc = expr_charge(call->run, call->node->column, s.n);
    return rc ? rc : expr_give(call, json_stringn_nocheck(s.n ? s.p : "", s.n), ret);
}

enum code expr_give_buf(struct expr_call *call, const struct buf *b, json_t **ret) {
    if (!buf_ok(b)) return expr_refuse(call, OUT_OF_RANGE, "the result is longer than %d bytes", EXPR_RESULT_MAX);
    return expr_give_str(call, buf_str(b), ret);
}

enum code expr_give_bool(struct expr_call *call, bool b, json_t **ret) {
    return expr_give(call, json_boolean(b), ret);
}

enum code expr_give_int(struct expr_call *call, int64_t i, json_t **ret) {
    return expr_give(call, json_integer(i), ret);
}

struct str expr_arg(const struct expr_call *call, size_t i) {
    return json_text_of(call->args[i]);
}

/* --- types of arguments --- */

static bool type_fits(char type, const json_t *v) {
    switch (type) {
    case 's': return json_is_string(v);
    case 'i': return json_is_integer(v);
    case 'n': return json_is_number(v);
    case 'b': return json_is_boolean(v);
    case 'a': return json_is_array(v);
    case 'c': return json_is_string(v) || json_is_array(v);
    case 'C': return json_is_string(v) || json_is_array(v) || json_is_object(v) || json_is_null(v);
    case 'A': return json_is_array(v) || json_is_object(v);
    case 'v': return json_is_string(v) || json_is_number(v) || json_is_boolean(v);
    default: return true;
    }
}

static const char *type_wanted(char type) {
    switch (type) {
    case 's': return "a string";
    case 'i': return "an integer";
    case 'n': return "a number";
    case 'b': return "a Boolean";
    case 'a': return "an array";
    case 'c': return "a string or an array";
    case 'C': return "a string, an array or an object";
    case 'A': return "an array or an object";
    default: return "a string, a number or a Boolean";
    }
}

static enum code check_types(struct expr_call *call) {
    const struct expr_function *f = call->node->function;
    size_t n_types = strlen(f->types);
    for (size_t i = 0; i < call->n; i++) {
        char type = f->types[i < n_types ? i : n_types - 1];
        if (type_fits(type, call->args[i])) continue;
        return err_at(call->run->err, INVALID_ARGUMENT, 0, call->node->args[i]->column,
                      "%s expects %s as argument %zu, and got %s", f->name, type_wanted(type), i + 1,
                      expr_type_name(call->args[i]));
    }
    return OK;
}

/* --- nodes --- */

/* Only the branch that is taken: the other may have no value. */
static enum code eval_if(struct expr_run *run, const struct expr_node *node, json_t **ret) {
    DEFER(json_freep) json_t *condition = NULL;
    enum code rc = eval(run, node->args[0], &condition);
    if (rc) return rc;
    if (!json_is_boolean(condition))
        return err_at(run->err, INVALID_ARGUMENT, 0, node->args[0]->column,
                      "if expects a Boolean as argument 1, and got %s", expr_type_name(condition));
    return eval(run, node->args[json_is_true(condition) ? 1 : 2], ret);
}

static enum code eval_call(struct expr_run *run, const struct expr_node *node, json_t **ret) {
    const struct expr_function *f = node->function;
    if (!f->run) return eval_if(run, node, ret);
    json_t **args = calloc(node->n_args ? node->n_args : 1, sizeof(json_t *));
    struct expr_call call = { run, node, args, node->n_args };
    enum code rc = args ? OK : err_oom(run->err);
    for (size_t i = 0; rc == OK && i < node->n_args; i++) rc = eval(run, node->args[i], &args[i]);
    if (rc == OK) rc = check_types(&call);
    json_t *result = NULL;
    if (rc == OK) rc = f->run(&call, &result);
    if (rc == OK && f->makes) rc = expr_measure(run, node->column, result);
    for (size_t i = 0; args && i < node->n_args; i++) json_decref(args[i]);
    free(args);
    if (rc) json_decref(result);
    else *ret = result;
    return rc;
}

static enum code eval_text(struct expr_run *run, const struct expr_node *node, json_t **ret) {
    DEFER(buf_free) struct buf out = BUF_INIT(EXPR_RESULT_MAX);
    for (size_t i = 0; i < node->n_args; i++) {
        DEFER(json_freep) json_t *part = NULL;
        enum code rc = eval(run, node->args[i], &part);
        if (rc == OK) rc = expr_add_text(run, node->args[i]->column, part, &out);
        if (rc) return rc;
    }
    return give(run, json_stringn_nocheck(out.n ? out.p : "", out.n), ret);
}

static enum code no_member(struct expr_run *run, const struct expr_node *node, const char *why) {
    if (node->args[0]->kind != NODE_STRING) return err_at(run->err, INVALID_ARGUMENT, 0, node->column, "%s", why);
    return err_at(run->err, INVALID_ARGUMENT, 0, node->column, "'%.*s': %s", STR_ARG(str_upto(node->args[0]->text, 64)),
                  why);
}

static enum code pick(struct expr_run *run, const struct expr_node *node, const json_t *base, const json_t *key,
                      json_t **ret) {
    const json_t *member = NULL;
    if (json_is_object(base) && json_is_string(key)) {
        member = json_object_getn(base, json_string_value(key), json_string_length(key));
    } else if (json_is_array(base) && json_is_integer(key)) {
        json_int_t i = json_integer_value(key);
        if (i >= 0) member = json_array_get(base, (size_t)i);
    } else if (!json_is_null(base) || !node->safe) {
        char why[128];
        (void)snprintf(why, sizeof why, "%s has no member that %s names", expr_type_name(base), expr_type_name(key));
        return no_member(run, node, why);
    }
    if (member) return give(run, json_incref((json_t *)(uintptr_t)member), ret);
    if (node->safe) return give(run, json_null(), ret);
    return no_member(run, node, json_is_array(base) ? "the array has no such element" : "the object has no such member");
}

/* An activity's state lacks what it did not come to: that reads as null, while an activity that did not run is a fault. */
static enum code pick_of_activity(struct expr_run *run, const struct expr_node *node, const json_t *state, json_t **ret) {
    const json_t *member = json_object_get(state, node->args[0]->text.p);
    return give(run, member ? json_incref((json_t *)(uintptr_t)member) : json_null(), ret);
}

static enum code eval_member(struct expr_run *run, const struct expr_node *node, json_t **ret) {
    DEFER(json_freep) json_t *base = NULL;
    DEFER(json_freep) json_t *key = NULL;
    if (node->base->kind == NODE_ACTIVITY) {
        const json_t *state = run->context->activity ? run->context->activity(run->context->user, node->base->text) : NULL;
        if (json_is_object(state)) return pick_of_activity(run, node, state, ret);
        if (node->safe) return give(run, json_null(), ret);
    }
    enum code rc = eval(run, node->base, &base);
    if (rc == OK) rc = eval(run, node->args[0], &key);
    return rc ? rc : pick(run, node, base, key, ret);
}

static enum code eval_activity(struct expr_run *run, const struct expr_node *node, json_t **ret) {
    const json_t *state = run->context->activity ? run->context->activity(run->context->user, node->text) : NULL;
    if (state) return give(run, json_incref((json_t *)(uintptr_t)state), ret);
    return err_at(run->err, INVALID_ARGUMENT, 0, node->column, "activity '%.*s' has not run", STR_ARG(node->text));
}

static enum code eval_variable(struct expr_run *run, const struct expr_node *node, json_t **ret) {
    const json_t *v = json_object_getn(run->context->variables, node->text.n ? node->text.p : "", node->text.n);
    if (v) return give(run, json_incref((json_t *)(uintptr_t)v), ret);
    return err_at(run->err, INVALID_ARGUMENT, 0, node->column, "there is no variable '%.*s'",
                  STR_ARG(str_upto(node->text, 64)));
}

static enum code eval_borrowed(struct expr_run *run, const struct expr_node *node, const json_t *v, json_t **ret) {
    if (v) return give(run, json_incref((json_t *)(uintptr_t)v), ret);
    return err_at(run->err, INVALID_ARGUMENT, 0, node->column,
                  node->kind == NODE_ITEM ? "item() has a value only in a ForEach activity" : "the run has no parameters");
}

static enum code eval_system(struct expr_run *run, const struct expr_node *node, json_t **ret) {
    struct str s;
    memcpy(&s, (const char *)&run->context->system + node->system, sizeof s);
    return give(run, s.n ? json_stringn(s.p, s.n) : json_null(), ret);
}

static enum code eval(struct expr_run *run, const struct expr_node *node, json_t **ret) {
    enum code rc = expr_charge(run, node->column, 1);
    if (rc) return rc;
    switch (node->kind) {
    case NODE_STRING: return give(run, json_stringn_nocheck(node->text.n ? node->text.p : "", node->text.n), ret);
    case NODE_INTEGER: return give(run, json_integer(node->integer), ret);
    case NODE_REAL: return give(run, json_real(node->real), ret);
    case NODE_BOOL: return give(run, json_boolean(node->integer), ret);
    case NODE_NULL: return give(run, json_null(), ret);
    case NODE_TEXT: return eval_text(run, node, ret);
    case NODE_CALL: return eval_call(run, node, ret);
    case NODE_MEMBER: return eval_member(run, node, ret);
    case NODE_PARAMETERS: return eval_borrowed(run, node, run->context->parameters, ret);
    case NODE_SYSTEM: return eval_system(run, node, ret);
    case NODE_ACTIVITY: return eval_activity(run, node, ret);
    case NODE_VARIABLE: return eval_variable(run, node, ret);
    case NODE_ITEM: return eval_borrowed(run, node, run->context->item, ret);
    }
    return err_set(run->err, INTERNAL, "an unknown node");
}

enum code expr_eval(const struct expr *expr, const struct expr_context *context, json_t **ret, struct err *err) {
    struct err local;
    struct expr_run run = { .context = context, .err = err ? err : &local };
    json_t *value = NULL;
    enum code rc = eval(&run, expr->root, &value);
    if (rc == OK) rc = expr_measure(&run, 1, value);
    if (rc) json_decref(value);
    else *ret = value;
    return rc;
}
