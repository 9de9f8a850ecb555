"""Memory of an idle connection: TLS and HTTP/2, one request answered, then silence. Resident memory, the difference over many."""
import socket
import ssl

import machine
import proxies

CONNECTIONS, WARM = 1000, 50
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, SETTINGS_ACK = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]), bytes([0, 0, 0, 4, 1, 0, 0, 0, 0])
GET = b"\x82\x87\x84\x41\x09localhost"  # HPACK: GET, https, /, :authority
HEADERS = len(GET).to_bytes(3, "big") + bytes([1, 5, 0, 0, 0, 1]) + GET  # END_STREAM, END_HEADERS, stream 1


def read_exactly(connection, n):
    data = b""
    while len(data) < n:
        piece = connection.recv(n - len(data))
        if not piece:
            raise machine.BenchError("a server closed an idle connection")
        data += piece
    return data


def open_one(tls, port):
    connection = tls.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname="localhost")
    connection.sendall(PREFACE + SETTINGS + HEADERS)
    while True:
        head = read_exactly(connection, 9)
        read_exactly(connection, int.from_bytes(head[:3], "big"))
        if head[3] == 1:  # the answer's HEADERS; its data may still come
            connection.sendall(SETTINGS_ACK)
            return connection


def kib_each(peer, tls):
    connections = [open_one(tls, peer.port) for _ in range(WARM)]
    try:
        before = machine.rss_kib(peer.pid)
        connections += [open_one(tls, peer.port) for _ in range(CONNECTIONS)]
        return (machine.rss_kib(peer.pid) - before) / CONNECTIONS
    finally:
        for connection in connections:
            connection.close()


class Idle:
    """Every server is fresh: what an allocator kept from a load before would hide what a connection costs."""
    title = "idle"

    def __init__(self, place):
        self.place = place
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE  # memory is measured, on this machine
        self.tls.set_alpn_protocols(["h2"])

    def round(self, _seconds):
        place, site = self.place, self.place.linkspan.folder
        for start in (lambda folder: proxies.Nginx(folder, site), place.another_linkspan,
                      lambda folder: proxies.HAProxy(folder, site, place.issuer, place.origin)):
            peer = start(place.fresh_folder())
            try:
                yield "idle connection", peer.name, {"kib": round(kib_each(peer, self.tls), 2)}
            finally:
                peer.stop()
