/* The shapes of answers: OAuth's and Google's errors. */
#include "base/json_text.h"
#include "identity/sts.h"

enum { ERROR_MAX = 2048 };

static void finish(struct answer *answer, struct arena *arena, unsigned status, struct buf *text) {
    answer->status = status;
    answer->content_type = STR("application/json; charset=UTF-8");
    answer->body = buf_ok(text) ? str_dup(arena, buf_str(text)) : STR("");
    if (!answer->body.p) answer->body = STR("{}"); /* out of memory: the status says enough */
}

void answer_oauth_error(struct answer *answer, struct arena *arena, unsigned status, const char *error,
                        const char *description) {
    DEFER(buf_free) struct buf text = BUF_INIT(ERROR_MAX);
    buf_printf(&text, "{\"error\":\"%s\",\"error_description\":", error);
    json_text_string(&text, str_upto(str_z(description), STS_DESCRIPTION_MAX));
    buf_add_char(&text, '}');
    finish(answer, arena, status, &text);
}

void answer_google_error(struct answer *answer, struct arena *arena, enum code code, const char *message) {
    DEFER(buf_free) struct buf text = BUF_INIT(ERROR_MAX);
    buf_printf(&text, "{\"error\":{\"code\":%u,\"message\":", code_http_status(code));
    json_text_string(&text, str_z(message));
    buf_printf(&text, ",\"status\":\"%s\"}}", code_name(code));
    finish(answer, arena, code_http_status(code), &text);
}
