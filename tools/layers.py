#!/usr/bin/env python3
"""Fails when an include points upward or sideways: the house's layers (DESIGN §3), lower numbers below.

A folder may include itself and folders of a lower layer. Change the table when the layering changes, and say why in
docs/decisions/."""
import pathlib
import re
import sys

LAYERS = {
    "base": 0,
    "crypto": 1, "data": 1, "net": 1, "store": 1, "model": 1,
    "wire": 2,
    "http": 3,
    "service": 4, "identity": 4, "policy": 4, "audit": 4, "watch": 4, "googlesql": 4, "spark": 4,
    "engine": 5, "pipeline": 5, "upstream": 5,
    "spanner": 6, "dataproc": 6, "synapse": 6,
    "livy": 7,
    "gate": 8,
    "cli": 9,
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def faults_of(path, root):
    folder = path.relative_to(root).parts[0]
    if folder not in LAYERS:
        yield f"{path}:1: folder {folder} has no layer: add it to tools/layers.py"
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(1).split("/")[0]
        if "/" not in match.group(1) or target not in LAYERS:
            yield f'{path}:{number}: "{match.group(1)}": write includes from src/, such as "base/str.h"'
        elif target != folder and LAYERS[target] >= LAYERS[folder]:
            yield f"{path}:{number}: {folder} (layer {LAYERS[folder]}) must not include {target} (layer {LAYERS[target]})"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "src")
    files = sorted(p for p in root.rglob("*") if p.suffix in (".c", ".h"))
    faults = [fault for path in files for fault in faults_of(path, root)]
    print("\n".join(faults) if faults else f"layers: {len(files)} files in order")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
