"""The table that `./dev bench` prints, made of a small raw file: what is met and missed, and what was not measured."""
import json
import pathlib
import subprocess
import sys

import pytest

BENCH = pathlib.Path(__file__).resolve().parents[1] / "bench"
SAMPLE = BENCH / "sample.json"


def run(raw, *options):
    """As a program of its own: its modules' names are its own too."""
    return subprocess.run([sys.executable, BENCH / "bench.py", "--from-raw", raw, *options], capture_output=True, text=True, timeout=60)


def cells_of(text):
    return {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
            for line in text.splitlines() if line.startswith("| ")}


@pytest.fixture(scope="module")
def cells():
    done = run(SAMPLE)
    assert done.returncode == 0, done.stderr
    return cells_of(done.stdout)


def row(cells, beginning):
    found = [values for name, values in cells.items() if name.startswith(beginning)]
    assert len(found) == 1, f"{beginning}: {list(cells)}"
    return found[0]


def test_ratio_is_the_median_of_the_rounds_and_not_of_the_figures(cells):
    # rounds: 50/40, 60/40, 50/50
    assert row(cells, "gRPC unary, RS256 verified every time, 100")[:5] == ["40.0 µs", "50.0 µs", "1.25", "1.00 to 1.50", "≥ 1.0: met"]


def test_limit_comes_from_the_same_run(cells):
    assert row(cells, "gRPC unary, RS256 verified every time, 100")[5] == "1.43"  # 50 ÷ (20 + 15)
    assert row(cells, "the same with the cache")[5] == "2.50"


def test_missed_goal_says_so(cells):
    assert row(cells, "memory of an idle")[:5] == ["44.0 KiB", "22.0 KiB", "0.50", "0.50 to 0.50", "≤ 40 KiB: **missed**"]


def test_goal_of_a_figure_and_goal_at_most(cells):
    assert row(cells, "policy decisions")[0] == "2,500,000 a CPU second"
    assert row(cells, "policy decisions")[4] == "≥ 1,000,000: met"
    assert row(cells, "flatness")[2] == "1.20"
    assert row(cells, "flatness")[4] == "≤ 1.5: met"


def test_peer_without_a_figure_leaves_the_row_in_place(cells):
    assert row(cells, "stream of 10 MiB") == ["800 MB a CPU second", "not measured", "", "one run", "≥ 0.9", ""]


def test_what_was_not_measured_is_a_row_that_says_so(tmp_path):
    report = json.loads(SAMPLE.read_text(encoding="utf-8"))
    report["sections"] = ["spanner"]
    raw = tmp_path / "raw.json"
    raw.write_text(json.dumps(report), encoding="utf-8")
    assert "| point reads ÷ emulator | not measured | | | | ≥ 20 | |" in run(raw).stdout


def test_notes_and_the_job_stand_below():
    text = run(SAMPLE).stdout
    assert "A note." in text
    assert "Overhead: +1.0 s (+0.5 s of CPU); 1 runs each." in text


def test_table_replaces_what_stood_between_the_markers(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n", encoding="utf-8")
    done = run(SAMPLE, "--write-readme", readme)
    assert readme.read_text(encoding="utf-8") == f"before\n<!-- bench -->\n{done.stdout[:-1]}<!-- /bench -->\nafter\n"


def test_readme_without_markers_is_left_alone(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("nothing\n", encoding="utf-8")
    done = run(SAMPLE, "--write-readme", readme)
    assert done.returncode == 1 and "needs the markers" in done.stderr
    assert readme.read_text(encoding="utf-8") == "nothing\n"
