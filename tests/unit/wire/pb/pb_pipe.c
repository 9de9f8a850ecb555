/* pb_pipe: the codec behind a pipe, for pb_oracle.py. A line in: "OP TYPE HEX"; a line out: "ok HEX" or "refused MESSAGE".
 * OP: strict (decode refusing unknown fields, encode), skip (decode skipping them, encode), tojson (decode, print),
 * fromjson (parse, encode). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/enc.h"
#include "wire/pb/pb_json.h"

enum { MAX_MEMORY = 256 << 20, MAX_OUTPUT = 16 << 20 };

static enum code work(struct str op, const struct pb_msg *desc, struct str in, struct arena *arena, struct buf *out,
                      struct err *err) {
    void *msg = NULL;
    const bool from_json = str_eq(op, STR("fromjson"));
    const unsigned flags = str_eq(op, STR("skip")) ? 0 : PB_REFUSE_UNKNOWN;
    enum code rc = from_json ? pb_from_json(desc, in, arena, 0, &msg, err) : pb_decode(desc, in, arena, flags, &msg, err);
    if (rc) return rc;
    return str_eq(op, STR("tojson")) ? pb_to_json(desc, msg, out, err) : pb_encode(desc, msg, out, err);
}

static void answer(struct str line) {
    DEFER(arena_freep) struct arena *arena = arena_new(MAX_MEMORY);
    DEFER(buf_free) struct buf out = BUF_INIT(MAX_OUTPUT), hex = BUF_INIT(2 * MAX_OUTPUT);
    struct err err = { .message = "" };
    const struct str op = str_cut(&line, ' '), type = str_cut(&line, ' ');
    struct str in;
    const struct pb_msg *desc = pb_find(type);
    if (!arena || !desc || !dec_hex(arena, line, &in)) {
        printf("broken %.*s\n", STR_ARG(type));
    } else if (work(op, desc, in, arena, &out, &err)) {
        printf("refused %s\n", err.message);
    } else {
        enc_hex(&hex, buf_str(&out));
        printf("ok %.*s\n", STR_ARG(buf_str(&hex)));
    }
    (void)fflush(stdout);
}

int main(void) {
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t n; (n = getline(&line, &cap, stdin)) > 0;) {
        answer(str_trim((struct str){ line, (size_t)n }));
    }
    free(line);
    return 0;
}
