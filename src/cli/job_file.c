#include "cli/job_file.h"
#include "base/buf.h"
#include "base/json_text.h"
#include "data/yaml.h"
#include "wire/pb/dataproc.pb.h"
#include "wire/pb/pb_json.h"

enum { JSON_BYTES = 4 << 20 };

static void put_node(struct buf *out, const struct node *n);

static void put_items(struct buf *out, const struct node *n) {
    bool map = n->kind == NODE_MAP;
    buf_add_char(out, map ? '{' : '[');
    for (size_t i = 0; i < n->n; i++) {
        if (i) buf_add_char(out, ',');
        if (map) {
            json_text_string(out, n->keys[i]->text);
            buf_add_char(out, ':');
        }
        put_node(out, n->items[i]);
    }
    buf_add_char(out, map ? '}' : ']');
}

/* YAML's depth is bounded when it is read. */
static void put_node(struct buf *out, const struct node *n) {
    switch (n->kind) {
    case NODE_NULL: buf_add_z(out, "null"); return;
    case NODE_BOOL: buf_add_z(out, n->boolean ? "true" : "false"); return;
    case NODE_INT: buf_printf(out, "%lld", (long long)n->integer); return;
    case NODE_REAL: buf_add_str(out, n->text); return;
    case NODE_STRING: json_text_string(out, n->text); return;
    case NODE_LIST:
    case NODE_MAP: put_items(out, n); return;
    }
}

static bool is_request(const struct node *root) {
    return node_get(root, STR("job")) != NULL;
}

/* Spark's properties and labels are texts, and people write `4` and `true` there. */
static void texts_only(const struct node *map) {
    for (size_t i = 0; map && map->kind == NODE_MAP && i < map->n; i++)
        if (map->items[i]->kind == NODE_INT || map->items[i]->kind == NODE_BOOL || map->items[i]->kind == NODE_REAL)
            map->items[i]->kind = NODE_STRING;
}

static void soften(const struct node *job) {
    texts_only(node_get(job, STR("labels")));
    for (size_t i = 0; job && job->kind == NODE_MAP && i < job->n; i++) {
        const struct node *properties = node_get(job->items[i], STR("properties"));
        const struct node *args = node_get(job->items[i], STR("args"));
        texts_only(properties);
        for (size_t k = 0; args && args->kind == NODE_LIST && k < args->n; k++)
            if (args->items[k]->kind == NODE_INT || args->items[k]->kind == NODE_BOOL || args->items[k]->kind == NODE_REAL)
                args->items[k]->kind = NODE_STRING;
    }
}

static enum code check(struct dataproc_SubmitJobRequest *r, struct err *err) {
    const struct dataproc_Job *job = r->job;
    if (!job || !job->type_job_case)
        return err_set(err, INVALID_ARGUMENT, "the file names no kind of job: pysparkJob, for example");
    if (!r->project_id.n && job->reference) r->project_id = job->reference->project_id;
    if (!r->project_id.n) return err_set(err, INVALID_ARGUMENT, "which project? Give --project, or reference.projectId");
    if (!r->region.n) return err_set(err, INVALID_ARGUMENT, "which region? Give --region");
    return OK;
}

enum code job_file_read(struct str text, const char *project, const char *region, struct arena *arena,
                        struct dataproc_SubmitJobRequest **ret, struct err *err) {
    DEFER(buf_free) struct buf json = BUF_INIT(JSON_BYTES);
    struct node *root;
    struct str start = str_trim(text);
    bool is_json = str_starts(start, STR("{"));
    enum code rc = is_json ? node_from_json(text, JOB_FILE_MAX, arena, &root, err)
                           : yaml_read(text, JOB_FILE_MAX, arena, &root, err);
    if (rc) return rc;
    if (root->kind != NODE_MAP) return err_set(err, INVALID_ARGUMENT, "the file holds no job");
    const struct node *job = is_request(root) ? node_get(root, STR("job")) : root;
    soften(job);
    if (!is_request(root)) buf_add_z(&json, "{\"job\":");
    put_node(&json, root);
    if (!is_request(root)) buf_add_char(&json, '}');
    if (!buf_ok(&json)) return err_oom(err);
    void *msg;
    rc = pb_from_json(&dataproc_SubmitJobRequest_msg, buf_str(&json), arena, 0, &msg, err);
    if (rc) return rc;
    struct dataproc_SubmitJobRequest *request = msg;
    if (project) request->project_id = str_z(project);
    if (region) request->region = str_z(region);
    rc = check(request, err);
    if (!rc) *ret = request;
    return rc;
}
