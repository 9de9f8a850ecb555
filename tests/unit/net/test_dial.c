/* test_dial.c: which addresses are dialled, how names are looked up, and taking posted tasks back. */
#include <arpa/inet.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../test.h"
#include "net/judge.h"
#include "net/loop.h"
#include "net/resolve.h"

/* ---- the judge ---- */

static void test_judge(void **state) {
    (void)state;
    static const struct {
        const char *what, *address, *why; /* why: a part of it; NULL: it may be dialled */
    } cases[] = {
        { "a public address", "192.0.2.1", NULL },
        { "a private network", "10.1.2.3", NULL },
        { "another", "172.16.0.1", NULL },
        { "a shared one, beside a metadata address", "100.100.100.201", NULL },
        { "public IPv6", "2606:4700::1111", NULL },
        { "private IPv6", "fd12::1", NULL },
        { "loopback", "127.0.0.1", "loopback" },
        { "the end of loopback", "127.255.255.254", "loopback" },
        { "loopback of IPv6", "::1", "loopback" },
        { "unspecified", "0.0.0.0", "unspecified" },
        { "this network", "0.1.2.3", "unspecified" },
        { "unspecified of IPv6", "::", "unspecified" },
        { "link-local: metadata servers", "169.254.169.254", "link-local" },
        { "link-local: containers' credentials", "169.254.170.2", "link-local" },
        { "link-local of IPv6", "fe80::1", "link-local" },
        { "the end of link-local of IPv6", "febf::1", "link-local" },
        { "site-local", "fec0::1", "reserved" },
        { "Alibaba's metadata", "100.100.100.200", "metadata" },
        { "Azure's wire server", "168.63.129.16", "metadata" },
        { "Oracle's metadata", "192.0.0.192", "metadata" },
        { "Amazon's metadata", "fd00:ec2::254", "metadata" },
        { "Amazon's credentials of pods", "fd00:ec2::23", "metadata" },
        { "Google's metadata", "fd20:ce::254", "metadata" },
        { "multicast", "224.0.0.251", "multicast" },
        { "multicast of IPv6", "ff02::1", "multicast" },
        { "broadcast", "255.255.255.255", "broadcast" },
        { "reserved", "240.0.0.1", "reserved" },
        { "mapped loopback", "::ffff:127.0.0.1", "loopback" },
        { "mapped link-local", "::ffff:169.254.169.254", "link-local" },
        { "mapped public", "::ffff:192.0.2.1", NULL },
        { "compatible loopback", "::127.0.0.1", "stands for" },
        { "compatible link-local", "::169.254.169.254", "stands for" },
        { "translated loopback", "::ffff:0:127.0.0.1", "carries" },
        { "translated public", "::ffff:0:192.0.2.1", NULL },
        { "6to4 of loopback", "2002:7f00:1::", "carries" },
        { "6to4 of link-local", "2002:a9fe:a9fe::1", "carries" },
        { "6to4 of a public address", "2002:c000:201::1", NULL },
        { "NAT64 of link-local", "64:ff9b::169.254.169.254", "carries" },
        { "NAT64 of loopback", "64:ff9b::127.0.0.1", "carries" },
        { "NAT64 of Azure's wire server", "64:ff9b::168.63.129.16", "carries" },
        { "NAT64 of a public address", "64:ff9b::192.0.2.1", NULL },
        { "a site's NAT64", "64:ff9b:1::192.0.2.1", "stands for" },
        { "Teredo", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "stands for" },
        { "ISATAP of link-local", "2001:db8::5efe:169.254.169.254", "carries" },
        { "ISATAP of loopback, global bit", "2001:db8::200:5efe:127.0.0.1", "carries" },
        { "discard", "100::1", "reserved" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct net_address a = { .port = 80 };
        char text[80];
        snprintf(text, sizeof text, strchr(cases[i].address, ':') ? "[%s]:80" : "%s:80", cases[i].address);
        if (net_address_parse(str_z(text), &a, NULL)) fail_msg("%s", text);
        const char *why = net_judge(&a, false);
        if (!why != !cases[i].why || (why && !strstr(why, cases[i].why)))
            fail_msg("%s: %s", cases[i].what, why ? why : "may be dialled");
        bool loopback = why && strstr(cases[i].why, "loopback");
        if (!net_judge(&a, true) != (!why || loopback)) fail_msg("%s, where loopback may be dialled", cases[i].what);
    }
}

/* ---- lookups ---- */

struct found {
    unsigned times;
    size_t n;
    enum code code;
    char first[NET_ADDRESS_MAX];
};

static void on_found(void *arg, const struct net_address *addresses, size_t n, const struct err *err) {
    struct found *found = arg;
    found->times++;
    found->n = n;
    found->code = err ? err->code : OK;
    if (n) net_address_print(&addresses[0], found->first);
}

static void until(struct loop *loop, const unsigned *times) {
    for (unsigned i = 0; i < 100 && !*times; i++) loop_run_once(loop, 100);
    assert_int_equal(*times, 1);
}

static enum code two(void *ctx, const char *host, struct net_address *addresses, size_t max, size_t *ret_n,
                     struct err *err) {
    (void)ctx;
    if (strcmp(host, "none.example") == 0) return err_set(err, NOT_FOUND, "no such name");
    assert_true(max >= 2);
    *ret_n = 2;
    (void)!net_address_parse(STR("192.0.2.1:0"), &addresses[0], NULL);
    return net_address_parse(STR("192.0.2.2:0"), &addresses[1], NULL);
}

static void test_lookup(void **state) {
    (void)state;
    DEFER(loop_freep) struct loop *loop = NULL;
    const struct net_resolver ours = { .resolve = two }, system = { 0 };
    struct net_lookup *lookup;
    struct err err;
    struct found found = { 0 };
    assert_int_equal(loop_new(&loop, &err), OK);
    assert_int_equal(net_lookup_start(loop, &ours, "two.example", on_found, &found, &lookup, &err), OK);
    until(loop, &found.times);
    assert_int_equal(found.n, 2);
    assert_string_equal(found.first, "192.0.2.1:0");
    found = (struct found){ 0 };
    assert_int_equal(net_lookup_start(loop, &ours, "none.example", on_found, &found, &lookup, &err), OK);
    until(loop, &found.times);
    assert_int_equal(found.code, NOT_FOUND);
    found = (struct found){ 0 };
    assert_int_equal(net_lookup_start(loop, &system, "localhost", on_found, &found, &lookup, &err), OK);
    until(loop, &found.times);
    assert_int_equal(found.code, OK);
    assert_true(found.n > 0);
}

struct gate {
    sem_t entered, go, left;
};

static enum code wait_for(void *ctx, const char *host, struct net_address *addresses, size_t max, size_t *ret_n,
                          struct err *err) {
    struct gate *gate = ctx;
    (void)host, (void)addresses, (void)max, (void)ret_n;
    sem_post(&gate->entered);
    sem_wait(&gate->go);
    enum code rc = err_set(err, UNAVAILABLE, "late");
    sem_post(&gate->left);
    return rc;
}

/* Before its thread answers, and after, with the answer on its way: either way nothing comes, and nothing is left. */
static void test_lookup_cancelled(void **state) {
    (void)state;
    static struct gate gate; /* the thread may outlive the test by a moment */
    DEFER(loop_freep) struct loop *loop = NULL;
    const struct net_resolver ours = { .resolve = wait_for, .ctx = &gate };
    struct err err;
    struct found found = { 0 };
    sem_init(&gate.entered, 0, 0);
    sem_init(&gate.go, 0, 0);
    sem_init(&gate.left, 0, 0);
    assert_int_equal(loop_new(&loop, &err), OK);
    for (unsigned answered = 0; answered < 2; answered++) {
        struct net_lookup *lookup = NULL;
        assert_int_equal(net_lookup_start(loop, &ours, "slow.example", on_found, &found, &lookup, &err), OK);
        sem_wait(&gate.entered);
        if (answered) {
            sem_post(&gate.go);
            sem_wait(&gate.left);
            usleep(20000);
        }
        net_lookup_cancel(lookup);
        if (!answered) {
            sem_post(&gate.go);
            sem_wait(&gate.left);
        }
        for (unsigned i = 0; i < 5; i++) loop_run_once(loop, 5);
    }
    assert_int_equal(found.times, 0);
    net_lookup_cancel(NULL);
}

static void test_lookups_are_bounded(void **state) {
    (void)state;
    static struct gate gate;
    enum { MOST = 32 };
    DEFER(loop_freep) struct loop *loop = NULL;
    const struct net_resolver ours = { .resolve = wait_for, .ctx = &gate };
    struct net_lookup *lookups[MOST + 1];
    struct err err;
    struct found found = { 0 };
    sem_init(&gate.entered, 0, 0);
    sem_init(&gate.go, 0, 0);
    sem_init(&gate.left, 0, 0);
    usleep(50000); /* the threads of the test before have left */
    assert_int_equal(loop_new(&loop, &err), OK);
    for (unsigned i = 0; i < MOST; i++)
        assert_int_equal(net_lookup_start(loop, &ours, "slow.example", on_found, &found, &lookups[i], &err), OK);
    assert_int_equal(net_lookup_start(loop, &ours, "slow.example", on_found, &found, &lookups[MOST], &err),
                     RESOURCE_EXHAUSTED);
    for (unsigned i = 0; i < MOST; i++) net_lookup_cancel(lookups[i]);
    for (unsigned i = 0; i < MOST; i++) sem_post(&gate.go);
    for (unsigned i = 0; i < MOST; i++) sem_wait(&gate.left);
    usleep(20000);
    assert_int_equal(found.times, 0);
}

/* ---- posted tasks ---- */

struct step {
    struct loop_task task;
    struct loop *loop;
    struct step *takes_back; /* while it runs */
    char name, **to;
    bool taken;
};

static void run_step(struct loop_task *task, void *ctx) {
    (void)task;
    struct step *s = ctx;
    *(*s->to)++ = s->name;
    if (s->takes_back) s->taken = loop_post_cancel(s->loop, &s->takes_back->task);
}

static void test_posted_and_taken_back(void **state) {
    (void)state;
    DEFER(loop_freep) struct loop *loop = NULL;
    struct err err;
    char order[16] = "", *to = order;
    struct step steps[6];
    assert_int_equal(loop_new(&loop, &err), OK);
    for (size_t i = 0; i < COUNT(steps); i++) {
        steps[i] = (struct step){ .loop = loop, .name = (char)('a' + i), .to = &to };
        steps[i].task = (struct loop_task){ .fn = run_step, .ctx = &steps[i] };
        loop_post(loop, &steps[i].task);
    }
    steps[0].takes_back = &steps[4];
    steps[3].takes_back = &steps[1];                     /* it has run */
    assert_true(loop_post_cancel(loop, &steps[2].task)); /* before the loop turns */
    assert_false(loop_post_cancel(loop, &steps[2].task));
    loop_run_once(loop, 10);
    assert_string_equal(order, "abdf");
    assert_true(steps[0].taken);
    assert_false(steps[3].taken);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_lookup_cancelled),
        cmocka_unit_test(test_lookups_are_bounded),
        cmocka_unit_test(test_posted_and_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
