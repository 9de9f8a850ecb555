#include <stdlib.h>

#include "livy/livy_priv.h"

/* A body of Livy's that is taken names a file, the cluster of its row, no property twice, and nobody else. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct dataproc_SubmitJobRequest *r) {
    const struct dataproc_PySparkJob *py = r->job->pyspark_job;
    if (!py->main_python_file_uri.n || !str_eq_z(r->job->placement->cluster_name, "batch")) abort();
    for (size_t i = 0; i < py->properties.n; i++)
        for (size_t k = 0; k < i; k++)
            if (str_eq(py->properties.p[i].key, py->properties.p[k].key)) abort();
    for (size_t i = 0; i < r->job->labels.n; i++)
        for (size_t k = 0; k < i; k++)
            if (str_eq(r->job->labels.p[i].key, r->job->labels.p[k].key)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (unsigned synapse = 0; synapse < 2; synapse++) {
        const struct batch_context context = { STR("p"), STR("r"), STR("batch"), STR("ann"), synapse != 0 };
        const struct dataproc_SubmitJobRequest *request;
        struct arena *arena = arena_new(8 << 20);
        struct err err = { 0 };
        if (batch_read((struct str){ (const char *)data, size }, &context, arena, &request, &err) == OK) check(request);
        else if (!err.message[0]) abort();
        arena_free(arena);
    }
    return 0;
}
