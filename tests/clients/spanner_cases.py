"""What Spanner's clients of other languages must find: one table for all. A program (node/spanner.cjs, go/cases.go) runs the cases in
order with its language's unmodified client and tells what each gave; here stands what that must be."""
import contextlib
import itertools
import json
import os
import re
import signal
import subprocess

import setting

MANY, WIDE = 20000, 3 << 20
DDL = [*setting.DDL, "CREATE TABLE Big (Id INT64 NOT NULL, Text STRING(MAX)) PRIMARY KEY (Id)",
       "CREATE TABLE Wide (Id INT64 NOT NULL, Body BYTES(MAX)) PRIMARY KEY (Id)"]
SLOW = "SELECT COUNT(*) FROM Big AS a JOIN Big AS b ON a.Text < b.Text"
NUMBERS = itertools.count(1)


def question(site, as_user, language):
    """What a program is told: where, who (files that hold no secret), and how much."""
    files = {"admin": as_user.file("admin"), "reader": as_user.file("reader"), "stranger": as_user.file("stranger", groups="visitors"),
             "worker": as_user.file("caller", account=setting.WORKER), "refused": as_user.file("reader", account=setting.WORKER)}
    return {"host": "127.0.0.1", "port": site.port, "project": "demo", "instance": "flights", "database": f"{language}-{next(NUMBERS)}", "ddl": DDL,
            "slow": SLOW, "many": MANY, "wide": WIDE, "credentials": {name: str(path) for name, path in files.items()}}


def answers(command, ask, environment, seconds=120):
    """Case → what the program told of it: {value} or {error}. "stderr" is why there are no more cases. A program that takes too long is
    ended with all that it started; what it told before is kept."""
    running = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment, start_new_session=True)
    try:
        out, errors = running.communicate(json.dumps(ask), timeout=seconds)
    except subprocess.TimeoutExpired:
        end(running)
        out, errors = running.communicate()
    except BaseException:
        end(running)
        raise
    told = dict(cases(out))
    assert running.returncode == 0 or set(CASES) - set(told), f"all cases are told, but it ended with {running.returncode}: {errors[-4000:]}"
    return {**told, "stderr": errors[-4000:]}


def end(running):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)


def cases(out):
    for line in out.splitlines():
        with contextlib.suppress(json.JSONDecodeError):  # the last may be half a line
            told = json.loads(line)
            yield told["case"], told


# --- what each case must give -----------------------------------------------------------------------------------------------------

def is_error(error, code, words="", reason=None):
    assert error["code"] == code and words in error["message"], error
    if reason:
        assert (error["reason"], error["domain"]) == (reason, "linkspan") and re.fullmatch(r"\w{26}", error["metadata"]["id"]), error


def makes_a_database(told):
    assert sorted(told["tables"]) == ["Big", "Later", "Notes", "Singers", "Wide"] and told["listed"]
    is_error(told["again"], "ALREADY_EXISTS")
    is_error(told["bad"], "FAILED_PRECONDITION", "Later")


def keeps_every_type(told):
    assert told == [
        [-2 ** 63, "least", "-Infinity", None, None, None, None],
        [1, "Ünïcode \U0001f600", 1.5, "1969-12-31", "2026-01-02T03:04:05.678901234Z", True, "AP8="],
        [2, "", "Infinity", "0001-01-01", "9999-12-31T23:59:59.999999999Z", False, ""],
        [3, None, None, None, None, None, None],
        [2 ** 63 - 1, "most", "NaN", None, None, None, None]]


def reads_the_past(told):
    new = [[1, "second", 1], [2, "new", 2]]
    assert told["first"] == [[1, "first", 1]] and told["second"] == told["atLeast"] == told["strong"] == new
    is_error(told["tooOld"], "FAILED_PRECONDITION")


def hears_what_is_wrong(told):
    is_error(told["exists"], "ALREADY_EXISTS", "Singers")
    is_error(told["no_row"], "NOT_FOUND", "Singers")
    is_error(told["no_table"], "NOT_FOUND", "Nothing")
    is_error(told["no_column"], "INVALID_ARGUMENT", "Nix")
    is_error(told["syntax"], "INVALID_ARGUMENT", "2:1")
    is_error(told["overflow"], "OUT_OF_RANGE")
    is_error(told["dml"], "UNIMPLEMENTED", "DML")
    is_error(told["batch_write"], "UNIMPLEMENTED", "BatchWrite")
    is_error(told["no_database"], "NOT_FOUND")
    assert told["rows"] == [[1, "a", 1]]


def is_held_to_the_policy(told):
    assert told["allowed"] == [["a"]]
    is_error(told["column"], "PERMISSION_DENIED", reason="NO_RULE_FOR_COLUMN")
    is_error(told["read"], "PERMISSION_DENIED", reason="NO_RULE_FOR_COLUMN")
    is_error(told["write"], "PERMISSION_DENIED", reason="NO_RULE")
    is_error(told["stranger"], "PERMISSION_DENIED", reason="NO_IDENTITY")


def acts_as_an_account(told):
    """What the credentials library says of the refusal is its own: it quotes the server."""
    assert told["rows"] == [["a"]] and f"may not act as {setting.WORKER}" in told["other"]["message"], told["other"]


def equals(expected):
    def check(told):
        assert told == expected
    return check


NOTES = {"keys": ["ann0", "bob2"], "prefix": ["bob3", "bob2", "bob1", "bob0"], "between": ["ann1", "ann0", "bob3"],
         "limit": ["ann3", "ann2", "ann1", "ann0", "bob3"]}
PARAMETERS = {"values": [[9007199254740993, 0.25, "é\"\\", True, "2024-02-29", "2026-01-02T03:04:05.678901234Z", "AGJ5dGVz"]],
              "nulls": [[None] * 7], "untyped": [[1]]}
PARTS = {"several": True, "whole": True}

CASES = {
    "makes_a_database": makes_a_database,
    "mutates": equals([[1, "A", 10], [2, "B", 20], [3, "C", None], [5, "E", None]]),
    "keeps_every_type": keeps_every_type,
    "asks_with_parameters": equals(PARAMETERS),
    "reads_keys_ranges_and_limits": equals(NOTES),
    "streams_many_rows": equals({"count": MANY, "total": MANY * 100, "inOrder": True, "wide": True}),
    "runs_an_aborted_transaction_again": equals({"attempts": 2, "rows": [[1, "counter", 101]]}),
    "hears_when_to_try_again": equals({"code": "ABORTED", "delay": True, "rows": [[1, "counter", 100]]}),
    "loses_no_addition": equals([[1, "counter", 4], [2, "counter", 4]]),
    "rolls_back": equals({"told": "the caller's own", "rows": [[1, "a", 1]]}),
    "stands_still_in_a_snapshot": equals({"before": [["one"]], "inside": [[1, "one", 1]], "after": [[1, "two", 1]]}),
    "reads_the_past": reads_the_past,
    "partitions": equals({"query": PARTS, "read": PARTS}),
    "counts_mutations": equals(6),
    "hears_what_is_wrong": hears_what_is_wrong,
    "is_held_to_the_policy": is_held_to_the_policy,
    "acts_as_an_account": acts_as_an_account,
    "cancels_a_stream": equals({"count": 10, "quick": True, "next": [[1]]}),
    "keeps_a_deadline": equals({"code": "DEADLINE_EXCEEDED", "quick": True, "next": [[1]]}),
    "drops_a_database": lambda told: is_error(told, "NOT_FOUND"),
}


def check(told, case):
    assert case in told, f"the program ended before: {told['stderr']}"
    assert "error" not in told[case], told[case]["error"]
    CASES[case](told[case]["value"])
