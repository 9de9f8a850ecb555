#include "wire/pb/pb_internal.h"
#include "wire/pb/wkt.pb.h"

#define URL_PREFIX "type.googleapis.com/"
enum { MAX_ANY_BYTES = 64 << 20 };

static const struct pb_msg *type_of(struct str url) {
    ptrdiff_t slash;
    if (str_find_char(url, '/') < 0) return NULL;
    while ((slash = str_find_char(url, '/')) >= 0) url = str_from(url, (size_t)slash + 1);
    return pb_find(url);
}

enum code pb_any_pack(const struct pb_msg *desc, const void *msg, struct arena *arena, struct pb_Any **ret_any,
                      struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(MAX_ANY_BYTES);
    enum code rc = pb_encode(desc, msg, &out, err);
    if (rc) return rc;
    struct pb_Any *any = PB_NEW(arena, pb_Any);
    if (!any) return err_oom(err);
    any->type_url = arena_printf(arena, URL_PREFIX "%s", desc->name.p);
    any->value = str_dup(arena, buf_str(&out));
    if (!any->type_url.p || (out.n && !any->value.p)) return err_oom(err);
    *ret_any = any;
    return OK;
}

enum code pb_any_unpack(const struct pb_Any *any, struct arena *arena, unsigned flags, const struct pb_msg **ret_desc,
                        void **ret_msg, struct err *err) {
    const struct pb_msg *desc = type_of(any->type_url);
    if (!desc) {
        return err_set(err, INVALID_ARGUMENT, "google.protobuf.Any: unknown type \"%.*s\"", STR_ARG(any->type_url));
    }
    enum code rc = pb_decode(desc, any->value, arena, flags, ret_msg, err);
    if (rc) return rc;
    *ret_desc = desc;
    return OK;
}
