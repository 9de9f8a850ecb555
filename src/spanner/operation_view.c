#include "spanner/operation_view.h"
#include "base/clock.h"
#include "policy/policy.h"
#include "wire/pb/spanner_db.pb.h"

static bool may_read_schema(const struct call *call) {
    struct atom atom = { .verb = VERB_READ_SCHEMA };
    struct verdict verdict;
    if (call->atoms.n == 0) return false;
    atom.path = call->atoms.items[0].path;
    policy_decide(call->policy, call->subject, &(struct atoms){ &atom, 1, 1 }, clock_wall_us(), &verdict);
    return verdict.reason == REASON_NONE;
}

/* What is not known to be without names is left out whole. */
static enum code view_metadata(struct pb_Any **metadata, struct arena *arena, struct err *err) {
    const struct pb_msg *type = NULL;
    void *message = NULL;
    struct err ignored;
    bool known = *metadata && !pb_any_unpack(*metadata, arena, 0, &type, &message, &ignored);
    *metadata = NULL;
    if (known && type == &spanner_db_UpdateDatabaseDdlMetadata_msg) {
        struct spanner_db_UpdateDatabaseDdlMetadata *ddl = message;
        ddl->statements.n = ddl->actions.n = 0;
    } else if (!known || type != &spanner_db_CreateDatabaseMetadata_msg) return OK;
    return pb_any_pack(type, message, arena, metadata, err);
}

enum code operation_view(struct call *call, struct lro_Operation *operation, struct arena *arena, struct err *err) {
    if (may_read_schema(call)) return OK;
    if (operation->error) {
        operation->error->message = STR("the change failed; its words are for those who may read the schema");
        operation->error->details.n = 0;
    }
    return view_metadata(&operation->metadata, arena, err);
}
