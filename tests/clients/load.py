#!/usr/bin/env python3
"""usage: load.py --linkspan BINARY --folder DIR [--seconds N] [--seed N] [--jobs N] [--through-gateway]

A storm over one server, from its start to the end of its drain: streams of a large table with slow, cancelled and late readers,
racing transactions, commits, DDL, REST, exchanges, tokens that expire under their streams, policy reloads, jobs. It ends the server with SIGTERM
while all of that goes on. Ends with 0 when the server ended with 0 and no sanitizer reported anything; else shows the reports.
With --through-gateway the server forwards to a second one, which goes on until the first has ended.

A program and not a fixture: gRPC takes the authority that it trusts once in a process, and this server has its own."""
import argparse
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "examples" / "flights")]

import requests  # noqa: E402

import linkspan_site  # noqa: E402
import setting  # noqa: E402
import storm  # noqa: E402
import two_sites  # noqa: E402

REPORTS = ("WARNING: ThreadSanitizer", "ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "ThreadSanitizer:DEADLYSIGNAL",
           "LeakSanitizer: detected", "panic:")
DATABASE = "storm"
LARGE_BYTES = 1200
PATIENCE_SECONDS = 100


class Load:
    def __init__(self, options):
        self.options, self.chance = options, random.Random(options.seed)
        self.folder = pathlib.Path(options.folder)
        self.site = linkspan_site.Site(options.linkspan, self.folder / "site")
        code = self.folder / "code"
        code.mkdir(parents=True)
        (code / "short.py").write_text(JOB)
        config = two_sites.through_gateway(setting.CONFIG) if options.through_gateway else setting.CONFIG
        self.site.make(config, {"tests": setting.POLICY}, {"CODE": code, "PYTHON": sys.executable})
        self.sites = [self.site]
        if options.through_gateway:
            self.sites.append(two_sites.make_far(self.folder / "far", self.site))
        self.code, self.ending, self.done, self.surprises = code, threading.Event(), {}, []
        self.lock, self.leaving = threading.Lock(), False

    def count(self, what):
        if self.ending.is_set() or self.leaving:
            return
        with self.lock:
            self.done[what] = self.done.get(what, 0) + 1

    # --- actors ----------------------------------------------------------------------------------------------------------

    def keep_doing(self, name, act, seed):
        """Refusals and cuts are what a storm brings; what is neither is a surprise."""
        chance = random.Random(seed)
        while not self.ending.is_set():
            try:
                act(chance)
                self.count(name)
            except EXPECTED as error:
                self.count(f"{name}: {type(error).__name__} {str(error)[:110]!r}")
                time.sleep(0.02)
            except Exception:
                if not self.ending.is_set():
                    self.surprises.append(f"{name}: {traceback.format_exc()}")
                    return

    def reload(self, chance):
        policy = self.site.policies / "tests.policy"
        text = policy.read_text()
        line = "watch2: allow watcher to see jobs on dataproc demo/* owner team until " + self.site.days_ahead(9) + "\n"
        changed = text.replace(line, "") if line in text else text + line
        other = self.site.folder / "next"
        other.write_text("broken is broken\n" if chance.random() < 0.2 else changed)
        other.replace(policy)
        self.site.server.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        policy.write_text(text)
        time.sleep(0.1)

    def start(self):
        site = self.site
        site.trust()
        for far in self.sites[1:]:
            far.start_server()
        site.start()
        self.as_user = setting.Credentials(site)
        setting.create_database(site, self.as_user("admin"), DATABASE, setting.DDL)
        storm.fill(setting.open_database(site, self.as_user("admin"), DATABASE), self.options.rows, LARGE_BYTES)

    def run(self):
        self.start()
        clouds = storm.Clouds(self.site, self.as_user, DATABASE, self.options.rows, lists_sessions=not self.options.through_gateway)
        actors = [(name, act) for name, act, copies in clouds.actors(self.options.jobs, self.code) for _ in range(copies)]
        actors.append(("reload", self.reload))
        actors = [actor for actor in actors if not self.options.only or actor[0] in self.options.only]
        threads = [threading.Thread(target=self.keep_doing, args=(name, act, self.options.seed * 1000 + n), daemon=True)
                   for n, (name, act) in enumerate(actors)]
        for thread in threads:
            thread.start()
        self.ending.wait(self.options.seconds)
        end = time.monotonic() + PATIENCE_SECONDS  # a busy machine under a sanitizer: at least once each
        while self.missing(clouds) and time.monotonic() < end and self.site.server.poll() is None and not self.surprises:
            time.sleep(0.5)
        self.leaving = True
        ended = [self.end(site) for site in self.sites]
        self.ending.set()
        return self.verdict(ended, clouds)

    @staticmethod
    def end(site):
        """What is wrong with how it ended, or None."""
        if site.server.poll() is not None:
            return f"the server died of {site.server.returncode}"
        site.server.send_signal(signal.SIGTERM)
        try:
            status = site.server.wait(60)
        except subprocess.TimeoutExpired:
            site.server.send_signal(signal.SIGABRT)
            return "the server was still running a minute after SIGTERM"
        return f"the server ended with {status}" if status else None

    def missing(self, clouds):
        return [name for name in self.options.only or clouds.must_happen if not self.done.get(name)]

    def verdict(self, ended, clouds):
        for name in sorted(self.done):
            print(f"{self.done[name]:>7} {name}")
        wrong = [f"a surprise: {text}" for text in self.surprises]
        wrong += [f"nothing of {name} was ever done" for name in self.missing(clouds)]
        for site, end in zip(self.sites, ended):
            wrong += self.wrong_at(site, end)
        print("\n".join(wrong))  # last: what cuts a long output keeps its end
        return 1 if wrong else 0

    def wrong_at(self, site, end):
        log = (site.folder / "server.log").read_text(errors="replace")
        wrong = [end] if end else []
        wrong += [f"the log holds {log.count(mark)} times {mark!r}" for mark in REPORTS if mark in log]
        verified = site.run("audit", "verify", "--config", site.config, check=False)
        if verified.returncode != 0:
            wrong.append(f"the audit log does not verify: {verified.stderr[:2000]}")
        if wrong:
            reports = [log.index(mark) for mark in REPORTS if mark in log]
            print(f"--- {site.folder}:")
            print(log[min(reports):][:self.options.show] if reports else log[-self.options.show:])
        return [f"{site.folder}: {text}" for text in wrong]


EXPECTED = (requests.RequestException, *storm.EXPECTED)
JOB = """import os, time, urllib.request
ask = urllib.request.Request("http://" + os.environ.get("GCE_METADATA_HOST", "169.254.169.254") +
                             "/computeMetadata/v1/instance/service-accounts/default/token", headers={"Metadata-Flavor": "Google"})
for n in range(20):
    urllib.request.urlopen(ask, timeout=10).read()
    time.sleep(0.05)
print("done")
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--linkspan", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=0, help="actors that run and cancel jobs")
    parser.add_argument("--rows", type=int, default=6000, help="of the large table, some 1,200 bytes each")
    parser.add_argument("--through-gateway", action="store_true")
    parser.add_argument("--only", action="append", help="these actors only")
    parser.add_argument("--show", type=int, default=12000, help="so much of the server's log, when something is wrong")
    load = Load(parser.parse_args())
    try:
        status = load.run()
    except RuntimeError as error:
        print(error)
        status = 1
    finally:
        for site in load.sites:
            site.stop()
    sys.stdout.flush()
    import os
    os._exit(status)  # threads of clients may still wait for a server that is gone


if __name__ == "__main__":
    main()
