#include "gate/workspace.h"
#include <errno.h>
#include <unistd.h>
#include "base/log.h"
#include "crypto/key.h"
#include "gate/data_dir.h"
#include "gate/identify.h"
#include "service/call.h"

enum { ANSWER_MAX = 16 << 10, NAME_MAX_BYTES = 512 };

static enum code make_key(const char *path, struct key **ret, struct err *err) {
    enum code rc = key_generate(KEY_RSA, ret, err);
    if (!rc) rc = key_store(*ret, path, err);
    if (!rc) log_line(LOG_INFO, "made the key of the workspace's identity: %s", path);
    return rc;
}

/* Only when there is none: one that cannot be read is never replaced, for others hold what it signed. */
static enum code open_key(const char *data, struct key **ret, struct err *err) {
    char path[DATA_PATH_MAX];
    enum code rc = data_path(data, DATA_WORKSPACE_KEY, path, err);
    if (rc) return rc;
    bool absent = access(path, F_OK) != 0 && errno == ENOENT;
    rc = absent ? make_key(path, ret, err) : key_load(path, ret, err);
    return rc ? err_wrap(err, "the key of the workspace's identity") : OK;
}

enum code gate_workspace_open(const struct config *config, struct workspace **ret, struct err *err) {
    const struct config_connection *c = config_workspace(config);
    *ret = NULL;
    if (!c) return OK;
    DEFER(key_unrefp) struct key *key = NULL;
    DEFER(buf_free) struct buf name = BUF_INIT(NAME_MAX_BYTES);
    enum code rc = open_key(config->data, &key, err);
    if (rc) return rc;
    /* As Azure names a workspace. There is no subscription here, and the connection stands for the resource group. */
    buf_printf(&name,
               "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/%.*s"
               "/providers/Microsoft.Synapse/workspaces/%.*s",
               STR_ARG(c->name), STR_ARG(c->synapse.workspace));
    struct workspace_config made = { .issuer = c->synapse.issuer,
                                     .tenant = c->synapse.tenant,
                                     .principal = c->synapse.principal,
                                     .client = c->synapse.client,
                                     .resource_id = buf_str(&name) };
    return workspace_new(&made, key, ret, err);
}

enum code gate_workspace_issuer(const struct config *config, const struct workspace *workspace, struct buf *keys,
                                struct issuer_config *ret, struct err *err) {
    const struct config_synapse *s = &config_workspace(config)->synapse;
    *ret = (struct issuer_config){ .name = CONFIG_WORKSPACES,
                                   .iss = s->issuer,
                                   .tenant = s->tenant,
                                   .n_audiences = s->n_audiences,
                                   .max_life_s = WORKSPACE_LIFE_S };
    for (size_t i = 0; i < s->n_audiences; i++) ret->audiences[i] = s->audiences[i];
    enum code rc = workspace_jwks(workspace, keys, err);
    ret->jwks_json = buf_str(keys);
    return rc;
}

/* ---- what anyone may read ---- */

static void answer(struct call *call,
                   enum code (*write)(const struct workspace *workspace, struct buf *out, struct err *err)) {
    const struct gate *gate = call->service;
    const struct workspace *workspace = gate->identity->workspace;
    DEFER(buf_free) struct buf out = BUF_INIT(ANSWER_MAX);
    struct err err;
    struct str path = call->http.path;
    bool ours = str_strip_prefix(&path, STR("/azure/")) && str_eq(str_cut(&path, '/'), workspace_tenant(workspace));
    enum code rc = ours ? write(workspace, &out, &err) : err_set(&err, NOT_FOUND, "no workspace here has this tenant");
    if (!rc) call_reply_http(call, 200, "application/json", buf_str(&out));
    call_end(call, rc, rc ? &err : NULL);
}

static void discovery(struct call *call) {
    answer(call, workspace_discovery);
}

static void key_set(struct call *call) {
    answer(call, workspace_jwks);
}

static const struct method workspace_methods[] = {
    { .verb = "GET",
      .path = "/azure/*/.well-known/openid-configuration",
      .door = DOOR_OPEN,
      .record = RECORD_NONE,
      .handle = discovery,
      .about = "OpenID Connect discovery of the workspace's identity." },
    { .verb = "GET",
      .path = "/azure/*/discovery/keys",
      .door = DOOR_OPEN,
      .record = RECORD_NONE,
      .handle = key_set,
      .about = "The keys that the workspace's tokens are signed with." },
};

struct service workspace_service(struct gate *gate) {
    return (struct service){
        .name = "workspace", .methods = workspace_methods, .n_methods = COUNT(workspace_methods), .state = gate
    };
}
