#include "cli/setup.h"
#include <stdio.h>
#include <stdlib.h>

enum { REPORT_BYTES = 1 << 20 };

enum code setup_config(const struct args *args, struct arena *arena, struct config *ret, struct err *err) {
    const char *file = args_text(args, "config");
    struct schema_faults *faults = ARENA_NEW(arena, struct schema_faults);
    if (!faults) return err_oom(err);
    enum code rc = config_load(file, arena, ret, faults, err);
    if (!rc) return OK;
    if (faults->n == 0) {
        if (rc == NOT_FOUND) (void)err_wrap(err, "make one with `linkspan init DIR`, or name it with --config");
        return rc;
    }
    DEFER(buf_free) struct buf report = BUF_INIT(REPORT_BYTES);
    schema_print_faults(faults, str_z(file), &report);
    if (report.n) (void)fwrite(report.p, 1, report.n, stderr);
    return err_set(err, INVALID_ARGUMENT, "%s has %zu fault%s", file, faults->n, faults->n == 1 ? "" : "s");
}
