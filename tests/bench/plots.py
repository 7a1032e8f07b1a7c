# SPDX-License-Identifier: Apache-2.0
"""Two plots from results.json, by gnuplot: latency percentiles of the synchronous puts, and
throughput against message size and against producers. Medians over the rounds, of the ways that the
table counts: the first of ours, the others' best.

plots.py RESULTS.json FOLDER
"""
import json
import math
import pathlib
import shutil
import statistics
import subprocess
import sys

from rocketmq import VERSION

PERCENTILES = {"p10": .1, "p25": .25, "p50": .5, "p75": .75, "p90": .9, "p95": .95, "p99": .99,
               "p999": .999}
PRODUCERS = {"1 producer": 1, "8 producers": 8, "64 producers": 64}
# Told apart by people who do not see all colours, and by their marks: colour, mark, title.
STYLES = {"ours": ("#0072b2", 7, "ha_plugin"), "RocketMQ": ("#d55e00", 5, f"RocketMQ {VERSION}"),
          "Redis": ("#009e73", 9, "Redis, WAIT 1"), "limit": ("#777777", 4, "bare C, ping-pong"),
          "I/O thread": ("#777777", 4, "bare C, one I/O thread")}
SEED = """set encoding utf8
set terminal svg noenhanced size 1200,400 font ',12' background '#ffffff'
set output '{path}'
set multiplot layout 1,3 title '{title}'
set grid ytics lc rgb '#dddddd'
set border 3
set tics nomirror
set key top left reverse Left samplen 2
set rmargin 2
"""


def median(runs, key):
    values = [run[key] for run in runs if key in run]
    return statistics.median(values) if values else None


def chosen_way(row, who, key, largest):
    """The runs of the way that counts; None when nothing was measured."""
    known = [runs for runs in row["contenders"].get(who, {}).values()
             if median(runs, key) is not None]
    if not known or who == "ours":
        return known[0] if known else None
    return (max if largest else min)(known, key=lambda runs: median(runs, key))


def panel(title, x_label, y_label, lines):
    """Lines are [(who, [(x, y)])]; those without points are left out."""
    lines = [(STYLES[who], points) for who, points in lines if points]
    plots = ", ".join(f"'-' using 1:2 with linespoints lw 2 lc rgb '{colour}' pt {mark} ps .7 "
                      f"title '{name}'" for (colour, mark, name), _ in lines)
    data = "".join("".join(f"{x} {y}\n" for x, y in points) + "e\n" for _, points in lines)
    return (f"set title '{title}'\nset xlabel '{x_label}'\nset ylabel '{y_label}'\n"
            f"plot {plots}\n{data}")


def nines(share):
    """Where a percentile stands: 90, 99 and 99.9 are equally far apart."""
    return -math.log10(1 - share)


def latency(rows):
    tics = ",".join(f"'{100 * share:g}' {nines(share):.4f}" for share in (.1, .5, .9, .99, .999))
    panels = []
    highest = 0
    for number, name in enumerate(PRODUCERS):
        row = rows[name]
        lines = []
        for who in STYLES:
            if who == "I/O thread" and "limit" in row["contenders"]:
                continue  # the faster bare program is enough
            runs = chosen_way(row, who, "p50_us", False) or []
            known = {share: median(runs, f"{key}_us") for key, share in PERCENTILES.items()}
            points = [(nines(share), us) for share, us in known.items() if us is not None]
            highest = max([highest, *(y for _, y in points)])
            lines.append((who, points))
        y_label = "" if number else "µs until the slave has it"
        panels.append(panel(name, "percentile", y_label, lines))
    top = 4 * highest  # leaves the legend its place
    return (f"set logscale y\nset yrange [10:{top}]\n"
            f"set xtics ({tics})\nset xrange [-.1:3.1]\n" + "".join(panels))


def throughput(rows):
    sizes = sorted((int(name.split()[1]), row) for name, row in rows.items()
                   if name.startswith("size "))

    def lines(key, places, factor=1):
        found = [(who, [(x, chosen_way(row, who, key, True)) for x, row in places])
                 for who in ("ours", "RocketMQ", "Redis")]
        return [(who, [(x, factor * median(runs, key)) for x, runs in points if runs])
                for who, points in found]

    return ("set logscale xy\nset xrange [45:1500000]\nset format y '%.0s%c'\n"
            "set xtics ('64' 64,'256' 256,'1K' 1024,'4K' 4096,'16K' 16384,'64K' 65536,"
            "'256K' 262144,'1M' 1048576)\n"
            + panel("pipelined puts", "bytes of a message", "bytes a second",
                    lines("mb_per_s", sizes, 1e6))
            + "set key bottom left\n"
            + panel("pipelined puts", "bytes of a message", "messages a second",
                    lines("per_s", sizes))
            + "unset logscale y\nset yrange [0:*]\nset xrange [.8:80]\nset xtics (1,8,64)\n"
            "set key top left\n"
            + panel("synchronous puts, 1 KiB", "producers, each waiting for its message",
                    "messages a second",
                    lines("per_s", [(count, rows[name]) for name, count in PRODUCERS.items()])))


def draw(path, title, commands):
    subprocess.run(["gnuplot"], input=SEED.format(path=path, title=title) + commands
                   + "unset multiplot\n", text=True, check=True)


def draw_all(results, folder):
    """The files that were drawn: those whose rows were measured. Without gnuplot it says so."""
    if shutil.which("gnuplot") is None:
        print("bench: no plots: no gnuplot here", file=sys.stderr)
        return []
    rows = {row["plot"]: row for row in results["rows"]
            if row["plot"] and "ours" in row["contenders"]}
    where = f"{results['cpus']} CPUs, loopback, " + (
        f"median of {results['rounds']} rounds" if results["rounds"] > 1 else "one round")
    if not rows.keys() >= PRODUCERS.keys():
        return []
    drawn = [folder / "latency.svg"]
    draw(drawn[0], f"Synchronous puts of 1 KiB, {where}", latency(rows))
    if any(name.startswith("size ") for name in rows):
        drawn.append(folder / "throughput.svg")
        draw(drawn[1], f"Replicated throughput, {where}", throughput(rows))
    return drawn


if __name__ == "__main__":
    draw_all(json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2]))
