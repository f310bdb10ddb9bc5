#!/usr/bin/env python3
"""table RESULTS: medians of the kit's result lines, Sallyport beside Postfix, and the ratios that count."""
import glob
import json
import os
import re
import statistics
import sys


def load(directory):
    runs = {}
    for path in sorted(glob.glob(os.path.join(directory, "*.jsonl"))):
        with open(path, encoding="utf-8") as f:
            for line in f:
                try:
                    run = json.loads(re.sub(r":(-?)\.", r":\g<1>0.", line))  # bc writes .5
                except ValueError:
                    continue
                runs.setdefault((run["test"], run["variant"]), {}).setdefault(run["peer"], []).append(run)
    return runs


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def cpu_ms(run):
    done = run["delivered"] if run["test"] == "b" else run["load"].get("accepted")
    return 1000 * run["peer_cpu_s"] / done if done else None


FIGURES = {
    "a1": [("messages/s", lambda r: r["load"].get("msgs_per_s")), ("CPU ms/message", cpu_ms)],
    "b": [("end to end/s", lambda r: r.get("e2e_per_s")), ("CPU ms/message", cpu_ms)],
    "c": [("PSS KB/idle session", lambda r: r.get("pss_kb_per_conn"))],
}
FIGURES["a2"] = FIGURES["k64"] = FIGURES["a1"] + [("p99 ms", lambda r: r["load"]["msg_ms"]["p99"])]
TARGETS = {("a1", "messages/s"): ">= 2.5", ("a1", "CPU ms/message"): "<= 0.167", ("a2", "messages/s"): ">= 5",
           ("a2", "CPU ms/message"): "<= 0.1", ("a2", "p99 ms"): "<= 0.25", ("b", "end to end/s"): ">= 4",
           ("b", "CPU ms/message"): "<= 0.125"}


def main():
    runs = load(sys.argv[1])
    print(f"{'test':<16}{'figure':<22}{'postfix':>12}{'sallyport':>12}{'ratio':>9}   target")
    for (test, variant), peers in sorted(runs.items()):
        for name, figure in FIGURES.get(test, []):
            ours = median([figure(r) for r in peers.get("sallyport", [])])
            theirs = median([figure(r) for r in peers.get("postfix", [])])
            ratio = f"{ours / theirs:9.3f}" if ours and theirs else " " * 9
            target = TARGETS.get((test, name), "")
            if variant == "pipelining" and name == "messages/s":
                target = ">= 8"
            if test == "c":
                target = "<= 25 KB"
            label = test if variant == "default" else f"{test} {variant}"
            shown = [f"{v:12.3f}" if v is not None else " " * 11 + "-" for v in (theirs, ours)]
            print(f"{label:<16}{name:<22}{shown[0]}{shown[1]}{ratio}   {target}")


main()
