"""The bench's results as one table in Markdown, and its place in README.md."""
import re
import statistics

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


def rate(result, unit):
    count = result["rows"] if unit == "rows" else result["operations"]
    return count / result["seconds"] if result["seconds"] else 0.0


def cpu_us(result, unit):
    count = result["rows"] if unit == "rows" else result["operations"]
    return 1e6 * result["server_cpu"] / count if count else 0.0


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def median_of(results, peer, case, measure):
    values = [measure(r, case.unit) for r in results if r["peer"] == peer and r["case"] == case.name]
    return statistics.median(values) if values else None


def spread(results, case):
    values = sorted(rate(r, case.unit) for r in results if r["peer"] == "linkspan" and r["case"] == case.name)
    return f"{number(values[0])} to {number(values[-1])}" if len(values) > 1 else "one run"


def judged(case, ours, ratio):
    if not case.aim:
        return ""
    kind, wanted = case.aim
    text = f"{wanted:,} a second" if kind == "rate" else f"{wanted} times"
    value = ours if kind == "rate" else ratio
    return text if value is None else f"{text}: {'met' if value >= wanted else 'missed'}"


def latency(results, case):
    own = [r for r in results if r["peer"] == "linkspan" and r["case"] == case.name]
    p50, p99 = (statistics.median(r[key] for r in own) for key in ("p50_us", "p99_us"))
    return f"{number(p50 / 1000)} / {number(p99 / 1000)} ms"


def line(results, case):
    ours = median_of(results, "linkspan", case, rate)
    if ours is None:
        return None
    theirs = median_of(results, "emulator", case, rate)
    cpu, their_cpu = (median_of(results, peer, case, cpu_us) for peer in ("linkspan", "emulator"))
    ratio = ours / theirs if theirs else None
    cells = [case.what, f"{number(ours)} {case.unit if case.unit == 'rows' else ''}/s".replace(" /", "/"),
             spread(results, case), latency(results, case), f"{number(cpu)} µs", number(theirs) + "/s" if theirs else "not measured",
             f"{number(ratio)}" if ratio else "", f"{number(their_cpu / cpu)}" if their_cpu and cpu else "",
             judged(case, ours, ratio)]
    return "| " + " | ".join(cells) + " |"


def job_lines(job):
    if not job:
        return []
    if "missing" in job:
        return [f"Spark job overhead: not measured: {job['missing']}", ""]
    middle = {name: statistics.median(values) for name, values in job.items()}
    return [f"The same trivial PySpark job takes {middle['bare_seconds']:.1f} s ({middle['bare_cpu']:.1f} s of CPU) with bare "
            f"`spark-submit` and {middle['linkspan_seconds']:.1f} s ({middle['linkspan_cpu']:.1f} s of CPU, server included) "
            "through `linkspan run`: submitted over TLS, decided, its code hashed, in a world of its own, followed to its end. "
            f"Overhead: {middle['linkspan_seconds'] - middle['bare_seconds']:+.1f} s "
            f"({middle['linkspan_cpu'] - middle['bare_cpu']:+.1f} s of CPU); {len(job['bare_seconds'])} runs each.", ""]


def markdown(report, cases):
    lines = [f"Measured {report['date']} by `./dev bench` on {report['machine']}; {report['rounds']} interleaved rounds, medians. "
             "The server has one core, the client the other. Linkspan runs as always: TLS, a verified token, policy and audit on "
             "every request, every commit on disk. The emulator runs in plaintext, without any of these, in memory.", ""]
    rows = [text for text in (line(report["results"], case) for case in cases) if text]
    if rows:
        lines += ["| what | figure | lowest to highest | latency p50 / p99 | server CPU each | emulator | ratio | ratio by CPU | aim |",
                  "|---|---|---|---|---|---|---|---|---|", *rows, ""]
    lines += job_lines(report["job"])
    lines += [note + "\n" for note in report["notes"]]
    return "\n".join(lines).rstrip() + "\n"


def write_into(path, text):
    """Between the markers; a README without them is left alone, loudly."""
    old = path.read_text(encoding="utf-8")
    new, count = re.subn(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{text}{END}", old, flags=re.S)
    if count != 1:
        raise SystemExit(f"bench: {path} needs the markers {BEGIN} and {END} once")
    path.write_text(new, encoding="utf-8")
