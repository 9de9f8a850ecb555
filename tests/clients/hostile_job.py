#!/usr/bin/env python3
"""A job that tries to leave its world. Every attempt must fail; one line each, and exit status 1 when one did not.

It runs in a plain world (tests/unit/spark/test_world.c) and may be submitted as a PySpark job's main file as it stands:
    --path P       a file or folder outside that must not be readable (the server's data, another job's folder); repeatable
    --tcp H:P      a listener that must not be reachable (the server's, another job's); repeatable
    --pid N        a process of the host that must not be seen"""
import argparse
import ctypes
import os
import socket
import stat
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
NUMBERS = {  # calls that libc has no function for: x86_64, aarch64
    "io_uring_setup": (425, 425), "bpf": (321, 280), "keyctl": (250, 219), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "open_tree": (428, 428), "pidfd_getfd": (438, 438), "process_vm_readv": (310, 270),
    "kcmp": (312, 272), "open_by_handle_at": (304, 265), "clone3": (435, 435),
}
KNOWN = {"PATH", "LANG", "HOME", "USER", "LOGNAME", "TMPDIR", "JAVA_HOME", "NO_PROXY", "no_proxy", "GOOGLE_CLOUD_PROJECT",
         "CLOUDSDK_CONFIG", "METADATA_SERVER_DETECTION", "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE", "MASTER"}
OF_THE_WORLD = "PYSPARK_GATEWAY_SECRET"  # Spark makes it for its own two processes; it opens nothing outside
KNOWN_PREFIXES = ("SPARK_", "PYSPARK_", "PYTHON", "GCE_METADATA_", "LINKSPAN_SPANNER_ENDPOINT", "SPANNER_", "_PYSPARK", "OMP_",
                  "PY4J", "BASH_FUNC")
broken = []


def held(name, ok, detail=""):
    print("HELD" if ok else "BROKEN", name, "" if ok else detail, flush=True)
    if not ok:
        broken.append(name)


def refused(name, attempt):
    """The attempt must raise OSError."""
    try:
        held(name, False, repr(attempt())[:200])
    except OSError as error:
        held(name, True)
        return error
    return None


def system_call(name, *args):
    result = LIBC.syscall(NUMBERS[name][0 if os.uname().machine == "x86_64" else 1], *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def libc(name, *args):
    result = getattr(LIBC, name)(*args)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def read(path):
    if os.path.isdir(path):
        return os.listdir(path)
    with open(path, "rb") as file:
        return file.read(100)


def write(path):
    with open(path, "ab") as file:
        return file.write(b"x")


def files(paths):
    for path in paths:
        for prefix in ("", "/proc/1/root", "/proc/1/cwd/../../../../..", "/proc/self/root", "/job/../.."):
            refused(f"read {prefix}{path}", lambda p=prefix + path: read(p))
    for path in ("/usr/x", "/etc/passwd", "/etc/hosts", "/code/x", "/x", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger"):
        refused(f"write {path}", lambda p=path: write(p))
    for path in ("/etc/shadow", "/proc/1/environ", "/proc/1/mem", "/proc/kcore", "/dev/mem", "/dev/kmsg",
                 "/var/run/docker.sock", "/sys/kernel"):
        refused(f"read {path}", lambda p=path: read(p))
    for path in ("/root", "/home"):
        only_a_way(path)
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        inside = target.startswith(("/job", "/code", "/usr", "/tmp", "/dev", "/proc", "pipe:", "socket:", "anon_inode:"))
        held(f"descriptor {fd}", inside or is_null(int(fd)), target)


def is_null(fd):
    """The null device is the same one wherever it was opened: a server in a chroot opens its own."""
    found = os.fstat(fd)
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(1, 3)


def only_a_way(path):
    """Not there; or it holds nothing but the way to Python's environment or Java, which a world shows."""
    shown = [os.path.realpath(p) for p in (sys.prefix, sys.base_prefix, os.environ.get("JAVA_HOME", "/usr"))] + [sys.prefix]
    while os.path.isdir(path) and path not in shown:
        inside = os.listdir(path)
        held(f"read {path}", len(inside) == 1 and any(p.startswith(f"{path}/{inside[0]}") for p in shown), repr(inside[:5]))
        path = f"{path}/{inside[0]}" if len(inside) == 1 else ""
    held(f"read below {path}", True)


def processes(pid):
    mine = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    held("few processes are seen", max(mine) < 100000 and len(mine) < 64, str(sorted(mine)))
    if pid and pid not in mine:
        refused("signal to the server", lambda: os.kill(pid, 0))
        refused("the server's environment", lambda: read(f"/proc/{pid}/environ"))
    for name in ("CapEff", "CapPrm", "CapBnd"):
        line = next(line for line in open("/proc/self/status") if line.startswith(name))
        held(name, int(line.split()[1], 16) == 0, line)


def network(places):
    for place in places + ["1.1.1.1:443", "10.0.0.1:80", "169.254.169.253:53"]:
        host, port = place.rsplit(":", 1)
        refused(f"connect {place}", lambda: socket.create_connection((host, int(port)), 3))
    refused("resolve a name", lambda: socket.getaddrinfo("example.com", 443))
    refused("UDP", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("1.1.1.1", 53)))
    refused("IPv6", lambda: socket.create_connection(("2606:4700:4700::1111", 53), 3))
    refused("raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
    for name, family in (("packet", 17), ("vsock", 40), ("crypto", 38), ("bluetooth", 31), ("tipc", 30)):
        refused(f"socket family {name}", lambda f=family: socket.socket(f, socket.SOCK_STREAM))
    interfaces = sorted(name for _, name in socket.if_nameindex())
    held("only loopback", "lo" in interfaces and not [n for n in interfaces if n.startswith(("eth", "en", "wl", "veth", "br"))],
         str(interfaces))


def kernel():
    for name, flag in (("user", 0x10000000), ("mount", 0x20000), ("network", 0x40000000), ("process", 0x20000000)):
        refused(f"a new {name} namespace", lambda f=flag: libc("unshare", f))
    refused("mount", lambda: libc("mount", b"none", b"/tmp", b"tmpfs", 0, None))
    refused("umount", lambda: libc("umount2", b"/proc", 2))
    refused("chroot", lambda: os.chroot("/tmp"))
    refused("ptrace", lambda: libc("ptrace", 16, 1, 0, 0))
    if os.getuid() != 0:
        refused("become root", lambda: os.setuid(0))
    refused("host name", lambda: libc("sethostname", b"x", 1))
    for name in sorted(NUMBERS):
        refused(name, lambda n=name: system_call(n, 0, 0, 0, 0, 0, 0))


def environment():
    for name in os.environ:
        held(f"environment {name}", name in KNOWN or name.startswith(KNOWN_PREFIXES), "is not ours")
        held(f"no secret in {name}", name == OF_THE_WORLD or not any(word in name for word in ("TOKEN", "SECRET", "PASSWORD", "APPLICATION_CREDENTIALS")))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--path", action="append", default=[])
    parser.add_argument("--tcp", action="append", default=[])
    parser.add_argument("--pid", type=int, default=0)
    args = parser.parse_args()
    files(args.path)
    processes(args.pid)
    network(args.tcp)
    kernel()
    environment()
    print(f"{len(broken)} broken: {broken}", flush=True)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
