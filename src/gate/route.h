/* route.h: which row of which service a request is for. gRPC by its path, REST by google.api.http's templates.
 *
 * Built once at start, then only read: any thread. A path that two rows match goes to the one that was added first. */
#pragma once
#include "service/method.h"
#include "wire/url.h"

struct routes;

struct route_match {
    const struct service *service;
    const struct method *method;
    struct url_pair *variables; /* name = dotted field path; value decoded */
    size_t n_variables;
};

struct routes *routes_new(void);
void routes_free(struct routes *routes);
/* The service and its rows must outlive the routes. INVALID_ARGUMENT for a template that does not parse. */
MUST_USE enum code routes_add(struct routes *routes, const struct service *service, struct err *err);

bool routes_find_grpc(const struct routes *routes, struct str path, struct route_match *ret);
/* `path` as HTTP sent it. NOT_FOUND, or INVALID_ARGUMENT for a path that no one may send. HEAD counts as GET. */
MUST_USE enum code routes_find_rest(const struct routes *routes, struct str verb, struct str path, struct arena *arena,
                                    struct route_match *ret, struct err *err);
