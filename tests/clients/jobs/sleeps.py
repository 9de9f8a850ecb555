"""Starts processes that would like to stay, and sleeps."""
import os
import subprocess
import sys
import time

subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "linkspan-test-child"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
print("sleeping", flush=True)
time.sleep(600)
