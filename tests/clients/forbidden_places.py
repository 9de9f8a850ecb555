"""usage: unshare --net --mount python forbidden_places.py LINKSPAN FOLDER: pipelines whose Web activities try to reach what they must not, in a
network of their own: 169.254.169.254 and other metadata addresses are addresses of this machine, a name server tells what this program
wants, and everything listens everywhere and counts. The last line is a JSON object (test_forbidden_places.py asserts on it).

Nothing outside is changed: the network and the mounts end with this process."""
import http.server
import json
import pathlib
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2] / "examples" / "flights"), str(HERE.parent)]

PORTS = (80, 8080)
GOOD = "10.99.0.1"  # a private network, which may be dialled
OTHERS = ["169.254.169.254", "100.100.100.200", "168.63.129.16"]

# --- the network -------------------------------------------------------------------------------------------------------------------


def ask_kernel(kind, flags, body):
    """One request of rtnetlink(7), acknowledged."""
    message = struct.pack("=IHHII", 16 + len(body), kind, flags | 5, 1, 0) + body  # NLM_F_REQUEST | NLM_F_ACK
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.send(message)
        error, = struct.unpack_from("=i", kernel.recv(4096), 16)
        if error:
            raise OSError(-error, "the network cannot be made")


def make_network():
    index = socket.if_nametoindex("lo")
    ask_kernel(16, 0, struct.pack("=BxHiII", 0, 0, index, 1, 1))  # RTM_NEWLINK, IFF_UP
    for text in [GOOD, *OTHERS]:
        address = socket.inet_aton(text)
        attributes = b"".join(struct.pack("=HH", 8, kind) + address for kind in (1, 2))  # IFA_ADDRESS, IFA_LOCAL
        ask_kernel(20, 0x600, struct.pack("=BBBBI", socket.AF_INET, 32, 0, 0, index) + attributes)  # RTM_NEWADDR, create, exclusive


def mount_files(folder):
    for name, text in (("resolv.conf", "nameserver 127.0.0.1\noptions timeout:2 attempts:2\n"), ("nsswitch.conf", "hosts: files dns\n"),
                       ("hosts", "127.0.0.1 localhost\n::1 localhost\n")):
        target = pathlib.Path("/etc") / name
        if target.exists():
            (folder / name).write_text(text)
            subprocess.run(["mount", "--bind", folder / name, target.resolve()], check=True)


class Names(threading.Thread):
    """A name server. A name has answers, one after the other; the last one stays."""

    def __init__(self, table):
        super().__init__(daemon=True)
        self.table, self.asked = table, {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))

    def addresses(self, name, kind):
        answers = self.table.get(name, [[]])
        at = self.asked.get((name, kind), 0)
        self.asked[name, kind] = at + 1
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
        return [socket.inet_pton(family, text) for text in answers[min(at, len(answers) - 1)] if (":" in text) == (kind == 28)] if family else []

    def run(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            kind, = struct.unpack_from(">H", query, at + 1)
            found = self.addresses(".".join(labels).lower(), kind)
            records = b"".join(struct.pack(">HHHIH", 0xc00c, kind, 1, 0, len(one)) + one for one in found)
            self.socket.sendto(query[:2] + struct.pack(">HHHHH", 0x8580, 1, len(found), 0, 0) + query[12:at + 5] + records, peer)


class Everywhere(http.server.ThreadingHTTPServer):
    """Listens at every address, IPv4 and IPv6, and keeps at which one it was connected."""
    address_family, daemon_threads, request_queue_size = socket.AF_INET6, True, 64

    def __init__(self, port, reached):
        self.reached = reached
        super().__init__(("::", port), Answers)

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socket.socket.bind(self.socket, self.server_address)
        self.server_name, self.server_port = "all", self.server_address[1]

    def get_request(self):
        connection, peer = self.socket.accept()
        address, port = connection.getsockname()[:2]
        self.reached.append(f"{address.removeprefix('::ffff:')} {port}")
        return connection, peer


class Answers(http.server.BaseHTTPRequestHandler):
    """/redirect/URL and /poll/URL point elsewhere; else an object."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        kind, _, rest = self.path[1:].partition("/")
        location = f"http://{rest}" if kind in ("redirect", "poll") else None
        self.send_response({"redirect": 302, "poll": 202}.get(kind, 200))
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


# --- what is tried -----------------------------------------------------------------------------------------------------------------

NAMES = {
    "good.test": [[GOOD]],
    "meta.test": [["169.254.169.254"]],
    "inner.test": [["127.0.0.1"]],
    "inner6.test": [["::1"]],
    "mapped.test": [["::ffff:127.0.0.1"]],
    "any.test": [["0.0.0.0"]],
    "both.test": [["127.0.0.1", GOOD, "169.254.169.254"]],
    "rebinds.test": [[GOOD], ["127.0.0.1"]],
    "rebinds-meta.test": [[GOOD], ["169.254.169.254"]],
    "rebinds-port.test": [[GOOD], ["127.0.0.1"]],
}
HOSTS = [*NAMES, "169.254.169.254", "100.100.100.200", "168.63.129.16", "127.0.0.1", "[::1]", "0.0.0.0", "[::]"]

# Each of these is allowed by a rule as far as a rule can write it. Where it goes, how it ends (errorCode), which connections it makes.
SPELLING, REFUSED, FINE = "InvalidRequest", "PolicyDenied", ""
PLACES = [
    ("an address of a private network", [(f"http://{GOOD}/a", FINE, [f"{GOOD} 80"])]),
    ("the metadata service", [("http://169.254.169.254/latest", REFUSED, [])]),
    ("the metadata service, its port written", [("http://169.254.169.254:80/latest", REFUSED, [])]),
    ("another cloud's", [("http://100.100.100.200/latest", REFUSED, [])]),
    ("Azure's host", [("http://168.63.129.16/machine", REFUSED, [])]),
    ("short", [("http://127.1/", SPELLING, [])]),
    ("short, with a port", [("http://127.1:8080/", SPELLING, [])]),
    ("decimal", [("http://2130706433/", SPELLING, [])]),
    ("decimal, metadata", [("http://2852039166/", SPELLING, [])]),
    ("hexadecimal", [("http://0x7f000001:8080/", SPELLING, [])]),
    ("octal", [("http://0177.0.0.1/", SPELLING, [])]),
    ("loopback without a written port", [("http://127.0.0.1/a", REFUSED, [])]),
    ("IPv6 loopback without a written port", [("http://[::1]/a", REFUSED, [])]),
    ("IPv6 loopback, written out", [("http://[0:0:0:0:0:0:0:1]/a", REFUSED, [])]),
    ("mapped", [("http://[::ffff:127.0.0.1]:8080/", SPELLING, [])]),
    ("mapped, in hexadecimal", [("http://[::ffff:a9fe:a9fe]/", SPELLING, [])]),
    ("compatible", [("http://[::127.0.0.1]/", SPELLING, [])]),
    ("unspecified", [("http://0.0.0.0/a", REFUSED, [])]),
    ("unspecified, IPv6", [("http://[::]/a", REFUSED, [])]),
    ("a name of the metadata service", [("http://meta.test/a", REFUSED, [])]),
    ("a name of loopback", [("http://inner.test/a", REFUSED, [])]),
    ("a name of loopback, its port written", [("http://inner.test:8080/a", REFUSED, [])]),
    ("a name of IPv6 loopback", [("http://inner6.test:8080/a", REFUSED, [])]),
    ("a name of mapped loopback", [("http://mapped.test:8080/a", REFUSED, [])]),
    ("a name of no address", [("http://any.test:8080/a", REFUSED, [])]),
    ("a name of good and bad addresses", [("http://both.test/a", FINE, [f"{GOOD} 80"])]),
    ("a redirect to the metadata service", [("http://good.test/redirect/169.254.169.254/latest", "302", [f"{GOOD} 80"])]),
    ("a redirect to loopback", [("http://good.test/redirect/127.0.0.1:8080/a", "302", [f"{GOOD} 80"])]),
    ("a Location at the metadata service", [("http://good.test/poll/169.254.169.254/latest", REFUSED, [f"{GOOD} 80"])]),
    ("a Location at loopback", [("http://good.test/poll/127.1/a", SPELLING, [f"{GOOD} 80"])]),
    ("a name that rebinds to loopback", [("http://rebinds.test/a", FINE, [f"{GOOD} 80"]), ("http://rebinds.test/a", REFUSED, [])]),
    ("a name that rebinds to the metadata service", [("http://rebinds-meta.test/a", FINE, [f"{GOOD} 80"]),
                                                     ("http://rebinds-meta.test/a", REFUSED, [])]),
    ("a name that rebinds, its port written", [("http://rebinds-port.test:8080/a", FINE, [f"{GOOD} 8080"]),
                                               ("http://rebinds-port.test:8080/a", REFUSED, [])]),
]


def rules():
    lines = [f'call "http://{host}{port}/*" with audience ""' for host in [*HOSTS, GOOD] for port in ("", ":80", ":8080")]
    lines = [line for line in lines if not any(f"{host}:" in line for host in ("127.0.0.1", "[::1]"))]  # those that would be lawful
    return "".join(f"r{number}: allow workspace to {line} owner team until @UNTIL@\n" for number, line in enumerate(lines))


def try_one(site, author, url, reached):
    import synapse_setting
    from azure.synapse.artifacts import models
    before, name = len(reached), synapse_setting.fresh()
    document = synapse_setting.resource(models.WebActivity(name="call", method="GET", url=url))
    author.pipeline.begin_create_or_update_pipeline(name, document).wait()
    run = synapse_setting.finish(author, author.pipeline.create_pipeline_run(name).run_id)
    error = synapse_setting.activities(author, run)["call"].error
    return {"url": url, "status": run.status, "code": error["errorCode"], "message": error["message"], "run": run.run_id,
            "request": error.get("requestId"), "reached": reached[before:]}


def count_ours(reached):
    """Each address is reached by this program first: a count that cannot count shows nothing."""
    for host in ["127.0.0.1", "::1", GOOD, *OTHERS]:
        for port in PORTS:
            with socket.create_connection((host, port), 5) as connection:
                connection.sendall(b"GET /a HTTP/1.0\r\n\r\n")
                while connection.recv(4096):
                    pass
    ours = reached[:]
    reached.clear()
    return ours


def main(linkspan, folder):
    import setting
    import synapse_setting
    reached = []
    make_network()
    folder.mkdir()
    mount_files(folder)
    Names(NAMES).start()
    for port in PORTS:
        threading.Thread(target=Everywhere(port, reached).serve_forever, daemon=True).start()
    told = {"ours": count_ours(reached), "tried": []}
    site = synapse_setting.make_site(folder, linkspan, rules())
    try:
        site.start()
        author = synapse_setting.client(site)
        for name, urls in PLACES:
            told["tried"].append({"name": name, "calls": [try_one(site, author, url, reached) for url, _, _ in urls]})
        told["reached"] = reached
        time.sleep(0.5)  # entries of refusals come within 100 ms
        told["audit"] = [entry for entry in setting.audit(site).entries if entry["protoPayload"]["methodName"] == "pipeline.WebActivity"]
        site.run("audit", "verify", "--config", site.config)
    finally:
        site.stop()
    told["log"] = site.log()
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
