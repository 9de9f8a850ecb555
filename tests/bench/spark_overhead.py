"""What Linkspan adds to a Spark job: the same trivial PySpark job by bare spark-submit and by `linkspan run`, in turn."""
import hashlib
import os
import pathlib
import resource
import subprocess
import time

from linkspan import Linkspan
from machine import BenchError

ENOUGH_SECONDS = 60  # no further repetition after that
JOB = '''"""A job that does next to nothing: what is left is the cost of starting and ending one."""
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("bench").getOrCreate()
assert spark.range(1000).selectExpr("sum(id)").first()[0] == 499500
spark.stop()
'''
POLICY = '''domain bench covers dataproc demo/batch owner admin
account runner is "runner@demo.iam.gserviceaccount.com"
job bench/trivial is pyspark "{main}" sha256 "{digest}"
trigger: allow developer to run job bench/trivial on dataproc demo/batch as runner owner admin until {until}
operate: allow developer to administer dataproc demo/batch owner admin until {until}
follow: allow developer to see jobs on dataproc demo/batch owner admin until {until}
'''
REQUEST = '''placement: {{ clusterName: batch }}
labels: {{ linkspan-account: runner }}
pysparkJob: {{ mainPythonFileUri: "file://{main}" }}
'''


def add_dataproc(folder, code, python):
    """The site of `linkspan init --development`, with a Dataproc region beside its Spanner and a policy for the job."""
    main = code / "trivial.py"
    config = folder / "linkspan.yaml"
    lines = [line for line in config.read_text().splitlines() if not line.lstrip().startswith("# dataproc")]
    lines.append(f'    dataproc: {{ back: embedded, project: demo, region: local, master: "local[*]", code: ["{code}"], '
                 f'python: "{python}" }}')
    config.write_text("\n".join(lines) + "\n")
    policy = folder / "policy/demo.policy"
    until = policy.read_text().split("until ")[1].split()[0]
    digest = hashlib.sha256(main.read_bytes()).hexdigest()
    (folder / "policy/bench.policy").write_text(POLICY.format(main=main, digest=digest, until=until))
    (folder / "job.yaml").write_text(REQUEST.format(main=main))


def server_cpu(pid):
    """Of the process and of the children that it has waited for: fields 14 to 17 of /proc/PID/stat."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def own_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(command, environment=None):
    """Wall seconds, and the CPU seconds of what this process started."""
    began, cpu = time.monotonic(), own_cpu()
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    if done.returncode:
        raise BenchError(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}")
    return time.monotonic() - began, own_cpu() - cpu


def run_both(binary, python, scratch, code, repetitions):
    server = Linkspan(binary, scratch / "job", lambda folder: add_dataproc(folder, code, python),
                      core=None)  # its jobs run where it may run
    submit = [str(python.parent / "spark-submit"), "--master", "local[*]", str(code / "trivial.py")]
    environment = os.environ | {"PYSPARK_PYTHON": str(python), "PYSPARK_DRIVER_PYTHON": str(python),
                                "PATH": f"{python.parent}:{os.environ['PATH']}"}
    run = [str(binary), "run", str(server.folder / "job.yaml"), "--server", server.url, "--ca",
           str(server.ca), "--credentials", str(server.folder / "developer.json"), "--project", "demo",
           "--region", "local"]
    bare, ours, began = [], [], time.monotonic()
    try:
        server.post("/v1/projects/demo/regions/local/clusters", {"projectId": "demo", "clusterName": "batch"})
        for _ in range(repetitions):
            if bare and time.monotonic() - began > ENOUGH_SECONDS:
                break
            bare.append(timed(submit, environment))
            before = server_cpu(server.pid)
            seconds, cpu = timed(run)
            ours.append((seconds, cpu + server_cpu(server.pid) - before))
    finally:
        server.stop()
    return {"bare_seconds": [t for t, _ in bare], "bare_cpu": [c for _, c in bare],
            "linkspan_seconds": [t for t, _ in ours], "linkspan_cpu": [c for _, c in ours]}


def measure(binary, cache, scratch, repetitions):
    """Lists of wall and CPU seconds, one a repetition, or {"missing": why}."""
    python, scratch = cache / "venv/bin/python", pathlib.Path(scratch)
    if not (python.parent / "spark-submit").exists():
        return {"missing": f"no PySpark in {python.parent.parent}: run ./dev setup"}
    code = scratch / "job/code"
    code.mkdir(parents=True)
    (code / "trivial.py").write_text(JOB)
    try:
        return run_both(binary, python, scratch, code, repetitions)
    except (BenchError, subprocess.TimeoutExpired) as fault:
        return {"missing": " ".join(str(fault).split())}
