"""What the flights example must compute, in plain Python: from the CSV files, with nothing of the server or of Spark."""
import csv

TABLES = ("airlines", "airports", "planes", "weather", "flights")


def count(path):
    with open(path, newline="", encoding="utf-8") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def records(folder, table):
    with open(folder / f"{table}.csv", newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def all_rows(folder):
    """One row a carrier and airport, as CarrierDelay has them."""
    visib = {(row["origin"], row["time_hour"]): round(float(row["visib"]) * 100) for row in records(folder, "weather")}
    sums = {}
    for row in records(folder, "flights"):
        group = sums.setdefault((row["carrier"], row["origin"]), {"flights": 0, "delays": [], "seen": []})
        group["flights"] += 1
        if row["dep_delay"] != "NA":
            group["delays"].append(int(row["dep_delay"]))
        if (row["origin"], row["time_hour"]) in visib:
            group["seen"].append(visib[row["origin"], row["time_hour"]])
    return [{"carrier": carrier, "origin": origin, "flights": group["flights"], "departed": len(group["delays"]),
             "mean_delay": sum(group["delays"]) / len(group["delays"]) if group["delays"] else None,
             "max_delay": max(group["delays"], default=None),
             "mean_visibility": float(sum(group["seen"])) / 100 / len(group["seen"]) if group["seen"] else None}
            for (carrier, origin), group in sums.items()]


def groups(folder):
    return len(all_rows(folder))


def worst(folder):
    rows = [row for row in all_rows(folder) if row["mean_delay"] is not None]
    return sorted(rows, key=lambda row: (-row["mean_delay"], row["carrier"], row["origin"]))[:10]
