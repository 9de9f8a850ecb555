#include "dataproc/filter.h"

/* ---- parse ---- */

static void skip_blanks(struct str *rest) {
    while (rest->n && (rest->p[0] == ' ' || rest->p[0] == '\t' || rest->p[0] == '\n')) *rest = str_from(*rest, 1);
}

static struct str take_word(struct str *rest) {
    size_t n = 0;
    skip_blanks(rest);
    while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t' && rest->p[n] != '\n' && rest->p[n] != '=') n++;
    struct str word = str_upto(*rest, n);
    *rest = str_from(*rest, n);
    return word;
}

static bool take_value(struct str *rest, struct str *ret) {
    skip_blanks(rest);
    if (!str_strip_prefix(rest, STR("\""))) {
        *ret = take_word(rest);
        return ret->n > 0;
    }
    ptrdiff_t end = str_find_char(*rest, '"');
    if (end < 0) return false;
    *ret = str_upto(*rest, (size_t)end);
    *rest = str_from(*rest, (size_t)end + 1);
    return true;
}

static enum code take_term(struct str *rest, struct filter_term *ret, struct err *err) {
    struct str field = take_word(rest), value;
    struct filter_term term = { 0 };
    skip_blanks(rest);
    if (!field.n || !str_strip_prefix(rest, STR("=")) || !take_value(rest, &value))
        return err_set(err, INVALID_ARGUMENT, "filter: write terms as `field = value`, joined by AND");
    term.value = value;
    if (str_eq_z(field, "status.state")) term.field = FILTER_STATE;
    else if (str_eq_z(field, "clusterName") || str_eq_z(field, "placement.clusterName")) term.field = FILTER_CLUSTER;
    else if (str_strip_prefix(&field, STR("labels.")) && field.n) {
        term.field = FILTER_LABEL;
        term.label = field;
    } else
        return err_set(err, INVALID_ARGUMENT,
                       "filter: the field %.*s is not supported: status.state, clusterName, labels.KEY",
                       STR_ARG(str_upto(field, 100)));
    *ret = term;
    return OK;
}

static bool knows_state(struct str value) {
    struct str name = value;
    if (str_eq_z(value, "ACTIVE") || str_eq_z(value, "NON_ACTIVE") || str_eq_z(value, "INACTIVE")) return true;
    return pb_enum_by_name(&dataproc_JobStatus_State_enum, name) ||
           pb_enum_by_name(&dataproc_ClusterStatus_State_enum, name);
}

enum code filter_parse(struct str text, struct filter *ret, struct err *err) {
    struct filter filter = { 0 };
    struct str rest = str_trim(text);
    if (str_eq_z(rest, "{}")) rest.n = 0;
    while (rest.n) {
        if (filter.n == FILTER_MAX_TERMS)
            return err_set(err, INVALID_ARGUMENT, "filter: more than %d terms", FILTER_MAX_TERMS);
        enum code rc = take_term(&rest, &filter.terms[filter.n], err);
        if (rc) return rc;
        const struct filter_term *term = &filter.terms[filter.n++];
        if (term->field == FILTER_STATE && !knows_state(term->value))
            return err_set(err, INVALID_ARGUMENT, "filter: no state is called %.*s", STR_ARG(str_upto(term->value, 100)));
        rest = str_trim(rest);
        if (rest.n && (!str_eq_z(take_word(&rest), "AND") || !str_trim(rest).n))
            return err_set(err, INVALID_ARGUMENT, "filter: terms are joined by AND");
    }
    *ret = filter;
    return OK;
}

/* ---- match ---- */

bool job_state_is_terminal(int32_t state) {
    return state == dataproc_JobStatus_State_CANCELLED || state == dataproc_JobStatus_State_DONE ||
           state == dataproc_JobStatus_State_ERROR;
}

static bool state_is(const struct pb_enum *states, int32_t state, struct str value, bool active) {
    if (str_eq_z(value, "ACTIVE")) return active;
    if (str_eq_z(value, "NON_ACTIVE") || str_eq_z(value, "INACTIVE")) return !active;
    const struct pb_enum_value *named = pb_enum_by_name(states, value);
    return named && named->number == state;
}

static bool value_is(struct str value, struct str wanted) {
    return str_eq_z(wanted, "*") || str_eq(value, wanted);
}

bool filter_job(const struct filter *filter, const struct dataproc_Job *job) {
    int32_t state = job->status ? job->status->state : 0;
    for (size_t i = 0; i < filter->n; i++) {
        const struct filter_term *term = &filter->terms[i];
        bool ok = false;
        if (term->field == FILTER_STATE)
            ok = state_is(&dataproc_JobStatus_State_enum, state, term->value, !job_state_is_terminal(state));
        else if (term->field == FILTER_CLUSTER) ok = job->placement && value_is(job->placement->cluster_name, term->value);
        else
            for (size_t k = 0; !ok && k < job->labels.n; k++)
                ok = str_eq(job->labels.p[k].key, term->label) && value_is(job->labels.p[k].value, term->value);
        if (!ok) return false;
    }
    return true;
}

bool filter_cluster(const struct filter *filter, const struct dataproc_Cluster *cluster) {
    int32_t state = cluster->status ? cluster->status->state : 0;
    bool active = state == dataproc_ClusterStatus_State_CREATING || state == dataproc_ClusterStatus_State_UPDATING ||
                  state == dataproc_ClusterStatus_State_RUNNING;
    for (size_t i = 0; i < filter->n; i++) {
        const struct filter_term *term = &filter->terms[i];
        bool ok = false;
        if (term->field == FILTER_STATE) ok = state_is(&dataproc_ClusterStatus_State_enum, state, term->value, active);
        else if (term->field == FILTER_CLUSTER) ok = value_is(cluster->cluster_name, term->value);
        else
            for (size_t k = 0; !ok && k < cluster->labels.n; k++)
                ok = str_eq(cluster->labels.p[k].key, term->label) && value_is(cluster->labels.p[k].value, term->value);
        if (!ok) return false;
    }
    return true;
}
