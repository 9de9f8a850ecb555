/* names.c: ids, times, page tokens. */
#include <string.h>
#include "base/clock.h"
#include "base/enc.h"
#include "base/uuid.h"
#include "crypto/random.h"
#include "dataproc/dataproc_priv.h"

static bool all_of(struct str text, const char *letters) {
    for (size_t i = 0; i < text.n; i++)
        if (!text.p[i] || !strchr(letters, text.p[i])) return false;
    return true;
}

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

enum code names_check_id(const char *what, struct str id, size_t max, struct err *err) {
    if (id.n && id.n <= max && all_of(id, LETTERS)) return OK;
    return err_set(err, INVALID_ARGUMENT, "%s is 1 to %zu of A-Z a-z 0-9 _ -", what, max);
}

enum code names_check_request(struct str request, struct err *err) {
    return request.n ? names_check_id("requestId", request, 40, err) : OK;
}

bool names_uuid(struct arena *arena, struct str *ret) {
    uint8_t bytes[16];
    char text[UUID_LENGTH + 1];
    random_bytes(bytes, sizeof bytes);
    uuid_of_random(bytes, text);
    *ret = str_dup(arena, str_z(text));
    return ret->p != NULL;
}

struct pb_Timestamp *names_now(struct arena *arena) {
    struct pb_Timestamp *t = PB_NEW(arena, pb_Timestamp);
    int64_t now = clock_wall_us();
    if (t) *t = (struct pb_Timestamp){ now / 1000000, (int32_t)(now % 1000000) * 1000 };
    return t;
}

/* The place where the next page begins. Not sealed: every page is filtered anew for whoever asks. */
struct str names_page_token(struct arena *arena, struct str place) {
    DEFER(buf_free) struct buf out = BUF_INIT(1024);
    struct str text = arena_printf(arena, "p1 %.*s", STR_ARG(place));
    enc_base64url(&out, text);
    return buf_ok(&out) ? str_dup(arena, buf_str(&out)) : (struct str){ NULL, 0 };
}

enum code names_read_page_token(struct arena *arena, struct str token, struct str *ret_place, struct err *err) {
    struct str text = { NULL, 0 };
    *ret_place = (struct str){ NULL, 0 };
    if (!token.n) return OK;
    if (token.n > 512 || !dec_base64url(arena, token, &text) || !str_strip_prefix(&text, STR("p1 ")))
        return err_set(err, INVALID_ARGUMENT, "pageToken is none of ours: start the list again");
    *ret_place = text;
    return OK;
}

size_t names_page_size(int32_t asked) {
    return asked <= 0 ? PAGE_DEFAULT : asked > PAGE_MAX ? PAGE_MAX : (size_t)asked;
}

struct str names_operation(const struct dataproc *dataproc, struct str id, struct arena *arena) {
    return arena_printf(arena, "projects/%.*s/regions/%.*s/operations/%.*s", STR_ARG(dataproc->project),
                        STR_ARG(dataproc->region), STR_ARG(id));
}
