/* config_dataproc.c: connections.NAME.dataproc: served here, or by an upstream. */
#include <limits.h>
#include <stdlib.h>
#include "gate/config_priv.h"

enum { CLUSTER_MAX = 52 };

static void read_folders(struct loader *l, struct config_dataproc *d, const struct node *node, struct str what) {
    const struct node *code = node_get(node, STR("code"));
    config_list(code, d->code, CONFIG_MAX_FOLDERS, &d->n_code);
    if (!code) schema_fault_add(l->faults, l->arena, node, "%.*s: the key code is missing", STR_ARG(what));
    for (size_t i = 0; i < d->n_code; i++) {
        char real[PATH_MAX];
        const char *path = config_path(l, d->code[i]);
        if (!path || !realpath(path, real))
            schema_fault_add(l->faults, l->arena, code->items[i], "%.*s.code: no folder %s", STR_ARG(what),
                             path ? path : "");
        else d->code[i] = str_dup(l->arena, str_z(real));
    }
}

static void read_embedded(struct loader *l, struct config_dataproc *d, const struct node *node, struct str what) {
    static const char *const only_upstream[] = { "endpoint", "exchange", "timeout", "accounts", NULL };
    config_refuse_keys(l, node, what, only_upstream);
    d->master = field_text(config_dataproc_fields, node, "master");
    d->memory_bytes = field_int(config_dataproc_fields, node, "memory");
    d->max_jobs = (size_t)field_int(config_dataproc_fields, node, "max_jobs");
    d->python = str_z(config_path(l, field_text(config_dataproc_fields, node, "python")));
    read_folders(l, d, node, what);
}

/* As the policy's `account` statements write them. */
static bool is_email(struct str text) {
    struct str rest = text, local = str_cut(&rest, '@');
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= 0x20 || (unsigned char)text.p[i] >= 0x7f) return false;
    return local.n && rest.n && str_find_char(rest, '@') < 0 && text.n <= 256;
}

static void read_accounts(struct loader *l, struct config_dataproc *d, const struct node *node, struct str what) {
    const struct node *accounts = node_get(node, STR("accounts"));
    if (!accounts || !accounts->n)
        schema_fault_add(l->faults, l->arena, accounts ? accounts : node,
                         "%.*s: accounts is missing: as whom do the jobs of which cluster run?", STR_ARG(what));
    if (accounts && accounts->n > CONFIG_MAX_CLUSTERS)
        schema_fault_add(l->faults, l->arena, accounts, "%.*s.accounts: at most %d clusters", STR_ARG(what),
                         CONFIG_MAX_CLUSTERS);
    for (size_t i = 0; accounts && i < accounts->n && i < CONFIG_MAX_CLUSTERS; i++) {
        struct str cluster = accounts->keys[i]->text, email = node_text(accounts->items[i], STR(""));
        const char *wrong = config_bad_cluster(cluster);
        if (!wrong && (!cluster.n || cluster.n > CLUSTER_MAX)) wrong = "a cluster's name has 1 to 52 letters";
        if (!wrong && !is_email(email)) wrong = "its account is no e-mail address";
        if (wrong)
            schema_fault_add(l->faults, l->arena, accounts->keys[i], "%.*s.accounts.%.*s: %s", STR_ARG(what),
                             STR_ARG(cluster), wrong);
        d->accounts[d->n_accounts++] = (struct dataproc_account){ cluster, email };
    }
}

/* Not files of ours: compared with the jobs' URIs as text, so nothing is made of them. */
static void read_places(struct loader *l, struct config_dataproc *d, const struct node *node, struct str what) {
    const struct node *code = node_get(node, STR("code"));
    config_list(code, d->code, CONFIG_MAX_FOLDERS, &d->n_code);
    for (size_t i = 0; i < d->n_code; i++)
        if (!dataproc_is_code_place(d->code[i]))
            schema_fault_add(
                l->faults, l->arena, code->items[i],
                "%.*s.code: gs://BUCKET/…/ or file:///FOLDER/…/, ending in '/', of letters, digits and . _ + = @ -",
                STR_ARG(what));
}

static void read_upstream(struct loader *l, struct config_dataproc *d, const struct node *node, struct str what) {
    static const char *const only_embedded[] = { "master", "python", "memory", "max_jobs", NULL };
    config_refuse_keys(l, node, what, only_embedded);
    struct str usual = arena_printf(l->arena, "https://%.*s-dataproc.googleapis.com", STR_ARG(d->region));
    config_upstream(l, node, what, usual, "exchange", &d->far);
    d->far.timeout_ms = field_int(config_dataproc_fields, node, "timeout");
    read_accounts(l, d, node, what);
    read_places(l, d, node, what);
}

void config_dataproc(struct loader *l, struct config_connection *c, const struct node *node) {
    struct config_dataproc *d = &c->dataproc;
    struct str what = arena_printf(l->arena, "connections.%.*s.dataproc", STR_ARG(c->name));
    *d = (struct config_dataproc){
        .present = true,
        .upstream = config_is_upstream(node),
        .project = field_text(config_dataproc_fields, node, "project"),
        .region = field_text(config_dataproc_fields, node, "region"),
    };
    config_list(node_get(node, STR("properties")), d->properties, CONFIG_MAX_FOLDERS, &d->n_properties);
    if (d->upstream) read_upstream(l, d, node, what);
    else read_embedded(l, d, node, what);
}
