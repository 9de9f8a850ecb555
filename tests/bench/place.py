"""Where the bench runs: its scratch folder, our server, the service behind it, the issuer of the tokens, and peers that are started
and always stopped."""
import pathlib
import resource
import tempfile

import client
import gateway
import issuer
import linkspan
import proxies

FILES = 8192


class Place:
    def __init__(self, binary, cache, scratch):
        self.binary, self.cache, self.scratch = binary, cache, scratch
        self.tools = pathlib.Path(binary).parents[2] / "tests/bench"
        self.notes, self.started = [], []
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))

    def __enter__(self):
        try:
            self.issuer = issuer.Issuer(self.tools, self.scratch)
            self.origin = self.start(proxies.Origin, self.tools, self.scratch)
            self.linkspan = self.start(self.another_linkspan, self.scratch)
            self.client = client.Client(self.tools, self.linkspan.ca, self.notes)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def another_linkspan(self, folder, **service):
        return linkspan.Linkspan(self.binary, folder, gateway.add_service(self.issuer, self.origin, **service))

    def start(self, make, *arguments, **options):
        self.started.append(make(*arguments, **options))
        return self.started[-1]

    def stop(self):
        while self.started:
            self.started.pop().stop()

    def fresh_folder(self):
        return pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
