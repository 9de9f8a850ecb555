/* driver_objects.c: driver output where driverOutputResourceUri says that it is, for who follows it there (gcloud dataproc
 * jobs submit, jobs wait): two objects a job, read only, by the part of Cloud Storage's JSON API that such a reader uses.
 *
 *   GET /storage/v1/b/linkspan-CONNECTION/o/google-cloud-dataproc-metainfo%2FUUID%2Fjobs%2FJOB%2Fdriveroutput.000000000
 *
 * Object 0 is the output, and grows; it is there from its first byte on. Object 1 is empty, and there once the job has
 * ended: an empty object is Dataproc's sign that nothing follows. */
#include "base/json_text.h"
#include "dataproc/dataproc_priv.h"
#include "wire/url.h"

enum { MAX_SEGMENTS = 8, MAX_PAIRS = 8, RANGE_MAX_BYTES = 1 << 20, ABOUT_MAX_BYTES = 8 << 10 };

struct object_request {
    struct str bucket, name, job;
    struct str uri; /* the job's driverOutputResourceUri, if it is this job's object */
    bool last;      /* object 1 */
    bool media;     /* the bytes, not what there is to say of them */
    bool ranged;
    uint64_t from;
    size_t most; /* bytes from there on */
};

static enum code no_object(struct err *err) {
    return err_set(err, NOT_FOUND, "no such object: this server keeps the driver output of its own jobs, and nothing else");
}

/* ---- classify ---- */

/* google-cloud-dataproc-metainfo/UUID/jobs/JOB/driveroutput.00000000N */
static enum code read_name(struct object_request *r, struct arena *arena, struct err *err) {
    struct str rest = r->name, series = r->name;
    if (!str_strip_suffix(&series, STR(".000000000"))) {
        r->last = true;
        if (!str_strip_suffix(&series, STR(".000000001"))) return no_object(err);
    }
    struct str top = str_cut(&rest, '/'), cluster = str_cut(&rest, '/'), jobs = str_cut(&rest, '/');
    r->job = str_cut(&rest, '/');
    if (!str_eq_z(top, "google-cloud-dataproc-metainfo") || !cluster.n || !str_eq_z(jobs, "jobs")) return no_object(err);
    r->uri = arena_printf(arena, "gs://%.*s/%.*s", STR_ARG(r->bucket), STR_ARG(series));
    return r->uri.p ? OK : err_oom(err);
}

static enum code read_query(struct call *call, struct object_request *r, struct err *err) {
    struct url_pair pairs[MAX_PAIRS];
    struct str query = call->http.query;
    size_t n = 0;
    enum code rc = query.n ? url_form(call->arena, query, pairs, MAX_PAIRS, &n, err) : OK;
    if (rc) return rc;
    for (size_t i = 0; i < n; i++) {
        if (str_eq_z(pairs[i].name, "alt")) r->media = str_eq_z(pairs[i].value, "media");
        else if (!str_eq_z(pairs[i].name, "prettyPrint") && !str_eq_z(pairs[i].name, "projection"))
            return err_set(err, INVALID_ARGUMENT, "driver output is read with alt=json or alt=media, not with %.*s",
                           STR_ARG(str_upto(pairs[i].name, 100)));
    }
    return OK;
}

/* "bytes=FROM-TO", "bytes=FROM-". Another form of range may be ignored (RFC 9110 §14.2), and is. */
static void read_range(const struct call *call, struct object_request *r) {
    struct str range = http_header_value(call->http.headers, call->http.n_headers, STR("range"));
    uint64_t from, to = INT64_MAX;
    if (!str_strip_prefix(&range, STR("bytes=")) || str_find(range, STR("-")) < 0) return;
    struct str first = str_cut(&range, '-');
    if (!str_u64(first, &from) || from > INT64_MAX || (range.n && !str_u64(range, &to)) || from > to) return;
    r->ranged = true;
    r->from = from;
    r->most = to - from < RANGE_MAX_BYTES ? (size_t)(to - from) + 1 : RANGE_MAX_BYTES;
}

static struct dataproc *of_bucket(const struct dataproc_regions *regions, struct str bucket) {
    if (!str_strip_prefix(&bucket, STR("linkspan-"))) return NULL;
    for (size_t i = 0; i < regions->n; i++)
        if (!regions->items[i]->remote && str_eq(bucket, regions->items[i]->connection)) return regions->items[i];
    return NULL;
}

enum code classify_driver_object(struct call *call, struct err *err) {
    struct object_request *r = ARENA_NEW(call->arena, struct object_request);
    struct str segments[MAX_SEGMENTS];
    size_t n;
    if (!r) return err_oom(err);
    call->prepared = r;
    r->most = RANGE_MAX_BYTES;
    enum code rc = url_segments_slash(call->arena, call->http.path, segments, MAX_SEGMENTS, &n, err);
    if (rc) return rc;
    if (n != 6) return no_object(err); /* storage/v1/b/BUCKET/o/OBJECT */
    r->bucket = segments[3];
    r->name = segments[5];
    struct dataproc *dataproc = of_bucket(call->service, r->bucket);
    if (!dataproc) return no_object(err);
    rc = read_name(r, call->arena, err);
    if (!rc) rc = read_query(call, r, err);
    if (rc) return rc;
    read_range(call, r);
    access_belongs(call, dataproc);
    return job_classify(dataproc, call, VERB_SEE_JOBS, r->job, err);
}

/* ---- serve ---- */

static enum code tell_about(struct call *call, const struct object_request *r, uint64_t total, struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(ABOUT_MAX_BYTES);
    buf_add_z(&out, "{\"kind\":\"storage#object\",\"bucket\":");
    json_text_string(&out, r->bucket);
    buf_add_z(&out, ",\"name\":");
    json_text_string(&out, r->name);
    buf_printf(&out, ",\"contentType\":\"text/plain; charset=utf-8\",\"size\":\"%llu\"}\n", (unsigned long long)total);
    if (!buf_ok(&out)) return err_oom(err);
    call_reply_http(call, 200, "application/json; charset=UTF-8", buf_str(&out));
    call_end_ok(call);
    return OK;
}

static enum code send_bytes(struct call *call, const struct object_request *r, struct str bytes, uint64_t total,
                            struct err *err) {
    unsigned long long from = r->from, whole = total;
    if (r->ranged && !bytes.n) {
        (void)err_set(err, OUT_OF_RANGE, "the object has %llu bytes", whole);
        call_reply_header(call, "content-range", arena_printf(call->arena, "bytes */%llu", whole));
        call_reply_http(call, 416, "text/plain; charset=utf-8", str_z(err->message));
        call_end(call, OUT_OF_RANGE, err);
        return OK;
    }
    if (!r->ranged && bytes.n < total)
        return err_set(err, INVALID_ARGUMENT, "the object has %llu bytes: ask for ranges of at most 1 MiB", whole);
    if (r->ranged)
        call_reply_header(call, "content-range",
                          arena_printf(call->arena, "bytes %llu-%llu/%llu", from, from + bytes.n - 1, whole));
    call_reply_http(call, r->ranged ? 206 : 200, "text/plain; charset=utf-8", bytes);
    call_end_ok(call);
    return OK;
}

/* The job first, then its output: what is said to have ended is then whole. */
static enum code driver_object(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct object_request *r = call->prepared;
    DEFER(buf_free) struct buf out = BUF_INIT(RANGE_MAX_BYTES);
    struct job_row row;
    uint64_t total = 0;
    enum code rc = state_job_get(dataproc->state, r->job, call->arena, &row, err);
    if (rc) return rc;
    if (!str_eq(r->uri, row.body->driver_output_resource_uri)) return no_object(err);
    if (!r->last) rc = runner_output(dataproc->runner, row.uuid, r->from, r->media ? r->most : 0, &out, &total, err);
    if (rc) return rc == NOT_FOUND ? no_object(err) : rc;
    if (!row.body->done && !total) return no_object(err); /* not yet: an empty one would end the reading */
    return r->media ? send_bytes(call, r, buf_str(&out), total, err) : tell_about(call, r, total, err);
}

void handle_driver_object(struct call *call) {
    desk_post(call->service, call, driver_object);
}
