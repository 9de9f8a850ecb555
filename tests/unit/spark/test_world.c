/* Makes real worlds on this machine, runs small scripts in them, and looks at what they could see and reach. */
#include "test.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/arena.h"
#include "spark/world.h"

enum { TEST_UID = 2000000123, WAIT_MS = 20000 };

static char base[256], work[300], code[300], secret[300], other[300];

static void make_folders(void) {
    struct err err;
    memcpy(base, "/tmp/linkspan-world-XXXXXX", sizeof "/tmp/linkspan-world-XXXXXX");
    assert_non_null(mkdtemp(base));
    assert_int_equal(chmod(base, 0711), 0);
    (void)snprintf(work, sizeof work, "%s/home", base);
    (void)snprintf(code, sizeof code, "%s/code", base);
    (void)snprintf(secret, sizeof secret, "%s/data", base);
    (void)snprintf(other, sizeof other, "%s/other", base);
    assert_int_equal(mkdir(work, 0700) | mkdir(code, 0755) | mkdir(secret, 0700) | mkdir(other, 0700), 0);
    char path[400];
    (void)snprintf(path, sizeof path, "%s/key", secret);
    assert_int_equal(file_write_durable(path, STR("the server's key"), 0600, &err), OK);
    (void)snprintf(path, sizeof path, "%s/file", other);
    assert_int_equal(file_write_durable(path, STR("another job's"), 0644, &err), OK);
    (void)snprintf(path, sizeof path, "%s/main.sh", code);
    assert_int_equal(file_write_durable(path, STR("echo staged\n"), 0644, &err), OK);
}

static int setup(void **state) {
    (void)state;
    make_folders();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    char command[300];
    (void)snprintf(command, sizeof command, "rm -rf %s", base);
    return system(command);
}

/* ---- one script in a world ---- */

struct run {
    struct world world;
    int out; /* the pipe's reading end */
    char text[8192];
    size_t n;
    int status;
};

static enum code open_world(struct run *run, enum world_mode mode, struct err *err) {
    int pipes[2];
    *run = (struct run){ .status = -1 };
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    struct world_spec spec = {
        .try = mode, .only = true, .work = work, .code = code, .output_fd = pipes[1], .uid = TEST_UID
    };
    enum code rc = world_open(&spec, &run->world, err);
    close(pipes[1]);
    run->out = pipes[0];
    if (rc) close(pipes[0]);
    return rc;
}

static void start(struct run *run, const char *script) {
    struct err err = { 0 };
    const char *argv[] = { "/bin/sh", "-c", script, NULL }, *envp[] = { "PATH=/usr/bin:/bin", "ONLY=this", NULL };
    if (world_start(&run->world, argv, envp, &err)) fail_msg("%s", err.message);
}

static void read_output(struct run *run, const char *until) {
    uint64_t end = clock_mono_us() + WAIT_MS * 1000ULL;
    while (clock_mono_us() < end && run->n < sizeof run->text - 1) {
        struct pollfd p = { .fd = run->out, .events = POLLIN };
        if (poll(&p, 1, 100) == 1) {
            ssize_t n = read(run->out, run->text + run->n, sizeof run->text - 1 - run->n);
            if (n <= 0) break;
            run->n += (size_t)n;
            run->text[run->n] = '\0';
        }
        if (until && strstr(run->text, until)) return;
    }
}

static void finish(struct run *run) {
    read_output(run, NULL);
    struct pollfd p = { .fd = run->world.pidfd, .events = POLLIN };
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    assert_true(world_ended(&run->world, &run->status));
    world_close(&run->world);
    close(run->out);
}

static struct run run_script(enum world_mode mode, const char *script) {
    struct run run;
    struct err err = { 0 };
    if (open_world(&run, mode, &err)) fail_msg("%s", err.message);
    start(&run, script);
    finish(&run);
    return run;
}

/* Namespaces and uids need what this machine may refuse: then the test says so and fails, it is not skipped. */
static void exit_status_comes_back(void **state) {
    (void)state;
    struct run run = run_script(WORLD_NAMESPACES, "echo hello; exit 7");
    assert_string_equal(run.text, "hello\n");
    assert_int_equal(run.status, 7);
    run = run_script(WORLD_NAMESPACES, "kill -9 $$");
    assert_int_equal(run.status, 137);
}

static void inside_is_only_what_was_put_there(void **state) {
    (void)state;
    char script[2048];
    (void)snprintf(script, sizeof script,
                   "cat %s/key %s/file; ls -d %s /home /root /var /sys /run /srv /opt; "
                   "ls / | tr '\\n' ' '; echo; pwd; cat /code/main.sh; echo mine > /job/x && cat /job/x; "
                   "touch /code/y /usr/y /y /etc/y; env | sort; cat /etc/passwd",
                   secret, other, base);
    struct run run = run_script(WORLD_NAMESPACES, script);
    assert_null(strstr(run.text, "the server's key"));
    assert_null(strstr(run.text, "another job's"));
    static const char *const absent[] = { "/home", "/root", "/var", "/sys", "/run", "/srv", "/opt" };
    for (unsigned i = 0; i < COUNT(absent); i++) {
        char line[128];
        (void)snprintf(line, sizeof line, "'%s': No such file or directory", absent[i]);
        if (!strstr(run.text, line)) fail_msg("%s is there: %s", absent[i], run.text);
    }
    assert_non_null(strstr(run.text, "\n/job\n"));
    assert_non_null(strstr(run.text, "echo staged\n"));
    assert_non_null(strstr(run.text, "mine\n"));
    static const char *const read_only[] = { "/code/y", "/usr/y", "/y", "/etc/y" };
    for (unsigned i = 0; i < COUNT(read_only); i++) {
        char line[128];
        (void)snprintf(line, sizeof line, "'%s': Read-only file system", read_only[i]);
        if (!strstr(run.text, line)) fail_msg("%s could be written: %s", read_only[i], run.text);
    }
    assert_non_null(strstr(run.text, "ONLY=this\nPATH=/usr/bin:/bin\nPWD=/job\njob:x:"));
}

static void processes_of_others_are_not_there(void **state) {
    (void)state;
    struct run run = run_script(WORLD_NAMESPACES,
                                "echo pids /proc/[0-9]*; cat /proc/1/environ; ls /proc/1/fd; "
                                "kill -0 $PPID && echo could; grep -E 'NoNewPrivs|CapEff|CapBnd|Seccomp:' "
                                "/proc/self/status | tr '\\t\\n' '  '; unshare -U true; exit 0");
    assert_non_null(strstr(run.text, "pids /proc/1 /proc/2\n"));
    assert_null(strstr(run.text, "ONLY"));
    assert_non_null(strstr(run.text, "CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2 "));
    assert_non_null(strstr(run.text, "unshare"));
    assert_non_null(strstr(run.text, "Operation not permitted"));
}

/* ---- network ---- */

static int listen_on_host(uint16_t *ret_port) {
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t n = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, n) | listen(fd, 5) | getsockname(fd, (struct sockaddr *)&in, &n), 0);
    *ret_port = ntohs(in.sin_port);
    return fd;
}

static bool can_connect(uint16_t port) {
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = connect(fd, (struct sockaddr *)&in, sizeof in) == 0;
    close(fd);
    return ok;
}

static const char talk[] = "import socket\n"
                           "def t(a, p):\n"
                           "  try:\n"
                           "    s = socket.create_connection((a, int(p)), 2); print('answer', a, s.recv(9).decode())\n"
                           "  except OSError as e: print('refused', a, p)\n";

static void serve_one(int listener, const char *answer) {
    struct pollfd p = { .fd = listener, .events = POLLIN };
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(write(fd, answer, strlen(answer)) > 0);
    close(fd);
}

static void only_its_own_listeners_are_reached(void **state) {
    (void)state;
    uint16_t host_port;
    struct run run, second;
    struct err err = { 0 };
    char script[2048];
    int host = listen_on_host(&host_port);
    assert_int_equal(open_world(&run, WORLD_NAMESPACES, &err), OK);
    assert_int_equal(open_world(&second, WORLD_NAMESPACES, &err), OK);
    assert_true(can_connect(host_port));
    assert_false(can_connect(run.world.ports[WORLD_API])); /* from outside, the world's places are not there */
    (void)snprintf(script, sizeof script,
                   "/usr/bin/python3 -c \"%st('127.0.0.1', %u)\nt('127.0.0.1', %u)\nt('169.254.169.254', 80)\n"
                   "t('metadata.google.internal', 80)\nt('127.0.0.1', %u)\nt('127.0.0.1', %u)\nt('1.1.1.1', 53)\n"
                   "try: socket.socket(40, 1); print('vsock')\nexcept OSError: print('no vsock')\n\"",
                   talk, run.world.ports[WORLD_API], run.world.ports[WORLD_METADATA], host_port,
                   second.world.ports[WORLD_API]);
    start(&run, script);
    serve_one(run.world.fds[WORLD_API], "api");
    serve_one(run.world.fds[WORLD_METADATA], "meta");
    serve_one(run.world.fds[WORLD_METADATA_LINK], "link");
    serve_one(run.world.fds[WORLD_METADATA_LINK], "name");
    char expected[512];
    uint16_t second_port = second.world.ports[WORLD_API];
    finish(&run);
    (void)snprintf(expected, sizeof expected,
                   "answer 127.0.0.1 api\nanswer 127.0.0.1 meta\nanswer 169.254.169.254 link\n"
                   "answer metadata.google.internal name\nrefused 127.0.0.1 %u\nrefused 127.0.0.1 %u\n"
                   "refused 1.1.1.1 53\nno vsock\n",
                   host_port, second_port);
    assert_string_equal(run.text, expected);
    world_close(&second.world);
    close(second.out);
    close(host);
}

/* ---- the end ---- */

static bool alive(pid_t pid) {
    return kill(pid, 0) == 0 || errno != ESRCH;
}

/* A daemon that left its session and its parent writes its own number as the host sees it: through a file. */
static const char daemons[] = "(setsid sh -c 'sh -c \"while :; do sleep 0.05; echo beat; done\" & ' &) ; sleep 0.2; ";

static void no_beat_any_more(struct run *run) {
    run->n = 0;
    read_output(run, NULL); /* until every writing end is closed: until the last process is gone */
    run->text[0] = '\0';
}

static void kill_takes_the_whole_tree(void **state) {
    enum world_mode mode = *(enum world_mode *)*state;
    struct run run;
    struct err err = { 0 };
    char script[512];
    if (open_world(&run, mode, &err)) fail_msg("%s", err.message);
    (void)snprintf(script, sizeof script, "%s trap '' TERM; echo ready; while :; do sleep 1; done", daemons);
    start(&run, script);
    read_output(&run, "ready");
    if (!strstr(run.text, "beat")) read_output(&run, "beat");
    assert_non_null(strstr(run.text, "beat")); /* the daemon lives */
    uint64_t began = clock_mono_us();
    world_close(&run.world);
    no_beat_any_more(&run);
    assert_true(clock_mono_us() - began < 5000000);
    close(run.out);
}

static void the_job_s_end_takes_its_daemons(void **state) {
    enum world_mode mode = *(enum world_mode *)*state;
    char script[512];
    (void)snprintf(script, sizeof script, "%s exit 3", daemons);
    struct run run = run_script(mode, script);
    assert_int_equal(run.status, 3);
}

static void terminate_is_heard(void **state) {
    enum world_mode mode = *(enum world_mode *)*state;
    struct run run;
    struct err err = { 0 };
    if (open_world(&run, mode, &err)) fail_msg("%s", err.message);
    start(&run, "trap 'echo bye; exit 4' TERM; echo ready; while :; do sleep 0.05; done");
    read_output(&run, "ready");
    world_terminate(&run.world);
    finish(&run);
    assert_non_null(strstr(run.text, "bye"));
    assert_int_equal(run.status, 4);
}

/* The server is killed: nobody says anything to the world any more. */
static void the_server_s_death_ends_it(void **state) {
    enum world_mode mode = *(enum world_mode *)*state;
    int pipes[2];
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    pid_t server = fork();
    if (server == 0) {
        struct world world;
        struct err err;
        struct world_spec spec = {
            .try = mode, .only = true, .work = work, .code = code, .output_fd = pipes[1], .uid = TEST_UID
        };
        const char *argv[] = { "/bin/sh", "-c", "echo ready; while :; do sleep 0.1; done", NULL }, *envp[] = { NULL };
        if (world_open(&spec, &world, &err) || world_start(&world, argv, envp, &err)) _exit(1);
        for (;;) pause();
    }
    close(pipes[1]);
    struct run run = { .out = pipes[0] };
    read_output(&run, "ready");
    assert_non_null(strstr(run.text, "ready"));
    assert_int_equal(kill(server, SIGKILL), 0);
    assert_int_equal(waitpid(server, NULL, 0), server);
    no_beat_any_more(&run);
    close(pipes[0]);
    assert_false(alive(server));
}

/* ---- a job that tries everything ---- */

static void copy_hostile_job(void) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct str text;
    struct err err;
    char path[400];
    assert_int_equal(file_read(arena, HOSTILE_JOB, 1 << 18, &text, &err), OK);
    (void)snprintf(path, sizeof path, "%s/hostile_job.py", code);
    assert_int_equal(file_write_durable(path, text, 0644, &err), OK);
    assert_int_equal(chmod(path, 0644), 0);
}

static void a_hostile_job_gets_nothing(void **state) {
    (void)state;
    uint16_t host_port;
    struct run second;
    struct err err = { 0 };
    char script[2048];
    int host = listen_on_host(&host_port);
    copy_hostile_job();
    assert_int_equal(open_world(&second, WORLD_NAMESPACES, &err), OK);
    (void)snprintf(script, sizeof script,
                   "unset ONLY; exec /usr/bin/python3 /code/hostile_job.py --path %s/key --path %s --path %s/file --tcp "
                   "127.0.0.1:%u --tcp 127.0.0.1:%u --pid %d 2>&1 | grep -v '^HELD'",
                   secret, base, other, host_port, second.world.ports[WORLD_API], (int)getpid());
    struct run run = run_script(WORLD_NAMESPACES, script);
    assert_string_equal(run.text, "0 broken: []\n");
    world_close(&second.world);
    close(second.out);
    close(host);
}

/* ---- the weaker modes ---- */

static void a_uid_of_its_own(void **state) {
    (void)state;
    struct run run;
    struct err err = { 0 };
    char script[2048];
    if (geteuid() != 0) {
        assert_int_equal(open_world(&run, WORLD_OWN_UID, &err), UNIMPLEMENTED);
        return;
    }
    (void)snprintf(script, sizeof script,
                   "id -u; id -G; cat %s/key %s/file; echo mine > %s/x && cat %s/x; kill -0 %d; pwd; "
                   "grep -E 'NoNewPrivs|CapEff' /proc/self/status | tr '\\t\\n' '  '",
                   secret, other, work, work, (int)getpid());
    run = run_script(WORLD_OWN_UID, script);
    assert_int_equal(run.world.fds[WORLD_METADATA_LINK], -1);
    assert_non_null(strstr(run.text, "2000000123\n2000000123\n"));
    assert_null(strstr(run.text, "the server's key"));
    assert_null(strstr(run.text, "another job's"));
    assert_non_null(strstr(run.text, "mine\n"));
    assert_non_null(strstr(run.text, "kill"));
    assert_non_null(strstr(run.text, work));
    assert_non_null(strstr(run.text, "CapEff: 0000000000000000 NoNewPrivs: 1"));
}

static void listeners_in_weaker_modes_are_the_world_s_too(void **state) {
    enum world_mode mode = *(enum world_mode *)*state;
    struct run run;
    struct err err = { 0 };
    char script[2048];
    if (open_world(&run, mode, &err)) fail_msg("%s", err.message);
    assert_int_equal(run.world.fds[WORLD_METADATA_LINK], -1);
    (void)snprintf(script, sizeof script, "/usr/bin/python3 -c \"%st('127.0.0.1', %u)\nt('127.0.0.1', %u)\n\"", talk,
                   run.world.ports[WORLD_API], run.world.ports[WORLD_METADATA]);
    start(&run, script);
    serve_one(run.world.fds[WORLD_API], "api");
    serve_one(run.world.fds[WORLD_METADATA], "meta");
    uint16_t port = run.world.ports[WORLD_API];
    finish(&run);
    assert_string_equal(run.text, "answer 127.0.0.1 api\nanswer 127.0.0.1 meta\n");
    assert_false(can_connect(port)); /* after the end: refused */
}

static void the_probe_says_what_is_had(void **state) {
    (void)state;
    enum world_mode mode;
    struct err err = { 0 };
    char why[256];
    if (world_probe(NULL, base, TEST_UID, &mode, why, &err)) fail_msg("%s", err.message);
    print_message("worlds on this machine: %s %s\n", world_mode_name(mode), why);
    assert_true(mode == WORLD_NAMESPACES ? !why[0] : why[0] != '\0');
}

static void what_cannot_run_says_so(void **state) {
    (void)state;
    struct run run;
    struct err err = { 0 };
    const char *argv[] = { "/usr/bin/no-such-program", NULL }, *envp[] = { NULL };
    assert_int_equal(open_world(&run, WORLD_NAMESPACES, &err), OK);
    assert_int_equal(world_start(&run.world, argv, envp, &err), OK);
    finish(&run);
    assert_int_equal(run.status, 127);
    assert_non_null(strstr(run.text, "cannot run /usr/bin/no-such-program: No such file or directory"));
}

static void a_folder_that_is_not_there_is_an_error(void **state) {
    (void)state;
    struct world world;
    struct err err = { 0 };
    const char *readable[] = { "/no/such/folder" };
    struct world_spec spec = {
        .work = work, .code = code, .readable = readable, .n_readable = 1, .output_fd = 2, .uid = TEST_UID
    };
    assert_true(world_open(&spec, &world, &err) != OK);
    assert_non_null(strstr(err.message, "/no/such/folder"));
}

/* Tests that hold in every mode are run in each. */
static void in_each_mode(void (*test)(void **)) {
    static const enum world_mode modes[] = { WORLD_NAMESPACES, WORLD_OWN_UID, WORLD_ALONE };
    for (unsigned i = 0; i < COUNT(modes); i++) {
        enum world_mode mode = modes[i];
        void *state = &mode;
        if (mode == WORLD_OWN_UID && geteuid() != 0) continue; /* a_uid_of_its_own asserts that it is refused */
        test(&state);
    }
}

static void every_mode_kill(void **state) {
    (void)state;
    in_each_mode(kill_takes_the_whole_tree);
}

static void every_mode_end(void **state) {
    (void)state;
    in_each_mode(the_job_s_end_takes_its_daemons);
}

static void every_mode_terminate(void **state) {
    (void)state;
    in_each_mode(terminate_is_heard);
}

static void every_mode_server_death(void **state) {
    (void)state;
    in_each_mode(the_server_s_death_ends_it);
}

static void weaker_modes_listen(void **state) {
    (void)state;
    static enum world_mode alone = WORLD_ALONE, own = WORLD_OWN_UID;
    void *in = &alone;
    listeners_in_weaker_modes_are_the_world_s_too(&in);
    in = &own;
    if (geteuid() == 0) listeners_in_weaker_modes_are_the_world_s_too(&in);
}

/* The second start of a program whose main forgot to ask: it comes as far as making a world, and no further. */
static void a_helper_makes_no_worlds(void **state) {
    (void)state;
    char helper[400], text[1200], self[300] = "", told[600] = "";
    int pipes[2];
    struct err err = { 0 };
    struct world world;
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    (void)snprintf(helper, sizeof helper, "%s/forgets", base);
    (void)snprintf(text, sizeof text, "#!/bin/sh\nexec %s forgets %s %s\n", self, work, code);
    assert_int_equal(file_write_durable(helper, str_z(text), 0755, &err), OK);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    struct world_spec spec = { .helper = helper, .only = true, .work = work, .code = code, .output_fd = pipes[1] };
    assert_int_not_equal(world_open(&spec, &world, &err), OK);
    close(pipes[1]);
    assert_true(read(pipes[0], told, sizeof told - 1) > 0);
    close(pipes[0]);
    if (!strstr(told, "a world's helper makes no worlds")) fail_msg("%s", told);
}

static int forget(const char *folder, const char *staged) {
    struct err err = { 0 };
    struct world world;
    struct world_spec spec = { .work = folder, .code = staged, .output_fd = STDOUT_FILENO };
    if (world_open(&spec, &world, &err)) printf("%s\n", err.message);
    else world_close(&world);
    return 1;
}

int main(int argc, char **argv) {
    if (world_is_child(argc, argv)) return world_child_main();
    if (argc == 4 && strcmp(argv[1], "forgets") == 0) return forget(argv[2], argv[3]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exit_status_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(inside_is_only_what_was_put_there, setup, teardown),
        cmocka_unit_test_setup_teardown(processes_of_others_are_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(only_its_own_listeners_are_reached, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hostile_job_gets_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(every_mode_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(every_mode_end, setup, teardown),
        cmocka_unit_test_setup_teardown(every_mode_terminate, setup, teardown),
        cmocka_unit_test_setup_teardown(every_mode_server_death, setup, teardown),
        cmocka_unit_test_setup_teardown(a_uid_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(weaker_modes_listen, setup, teardown),
        cmocka_unit_test_setup_teardown(the_probe_says_what_is_had, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_run_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(a_helper_makes_no_worlds, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_is_not_there_is_an_error, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
