"""Google's Spanner emulator, where it is installed: plaintext, no identity, no policy, no audit; everything in memory."""
import os
import shutil

import machine

PLACES = ("/usr/lib/google-cloud-sdk/bin/cloud_spanner_emulator/emulator_main",
          "/usr/lib/google-cloud-sdk/platform/bundledpythonunix/cloud_spanner_emulator/emulator_main")
MISSING = ("The Spanner emulator is not installed here, so there is no ratio to it (package google-cloud-cli-spanner-emulator of Google's "
           "archive, or SPANNER_EMULATOR=/path/to/emulator_main).")


def find():
    """Its program, or None. SPANNER_EMULATOR names it where it lies elsewhere."""
    named = os.environ.get("SPANNER_EMULATOR")
    for path in ([named] if named else []) + list(PLACES) + [shutil.which("emulator_main")]:
        if path and os.access(path, os.X_OK):
            return path
    return None


class Emulator(machine.Process):
    def __init__(self, program, scratch):
        port = machine.free_port()
        super().__init__("emulator", [program, "--host_port", f"127.0.0.1:{port}"], port, scratch / "emulator.log")
        self.url = f"http://127.0.0.1:{port}"
