/* pipeline(), activity('x'), variables('x') and item(): what an expression may see of its run. */
#include "pipeline/expr_internal.h"

#define SYSTEM(name, member)                                                                                               \
    { STR_INIT(name), offsetof(struct expr_system, member) }
static const struct {
    struct str name;
    size_t offset;
} systems[] = {
    SYSTEM("DataFactory", data_factory),
    SYSTEM("Pipeline", pipeline),
    SYSTEM("RunId", run_id),
    SYSTEM("GroupId", group_id),
    SYSTEM("TriggerType", trigger_type),
    SYSTEM("TriggerId", trigger_id),
    SYSTEM("TriggerName", trigger_name),
    SYSTEM("TriggerTime", trigger_time),
    SYSTEM("TriggeredByPipelineName", triggered_by_pipeline_name),
    SYSTEM("TriggeredByPipelineRunId", triggered_by_pipeline_run_id),
};

static enum code member_name(struct expr_parser *p, struct str *ret, struct err *err) {
    enum code rc = OK;
    if (expr_token_is(&p->lexer.token, "[") || expr_token_is(&p->lexer.token, "?[")) {
        rc = expr_lex(&p->lexer, err);
        if (rc == OK) rc = expr_string_literal(p, "pipeline()[…]", ret, err);
        return rc ? rc : expr_expect(p, "]", err);
    }
    if (!expr_token_is(&p->lexer.token, ".") && !expr_token_is(&p->lexer.token, "?."))
        return expr_fault(p, p->lexer.token.at, err,
                          "pipeline() alone has no value: name a member, as in pipeline().RunId");
    rc = expr_lex(&p->lexer, err);
    if (rc) return rc;
    if (p->lexer.token.kind != TOKEN_NAME)
        return expr_fault(p, p->lexer.token.at, err, "a member of pipeline() should stand here");
    *ret = p->lexer.token.text;
    return expr_lex(&p->lexer, err);
}

static enum code parse_pipeline(struct expr_parser *p, struct expr_node *node, struct err *err) {
    struct str name;
    enum code rc = expr_expect(p, ")", err);
    if (rc) return rc;
    size_t at = p->lexer.token.at;
    rc = member_name(p, &name, err);
    if (rc) return rc;
    if (str_eq_nocase(name, STR("parameters"))) {
        node->kind = NODE_PARAMETERS;
        return OK;
    }
    for (size_t i = 0; i < COUNT(systems); i++)
        if (str_eq_nocase(name, systems[i].name)) {
            node->kind = NODE_SYSTEM, node->system = systems[i].offset;
            return OK;
        }
    return expr_fault(p, at, err, "pipeline().%.*s is not supported", STR_ARG(str_upto(name, 64)));
}

static enum code parse_named(struct expr_parser *p, struct expr_node *node, enum expr_ref_kind kind, const char *of,
                             struct err *err) {
    unsigned column = expr_column(p->lexer.text, p->lexer.token.at);
    enum code rc = expr_string_literal(p, of, &node->text, err);
    if (rc) return rc;
    if (!expr_add_ref(p, kind, node->text, column)) return err_oom(err);
    return expr_expect(p, ")", err);
}

static enum code parse_item(struct expr_parser *p, struct expr_node *node, struct err *err) {
    if (!expr_add_ref(p, EXPR_REF_ITEM, (struct str){ 0 }, node->column)) return err_oom(err);
    return expr_expect(p, ")", err);
}

enum code expr_parse_root(struct expr_parser *p, struct expr_token name, struct expr_node **ret, struct err *err) {
    static const struct {
        struct str name;
        enum expr_node_kind kind;
    } roots[] = { { STR_INIT("pipeline"), NODE_SYSTEM },
                  { STR_INIT("activity"), NODE_ACTIVITY },
                  { STR_INIT("variables"), NODE_VARIABLE },
                  { STR_INIT("item"), NODE_ITEM } };
    size_t i = 0;
    while (i < COUNT(roots) && !str_eq_nocase(name.text, roots[i].name)) i++;
    if (i == COUNT(roots)) return OK;
    struct expr_node *node = expr_new_node(p, roots[i].kind, name.at);
    if (!node) return err_oom(err);
    enum code rc = expr_lex(&p->lexer, err);
    if (rc) return rc;
    *ret = node;
    if (node->kind == NODE_ACTIVITY) return parse_named(p, node, EXPR_REF_ACTIVITY, "activity()", err);
    if (node->kind == NODE_VARIABLE) return parse_named(p, node, EXPR_REF_VARIABLE, "variables()", err);
    if (node->kind == NODE_ITEM) return parse_item(p, node, err);
    return parse_pipeline(p, node, err);
}
