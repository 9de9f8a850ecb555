"""The bench's raw results as one table in Markdown, and its place in README.md."""
import dataclasses
import re
import statistics

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


def per_second(result, count, seconds):
    return result[count] / result[seconds] if result.get(seconds) else 0.0


@dataclasses.dataclass
class Measure:
    """How a result becomes a number, how that is written, and whether more is better."""
    of: object
    show: object
    inverted: bool = False


MEASURES = {
    "cpu": Measure(lambda r: per_second(r, "operations", "server_cpu"), lambda v: f"{number(1e6 / v)} µs" if v else "0"),
    "cpu rate": Measure(lambda r: per_second(r, "operations", "server_cpu"), lambda v: f"{number(v)} a CPU second"),
    "bytes": Measure(lambda r: per_second(r, "bytes_in", "server_cpu") / 1e6, lambda v: f"{number(v)} MB a CPU second"),
    "row cpu": Measure(lambda r: per_second(r, "rows", "server_cpu"), lambda v: f"{number(1e6 / v)} µs a row" if v else "0"),
    "rate": Measure(lambda r: per_second(r, "operations", "seconds"), lambda v: f"{number(v)}/s"),
    "row rate": Measure(lambda r: per_second(r, "rows", "seconds"), lambda v: f"{number(v)} rows/s"),
    "kib": Measure(lambda r: r["kib"], lambda v: f"{number(v)} KiB", inverted=True),
}


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def values_of(results, peer, case, measure):
    """By round: what was measured then. Nothing (a run too short for the clock of CPU time) is no figure."""
    values = {r["round"]: MEASURES[measure].of(r) for r in results if r["peer"] == peer and r["case"] == case}
    return {number: value for number, value in values.items() if value}


def middle(values):
    return statistics.median(values.values()) if values else None


def ratios(row, ours, theirs):
    """Of the runs of one round, which stand beside each other in time."""
    inverted = MEASURES[row.measure].inverted
    both = [(ours[n], theirs[n]) for n in ours if n in theirs]
    return [b / a if inverted else a / b for a, b in both]


def spread(values):
    values = sorted(values)
    return f"{number(values[0])} to {number(values[-1])}" if len(values) > 1 else "one run" if values else ""


def judged(row, figure, ratio):
    if row.goal is None:
        return ""
    value = figure if row.of == "figure" else ratio
    text = f"{'≤' if row.at_most else '≥'} {row.goal:,}{' KiB' if row.measure == 'kib' else ''}"
    if value is None:
        return text
    met = value <= row.goal if row.at_most else value >= row.goal
    return f"{text}: {'met' if met else '**missed**'}"


def limit_of(row, results):
    def us(case, peer):
        return 1e6 / middle(values_of(results, peer, case, "cpu"))
    if not callable(row.limit):
        return "" if row.limit is None else number(row.limit)
    try:
        return number(row.limit(us))
    except (TypeError, ZeroDivisionError):  # a peer that was not measured
        return ""


def line(row, results):
    show = MEASURES[row.measure].show
    ours = values_of(results, "linkspan", row.ours, row.measure)
    theirs = values_of(results, row.peer, row.theirs or row.ours, row.measure)
    if not ours:
        return f"| {row.what} | not measured | | | | {judged(row, None, None)} | |"
    each = ratios(row, ours, theirs)
    ratio = statistics.median(each) if each else None
    cells = [row.what, show(middle(ours)), show(middle(theirs)) if theirs else "not measured" if row.peer else "",
             number(ratio) if ratio else "", spread(each if each else ours.values()), judged(row, middle(ours), ratio),
             limit_of(row, results)]
    return "| " + " | ".join(cells) + " |"


HEAD = ["| ours ÷ peer | ours | peer | ratio | its spread | goal | limit |", "|---|---|---|---|---|---|---|"]


def job_lines(job):
    if not job:
        return []
    if "missing" in job:
        return [f"Spark job overhead: not measured: {job['missing']}", ""]
    of = {name: statistics.median(values) for name, values in job.items()}
    return [f"The same trivial PySpark job takes {of['bare_seconds']:.1f} s ({of['bare_cpu']:.1f} s of CPU) with bare "
            f"`spark-submit` and {of['linkspan_seconds']:.1f} s ({of['linkspan_cpu']:.1f} s of CPU, server included) "
            "through `linkspan run`: submitted over TLS, decided, its code hashed, in a world of its own, followed to its end. "
            f"Overhead: {of['linkspan_seconds'] - of['bare_seconds']:+.1f} s "
            f"({of['linkspan_cpu'] - of['bare_cpu']:+.1f} s of CPU); {len(job['bare_seconds'])} runs each.", ""]


def markdown(report, rows):
    lines = [f"Measured {report['date']} by `./dev bench` on {report['machine']}; interleaved runs, medians. Ratios are work per CPU "
             "second, ours ÷ the peer's (memory inverted, so more is better everywhere but for flatness); entries a second are by the "
             "clock. The server has one core; the load and the service behind have the other. Linkspan runs as always: TLS, a verified "
             "token, policy and audit on every request, every commit on disk. HAProxy and Envoy verify tokens and have neither policy nor "
             "audit; the emulator has none of these and writes nothing. `docs/performance.md` tells how, and what a missed goal costs.", ""]
    for block in (1, 2):
        chosen = [row for row in rows if row.block == block]
        if chosen:
            lines += ["And beside the goals:", ""] if block == 2 else []
            lines += [*HEAD, *(line(row, report["results"]) for row in chosen), ""]
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
