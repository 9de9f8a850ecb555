/* world_lockdown.c: what the job's first process gives up right before it starts: root, capabilities, and the kernel's
 * calls by which a process could leave or look around. In every mode: the filter is all that WORLD_ALONE has. */
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "spark/world_inside.h"

/* ---- seccomp ---- */

#if defined(__x86_64__)
static const unsigned arch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
static const unsigned arch = AUDIT_ARCH_AARCH64;
#else
#error "name this processor's AUDIT_ARCH_ here"
#endif

/* Refused with EPERM: other namespaces and mounts, other processes' memory, the kernel's keys and programs, and io_uring,
 * which would make the refused calls for its caller. */
static const unsigned refused_calls[] = {
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_unshare,
    SYS_setns,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_pidfd_getfd,
    SYS_kcmp,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_quotactl,
    SYS_syslog,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
};
/* A virtual machine's host, Bluetooth, the kernel's crypto: not behind the network namespace, so not to be had. */
static const unsigned allowed_families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

enum {
    NEW_NAMESPACES = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                     CLONE_NEWCGROUP,
    MAX_FILTER = 32 + 2 * COUNT(refused_calls) + 2 * COUNT(allowed_families),
    X32_BIT = 0x40000000,
};

struct program {
    struct sock_filter code[MAX_FILTER];
    unsigned short n;
};

static void add(struct program *p, unsigned code, unsigned jt, unsigned jf, unsigned k) {
    p->code[p->n++] = (struct sock_filter){ (unsigned short)code, (unsigned char)jt, (unsigned char)jf, k };
}

static void add_return(struct program *p, unsigned what) {
    add(p, BPF_RET | BPF_K, 0, 0, what);
}

/* if (loaded `test` k) return what; */
static void add_return_if(struct program *p, unsigned test, unsigned k, unsigned what) {
    add(p, BPF_JMP | BPF_K | test, 0, 1, k);
    add_return(p, what);
}

static void add_load(struct program *p, size_t offset) {
    add(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (unsigned)offset);
}

static void make_filter(struct program *p) {
    const unsigned refuse = SECCOMP_RET_ERRNO | EPERM;
    add_load(p, offsetof(struct seccomp_data, arch));
    add(p, BPF_JMP | BPF_K | BPF_JEQ, 1, 0, arch);
    add_return(p, SECCOMP_RET_KILL_PROCESS);
    add_load(p, offsetof(struct seccomp_data, nr));
    add_return_if(p, BPF_JGE, X32_BIT, refuse);
    for (unsigned i = 0; i < COUNT(refused_calls); i++) add_return_if(p, BPF_JEQ, refused_calls[i], refuse);
    /* its flags are in memory, out of a filter's sight: libc then uses clone */
    add_return_if(p, BPF_JEQ, SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
    add(p, BPF_JMP | BPF_K | BPF_JEQ, 0, 4, SYS_clone);
    add_load(p, offsetof(struct seccomp_data, args[0]));
    add_return_if(p, BPF_JSET, NEW_NAMESPACES, refuse);
    add_return(p, SECCOMP_RET_ALLOW);
    add(p, BPF_JMP | BPF_K | BPF_JEQ, 1, 0, SYS_socket);
    add_return(p, SECCOMP_RET_ALLOW);
    add_load(p, offsetof(struct seccomp_data, args[0]));
    for (unsigned i = 0; i < COUNT(allowed_families); i++)
        add_return_if(p, BPF_JEQ, allowed_families[i], SECCOMP_RET_ALLOW);
    add_return(p, SECCOMP_RET_ERRNO | EAFNOSUPPORT);
}

enum code world_filter_calls(struct err *err) {
    struct program program = { 0 };
    make_filter(&program);
    struct sock_fprog prog = { program.n, program.code };
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog)) return err_errno(err, "seccomp");
    return OK;
}

/* ---- the rest ---- */

static enum code limit(int what, rlim_t value, struct err *err) {
    struct rlimit old, new = { value, value };
    if (getrlimit((__rlimit_resource_t)what, &old)) return err_errno(err, "getrlimit");
    if (old.rlim_max < value) new.rlim_cur = new.rlim_max = old.rlim_max;
    return setrlimit((__rlimit_resource_t)what, &new) ? err_errno(err, "setrlimit") : OK;
}

static enum code change_user(uid_t uid, struct err *err) {
    if (!uid) return OK;
    if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid)) return err_errno(err, "own uid");
    return OK;
}

static enum code drop_capabilities(struct err *err) {
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[2] = { 0 };
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)) return err_errno(err, "ambient capabilities");
    return syscall(SYS_capset, &head, none) ? err_errno(err, "capabilities") : OK;
}

enum code world_lockdown(const struct world_setup *setup, struct err *err) {
    enum code rc = limit(RLIMIT_CORE, 0, err);
    if (!rc) rc = limit(RLIMIT_NOFILE, setup->max_files, err);
    for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++) (void)prctl(PR_CAPBSET_DROP, cap); /* EPERM: has none */
    if (!rc) rc = change_user(setup->uid, err);
    if (!rc) rc = limit(RLIMIT_NPROC, setup->max_processes, err);
    if (!rc) rc = drop_capabilities(err);
    if (!rc && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) rc = err_errno(err, "no_new_privs");
    return rc ? rc : world_filter_calls(err);
}
