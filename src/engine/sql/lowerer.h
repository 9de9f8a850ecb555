/* lowerer.h: what the lowering's files share. Internal to this folder. */
#pragma once
#include "engine/sql/lower.h"

enum { LOWERED_MAX = 16 << 20 };

struct lowerer {
    const struct sql_analysis *analysis;
    const struct sql_lowering *how;
    struct buf out;
    int64_t now_us;
    struct err *err;
};

/* lower_expr.c */
MUST_USE enum code lower_expr(struct lowerer *l, const struct sql_expr *e);
void lower_column(struct lowerer *l, const struct sql_source *source, uint16_t column);
/* lower_query.c */
MUST_USE enum code lower_query(struct lowerer *l, const struct sql_query *q);
/* lower_from.c */
MUST_USE enum code lower_from(struct lowerer *l, const struct sql_from *from);
/* lower_key.c: for each table that the condition binds by its key: " AND r1.key …" */
MUST_USE enum code lower_key_ranges(struct lowerer *l, const struct sql_from *from, const struct sql_expr *condition);
/* ORDER BY its key's columns is ORDER BY key: writes it and answers true. */
bool lower_key_order(struct lowerer *l, const struct sql_query *q);
