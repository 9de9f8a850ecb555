/* execute.c: ExecutePipeline: a run that a run makes. It acts for the same person, under the same request. */
#include <stdlib.h>
#include <string.h>
#include "data/json.h"
#include "pipeline/pipelines_priv.h"

enum { FAULTS_BYTES = 1 << 20 };

static const char *code_of(enum code rc) {
    switch ((int)rc) {
    case NOT_FOUND: return "PipelineNotFound";
    case INVALID_ARGUMENT: return "InvalidParameter";
    case RESOURCE_EXHAUSTED: return "ResourceExhausted";
    default: return "InternalError";
    }
}

static json_t *output_of(const char *pipeline, const char *run) {
    return json_pack("{s:s,s:s}", "pipelineName", pipeline, "pipelineRunId", run);
}

static void enter(struct pipeline_node *node, struct run *child) {
    bool waits = node->def->execute.wait_on_completion;
    const struct actor *who = &child->starter->principal.actor;
    const struct run_known known = { str_z(pipeline_run_pipeline(child)), who->issuer, who->subject };
    if (!pipeline_run_know(child->p, str_z(child->id), known) ||
        !pipeline_node_set_plan(node, json_pack("{s:s}", "child", child->id))) {
        pipeline_run_unknow(child->p, child->id);
        pipeline_run_destroy(child);
        pipeline_node_fail(node, FINAL, "InsufficientMemory", STR(""), "out of memory");
        return;
    }
    if (waits) {
        node->child = child;
        pipeline_node_wait(node, WAIT_RUN, 0);
    } else {
        pipeline_node_succeed(node, output_of(pipeline_run_pipeline(child), child->id));
    }
    pipeline_run_enter(child);
}

static void make(struct pipeline_node *node, const json_t *parameters) {
    DEFER(arena_freep) struct arena *arena = arena_new(FAULTS_BYTES);
    struct faults faults = { .arena = arena };
    struct err err = { 0 };
    struct run *run = node->scope->run, *child = NULL;
    const struct run_seed seed = { .pipeline = node->def->execute.pipeline,
                                   .parameters = parameters,
                                   .starter = run->starter,
                                   .request = str_z(run->request),
                                   .parent = node,
                                   .waits = node->def->execute.wait_on_completion };
    enum code rc = arena ? pipeline_run_make(run->p, &seed, &faults, &child, &err) : err_oom(&err);
    if (rc) pipeline_node_fail(node, FINAL, code_of(rc), STR(""), "%s", err.message);
    else enter(node, child);
}

static void begin_execute(struct pipeline_node *node) {
    const struct execute_pipeline_activity *def = &node->def->execute;
    DEFER(json_freep) json_t *parameters = NULL;
    struct err err = { 0 };
    if (node->scope->run->depth + 1 >= PIPELINES_MAX_DEPTH) {
        pipeline_node_fail(node, FINAL, "PipelineTooDeep", STR(""), "pipelines that run pipelines may be %d deep",
                           PIPELINES_MAX_DEPTH);
        return;
    }
    enum code rc = def->parameters ? pipeline_evaluate(node, def->parameters, &parameters, &err) : OK;
    if (rc) {
        pipeline_node_fail_code(node, rc, &err);
        return;
    }
    pipeline_node_set_input(node, json_pack("{s:{s:s%},s:O*}", "pipeline", "referenceName", def->pipeline.p,
                                            def->pipeline.n, "parameters", parameters));
    make(node, parameters);
}

void execute_child_done(struct pipeline_node *node, struct run *child) {
    node->child = NULL;
    if (child->state == RUN_SUCCEEDED) {
        pipeline_node_succeed(node, output_of(pipeline_run_pipeline(child), child->id));
        return;
    }
    bool cancelled = child->state == RUN_CANCELLED;
    pipeline_node_fail(node, FINAL, cancelled ? "ChildRunCancelled" : "ChildRunFailed", STR(""),
                       "run %s of pipeline %s %s%s%s", child->id, pipeline_run_pipeline(child),
                       cancelled ? "was cancelled" : "failed", child->message && !cancelled ? ": " : "",
                       child->message && !cancelled ? child->message : "");
}

/* recover.c has joined it to its child: the end of one is written with what it means for the other. */
static void resume_execute(struct pipeline_node *node, const json_t *plan) {
    if (!json_object_get(plan, "child")) begin_execute(node);
    else if (!node->child) pipeline_node_fail(node, FINAL, "ChildRunFailed", STR(""), "its run could not be resumed");
}

const struct pipeline_node_kind pipeline_execute_kind = { .begin = begin_execute, .resume = resume_execute };
