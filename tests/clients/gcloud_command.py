"""gcloud as people run it: told where the server is by environment variables, with a token from a file."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

import linkspan_site

PLACES = ("/usr/lib/google-cloud-sdk/bin/gcloud", "/usr/bin/gcloud", "/snap/bin/gcloud")


def find():
    places = [os.environ.get("LINKSPAN_GCLOUD"), shutil.which("gcloud"), *PLACES]
    return next((path for path in places if path and pathlib.Path(path).exists()), None)


class Gcloud:
    """It reads no configuration but this environment's, and writes into a folder of the test's."""

    def __init__(self, site, folder, as_user):
        self.site, self.folder, self.as_user, self.program = site, folder, as_user, find()
        if not self.program:
            pytest.skip("gcloud is not installed (LINKSPAN_GCLOUD names it)")

    def proof(self, who):
        token = self.folder / f"{who}.token"
        if not token.exists():
            token.write_text(self.as_user.token(who))
        return {"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token)}

    def environment(self, proof):
        clean = linkspan_site.clean_environment()
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # they would win over the file that is named for gcloud
            clean.pop(name, None)
        return {**clean, **proof, "CLOUDSDK_CONFIG": str(self.folder / "config"), "CLOUDSDK_CORE_PROJECT": "demo",
                "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": str(self.site.ca),
                "CLOUDSDK_CORE_DISABLE_PROMPTS": "1", "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
                "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1", "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_SPANNER": f"{self.site.url}/", "CLOUDSDK_API_ENDPOINT_OVERRIDES_DATAPROC": f"{self.site.url}/",
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{self.site.url}/storage/v1/"}

    def run(self, *words, who="admin", proof=None):
        return subprocess.run([self.program, *words], env=self.environment(proof or self.proof(who)), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300)

    def json(self, *words, who="admin"):
        done = self.run(*words, "--format=json", who=who)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "null")
