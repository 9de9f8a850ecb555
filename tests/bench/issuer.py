"""The issuer whose tokens all gateways of the bench verify: its key, and thousands of tokens, each another one."""
import pathlib
import subprocess

TOKENS = 20_000  # more than any cache of verified tokens holds (ours: 10,000), so that rotating them verifies every time
KEPT = 64  # one a caller


class Issuer:
    name = "https://login.microsoftonline.com/00000000-0000-4000-8000-0000000be9c4/v2.0"
    tenant = "00000000-0000-4000-8000-0000000be9c4"
    subject = "00000000-0000-4000-8000-00000000beac"
    audience = "api://linkspan"

    def __init__(self, tools, scratch, tokens=TOKENS):
        self.folder = pathlib.Path(scratch) / "issuer"
        self.folder.mkdir()
        subprocess.run([tools / "bench_mint", self.folder, str(tokens)], check=True)
        with open(self.folder / "tokens", encoding="ascii") as lines:
            self.kept = "".join(next(lines) for _ in range(KEPT))

    @property
    def tokens(self):
        return self.folder / "tokens"
