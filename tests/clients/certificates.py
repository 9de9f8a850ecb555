"""Certificates for more names than `linkspan init` knows, by the openssl command."""
import subprocess


def sign_for(site, names):
    """The server's certificate, with the services' names: as whoever runs it for real would have made it."""
    tls, folder = site.folder / "tls", site.folder
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost," + ",".join(f"DNS:{name}.internal" for name in names))
    run = [["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=relay", "-keyout", tls / "server.key",
            "-out", folder / "server.csr"],
           ["x509", "-req", "-in", folder / "server.csr", "-CA", tls / "ca.pem", "-CAkey", tls / "ca.key", "-days", "2", "-extfile", folder / "names",
            "-out", tls / "server.pem"]]
    for command in run:
        subprocess.run(["openssl", *command], check=True, capture_output=True)
