"""What stands behind the relay in test_relay.py: a gRPC service (grpcio) or an HTTP one, each a process of its own so that it can be
killed. `python relay_service.py grpc|http|liar PORT LOG`; the log has a line an event."""
import http.server
import json
import pathlib
import socket
import struct
import sys
import threading
import time
from concurrent import futures

LOG = None


def note(*words):
    with open(LOG, "a", encoding="utf-8") as log:
        print(*words, file=log, flush=True)


# --- gRPC: messages are bytes, so that no schema stands between ----------------------------------------------------------------


def say(request, context):
    context.set_trailing_metadata((("x-trailer", "t"), ("x-bytes-bin", b"\x00\xff")))
    context.send_initial_metadata((("x-initial", "i"),))
    return request


def metadata(request, context):
    seen = {key: value if isinstance(value, str) else value.hex() for key, value in context.invocation_metadata()}
    seen["remaining"] = context.time_remaining()
    seen["peer-authority"] = context.peer()
    return json.dumps(seen).encode()


def fail(request, context):
    from google.protobuf import any_pb2
    from google.rpc import code_pb2, error_details_pb2, status_pb2
    from grpc_status import rpc_status
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason="OUT_OF_STOCK", domain="echo", metadata={"item": "7"}))
    status = status_pb2.Status(code=code_pb2.FAILED_PRECONDITION, message="none left: ü %", details=[detail])
    context.abort_with_status(rpc_status.to_status(status))


def only(request, context):
    import grpc
    context.abort(grpc.StatusCode.NOT_FOUND, "nothing of that name")


def unauthenticated(request, context):
    import grpc
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you")


FIRST_BEARER = None


def is_first(bearer):
    """Whether it is the first token that was ever seen here: that one is never taken."""
    global FIRST_BEARER
    FIRST_BEARER = FIRST_BEARER or bearer
    note("bearer is the first", bearer == FIRST_BEARER)
    return bearer == FIRST_BEARER


def choosy(request, context):
    import grpc
    if is_first(dict(context.invocation_metadata()).get("authorization")):
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "not that one")
    return request


def stream(request, context):
    count, size, pause = json.loads(request)
    for n in range(count):
        yield n.to_bytes(4, "big") + b"x" * (size - 4)
        time.sleep(pause)


def collect(requests, context):
    return str(sum(len(message) for message in requests)).encode()


def chat(requests, context):
    yield from requests


def hang(request, context):
    note("hang begins", context.time_remaining())
    over = threading.Event()
    context.add_callback(over.set)
    over.wait(30)
    note("hang is over", context.is_active())
    return b""


def serve_grpc(port):
    import grpc
    unary = {"Say": say, "Metadata": metadata, "Fail": fail, "Only": only, "Hang": hang, "Denied": say, "Unauthenticated": unauthenticated,
             "Choosy": choosy}
    rows = {name: grpc.unary_unary_rpc_method_handler(function) for name, function in unary.items()}
    rows.update(List=grpc.unary_stream_rpc_method_handler(stream), Collect=grpc.stream_unary_rpc_method_handler(collect),
                Chat=grpc.stream_stream_rpc_method_handler(chat))
    server = grpc.server(futures.ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)],
                         compression=grpc.Compression.Gzip)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo.Echo", rows),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


# --- HTTP/1.1 -------------------------------------------------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def reply(self, status, body=b"", **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def pieces(self):
        if "content-length" in self.headers:
            left = int(self.headers["content-length"])
            while left and (piece := self.rfile.read1(min(left, 65536))):
                left -= len(piece)
                yield piece
            return
        while self.headers.get("transfer-encoding") == "chunked" and (size := int(self.rfile.readline(), 16)):
            yield self.rfile.read(size)
            self.rfile.readline()
        if self.headers.get("transfer-encoding") == "chunked":
            self.rfile.readline()

    def do_any(self):
        path = self.path.partition("?")[0]
        if path.startswith("/zeros/"):
            self.zeros(int(path.rpartition("/")[2]))
        elif path.startswith("/last/"):  # and the connection ends with it
            self.close_connection = True
            self.reply(200, bytes(int(path.rpartition("/")[2])), connection="close")
        elif path.startswith("/until-close/"):  # the end of the connection is all that ends it
            self.close_connection = True
            self.send_response(200)
            self.end_headers()
            self.wfile.write(bytes(int(path.rpartition("/")[2])))
        elif path == "/hints":
            self.send_response_only(103)
            self.send_header("link", "</style.css>; rel=preload")
            self.end_headers()
            self.reply(200, b"its own words")
        elif path == "/unread":  # answers at once, and never reads what is sent
            self.close_connection = True
            self.reply(413, b"too much", connection="close")
            self.connection.shutdown(socket.SHUT_WR)
        elif path == "/slow":
            time.sleep(3)
            self.reply(200)
        elif path == "/moved":
            self.reply(302, location="https://elsewhere.example/x")
        elif path == "/cookie":
            self.reply(200, b"ok", set_cookie="a=b", alt_svc='h3=":1"', x_kept="1", etag='"7"')
        elif path.startswith("/status/"):
            self.reply(int(path.rpartition("/")[2]), b"its own words")
        elif path == "/choosy":
            self.reply(401, b"not that one") if is_first(self.headers.get("authorization")) else self.reply(200, b"taken")
        elif path == "/sink":
            self.reply(200, str(sum(len(piece) for piece in self.pieces())).encode())
        else:
            body = b"".join(self.pieces())
            told = {"method": self.command, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": len(body)}
            self.reply(200, json.dumps(told).encode(), content_type="application/json")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_any

    def zeros(self, count):
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        piece, sent = b"\0" * 65536, 0
        try:
            for sent in range(0, count, len(piece)):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\nx-sum: %d\r\n\r\n" % count)
        except OSError:
            note("zeros cut after", sent)
            self.close_connection = True

    def log_message(self, *args):
        pass


# --- one that lies ---------------------------------------------------------------------------------------------------------------

LIES = ("html", "stranger", "no-status", "half", "length", "early", "garbage")
FRAME, TRAILERS = struct.Struct(">I"), b"\x00\x00\x00\x00"


def frame(kind, flags, stream, payload=b""):
    return FRAME.pack(len(payload))[1:] + bytes([kind, flags]) + FRAME.pack(stream) + payload


def field(name, value):
    return bytes([0x10, len(name)]) + name + bytes([len(value)]) + value


def lie(kind, stream):
    head = field(b":status", b"401" if kind == "stranger" else b"200") + field(b"content-type", b"text/html" if kind in ("html", "stranger") else b"application/grpc")
    status = field(b"grpc-status", b"0")
    if kind in ("html", "stranger"):  # the latter as a proxy says it that does not take a token
        return frame(1, 4, stream, head) + frame(0, 1, stream, b"<html>")
    if kind == "no-status":
        return frame(1, 4, stream, head) + frame(0, 1, stream, b"\0\0\0\0\1a")
    if kind == "half":
        return frame(1, 4, stream, head) + frame(0, 0, stream, b"\0\0\0\0\x09a") + frame(1, 5, stream, status)
    if kind == "length":
        return frame(1, 4, stream, head + field(b"content-length", b"3")) + frame(0, 1, stream, b"\0\0\0\0\1a")
    if kind == "huge":  # a prefix that announces 1 GiB
        return frame(1, 4, stream, head) + frame(0, 0, stream, b"\0\x40\0\0\0a")
    if kind == "cut":  # whoever sends it goes then
        return frame(1, 4, stream, head) + frame(0, 0, stream, b"\0\0\0\0\x09a")
    if kind == "early":  # the status of Trailers-Only, and yet data
        return frame(1, 4, stream, head + status) + frame(0, 1, stream, b"\0\0\0\0\1a")
    return b"\xff" * 40  # no HTTP/2 at all


def lie_to(sock, always=None):
    """Just enough of HTTP/2 to be asked: each stream gets the lie that its path names, which stands in plain text in the block; or
    always the same one."""
    data, at = b"", 24
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is still here when it goes is never sent
    sock.sendall(frame(4, 0, 0))
    while True:
        while len(data) >= at + 9:
            size, kind, flags = int.from_bytes(data[at:at + 3], "big"), data[at + 3], data[at + 4]
            if len(data) < at + 9 + size:
                break
            stream, payload = int.from_bytes(data[at + 5:at + 9], "big"), data[at + 9:at + 9 + size]
            at += 9 + size
            if kind == 4 and not flags & 1:
                sock.sendall(frame(4, 1, 0))
            elif kind == 1:
                word = always or next((w for w in LIES if huffman(w) in payload or w.encode() in payload), "garbage")
                sock.sendall(lie(word, stream))
                if word == "cut":
                    return
        piece = sock.recv(65536)
        if not piece:
            return
        data += piece


def huffman(word):
    """Of RFC 7541's code, the letters that these words have; up to the last whole byte, as what follows is not known."""
    code = {"a": (3, 5), "b": (0x23, 6), "e": (5, 5), "f": (0x25, 6), "g": (0x26, 6), "h": (0x27, 6), "l": (0x28, 6), "m": (0x29, 6), "n": (0x2a, 6),
            "o": (7, 5), "r": (0x2c, 6), "s": (8, 5), "t": (9, 5), "u": (0x2d, 6), "y": (0x7a, 7), "-": (0x16, 6), "/": (0x18, 6)}
    bits = "".join(format(code[c][0], f"0{code[c][1]}b") for c in "/" + word)
    whole = len(bits) // 8 * 8
    return int(bits[:whole], 2).to_bytes(whole // 8, "big")


def serve_liar(port):
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=quietly, args=(sock,), daemon=True).start()


def quietly(sock):
    try:
        lie_to(sock)
    except OSError:
        pass
    sock.close()


if __name__ == "__main__":
    LOG = pathlib.Path(sys.argv[3])
    LOG.touch()
    if sys.argv[1] == "grpc":
        serve_grpc(int(sys.argv[2]))
    elif sys.argv[1] == "liar":
        serve_liar(int(sys.argv[2]))
    else:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
        server.daemon_threads = True
        server.serve_forever()
