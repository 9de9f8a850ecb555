/* starter.c: the principal that began a run, as text that outlives the process. The proof itself is not kept: what was
 * decided from it is that this person may start this run. */
#include <stdlib.h>
#include "base/json_text.h"
#include "data/json.h"
#include "pipeline/pipelines_priv.h"

enum { STARTER_DEPTH = 16 };

static bool write_actor(const struct actor *actor, struct buf *out) {
    buf_add_z(out, actor->kind == ACTOR_ACCOUNT ? "{\"kind\":\"account\",\"issuer\":" : "{\"kind\":\"oidc\",\"issuer\":");
    json_text_string(out, actor->issuer);
    buf_add_z(out, ",\"subject\":");
    json_text_string(out, actor->subject);
    if (actor->claims) {
        buf_add_z(out, ",\"claims\":");
        if (!json_write(actor->claims, out)) return false;
    }
    buf_add_char(out, '}');
    return buf_ok(out);
}

enum code starter_write(const struct principal *principal, struct buf *out, struct err *err) {
    bool ok = true;
    buf_add_z(out, "{\"actor\":");
    ok = write_actor(&principal->actor, out);
    buf_add_z(out, ",\"chain\":[");
    for (unsigned i = 0; i < principal->n_chain && ok; i++) {
        if (i) buf_add_char(out, ',');
        ok = write_actor(&principal->chain[i], out);
    }
    buf_add_z(out, "]}");
    if (ok && buf_ok(out)) return OK;
    if (out->n + 1 < out->max) return err_oom(err);
    return err_set(err, RESOURCE_EXHAUSTED, "who starts the run has claims of more than %d bytes",
                   PIPELINES_MAX_STARTER_BYTES);
}

static bool read_actor(const json_t *json, struct actor *ret) {
    struct str kind;
    *ret = (struct actor){ .claims = json_object_get(json, "claims") };
    if (!json_member_str(json, "kind", &kind) || !json_member_str(json, "issuer", &ret->issuer) ||
        !json_member_str(json, "subject", &ret->subject))
        return false;
    ret->kind = str_eq_z(kind, "account") ? ACTOR_ACCOUNT : ACTOR_OIDC;
    return true;
}

static bool read_principal(const json_t *json, struct principal *ret) {
    const json_t *chain = json_object_get(json, "chain");
    if (!read_actor(json_object_get(json, "actor"), &ret->actor) || json_array_size(chain) > PRINCIPAL_MAX_CHAIN)
        return false;
    for (size_t i = 0; i < json_array_size(chain); i++)
        if (!read_actor(json_array_get(chain, i), &ret->chain[ret->n_chain++])) return false;
    return true;
}

enum code starter_read(struct str text, struct starter **ret, struct err *err) {
    struct starter *s = arena_should_fail() ? NULL : calloc(1, sizeof *s);
    if (!s) return err_oom(err);
    s->text = pipeline_copy_text(text);
    enum code rc = s->text ? json_read(text, PIPELINES_MAX_STARTER_BYTES * 2, STARTER_DEPTH * 2, &s->json, err)
                           : err_oom(err);
    if (!rc && !read_principal(s->json, &s->principal))
        rc = err_set(err, DATA_LOSS, "who started a run cannot be read from its row");
    if (rc) starter_free(s);
    else *ret = s;
    return rc;
}

struct starter *starter_copy(const struct starter *starter) {
    struct starter *copy = NULL;
    struct err err;
    return starter_read(str_z(starter->text), &copy, &err) ? NULL : copy;
}

void starter_free(struct starter *starter) {
    if (!starter) return;
    json_decref(starter->json);
    free(starter->text);
    free(starter);
}
