"""Two plots from results.json, by gnuplot: latency percentiles of the synchronous puts, and throughput
against message size and against producers. Medians over the rounds.

plots.py RESULTS.json FOLDER
"""
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

POINTS = (("p10", 10), ("p50", 50), ("p90", 90), ("p99", 99), ("p999", 99.9))
# Told apart by people who do not see all colours, and by their marks.
STYLES = {"ours": ("#0072b2", 7, "ha_plugin"), "RocketMQ": ("#d55e00", 5, "RocketMQ 5.3.3"),
          "Redis": ("#009e73", 9, "Redis, WAIT 1"),
          "limit": ("#999999", 4, "bare blocking ping-pong")}
SEED = """set encoding utf8
set terminal {terminal} noenhanced size {width},{height} font ',11' background '#ffffff'
set output '{path}'
set grid ytics lc rgb '#dddddd'
set border 3
set tics nomirror
set key {key}
"""


def median(runs, key):
    values = [run[key] for run in runs if key in run]
    return statistics.median(values) if values else None


def best_way(ways, key, largest):
    """The runs of the way that is best by this figure; None when nothing was measured."""
    known = [runs for runs in ways.values() if median(runs, key) is not None]
    return (max if largest else min)(known, key=lambda runs: median(runs, key)) if known else None


def draw(path, seed, commands):
    if path.suffix == ".svg":
        seed = {"terminal": "svg", **seed}
    script = SEED.format(path=path, **seed) + commands
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def line(points, who):
    colour, mark, title = STYLES[who]
    block = "".join(f"{x} {y}\n" for x, y in points)
    return (f"'-' using 1:2 with linespoints lw 2 lc rgb '{colour}' pt {mark} ps 0.8 "
            f"title '{title}'"), block + "e\n"


def plot(lines):
    return "plot " + ", ".join(one for one, _ in lines) + "\n" + "".join(data for _, data in lines)


def latency(rows, path):
    wanted = [row for name in ("1 producer", "8 producers", "64 producers")
              for row in rows if row["plot"] == name]
    commands = f"set multiplot layout 1,{len(wanted)}\nset logscale y\nset yrange [10:*]\n" \
               "set format y '%.0f'\nset xlabel 'percentile'\n" \
               "set xtics (" + ",".join(f"'{p:g}' {i}" for i, (_, p) in enumerate(POINTS)) + ")\n" \
               f"set xrange [-0.3:{len(POINTS) - .7}]\n"
    for number, row in enumerate(wanted):
        commands += f"set title 'synchronous put, {row['plot']}, 1 KiB'\n"
        commands += "set ylabel 'µs until the slave has it'\n" if number == 0 else "unset ylabel\n"
        lines = []
        for who in STYLES:
            runs = best_way(row["contenders"].get(who, {}), "p50_us", False)
            if runs:
                lines.append(line([(i, median(runs, f"{key}_us"))
                                   for i, (key, _) in enumerate(POINTS)
                                   if median(runs, f"{key}_us") is not None], who))
        commands += plot(lines)
    draw(path, {"width": 1100, "height": 380, "key": "top left"}, commands + "unset multiplot\n")


def throughput(rows, path):
    sizes = sorted((int(row["plot"].split()[1]), row) for row in rows
                   if row["plot"].startswith("size "))
    producers = [(int(row["plot"].split()[0]), row) for row in rows
                 if row["plot"].endswith(("producer", "producers"))]
    ours = [(size, best_way(row["contenders"]["ours"], "per_s", True)) for size, row in sizes
            if "ours" in row["contenders"]]
    colour = STYLES["ours"][0]
    commands = "set multiplot layout 1,2\nset logscale xy\nset format y '%.0s%c'\n" \
               "set title 'pipelined puts against message size'\nset xlabel 'bytes a message'\n" \
               "set xtics ('64' 64,'256' 256,'1K' 1024,'4K' 4096,'16K' 16384,'64K' 65536," \
               "'256K' 262144,'1M' 1048576)\nset ylabel 'a second'\n"
    commands += plot([
        (f"'-' using 1:2 with linespoints lw 2 lc rgb '{colour}' pt 7 ps 0.8 title 'bytes'",
         "".join(f"{size} {median(runs, 'mb_per_s') * 1e6}\n" for size, runs in ours) + "e\n"),
        (f"'-' using 1:2 with linespoints lw 2 dt 2 lc rgb '{colour}' pt 6 ps 0.8 title 'messages'",
         "".join(f"{size} {median(runs, 'per_s')}\n" for size, runs in ours) + "e\n")])
    commands += "unset logscale y\nset yrange [0:*]\nset format y '%.0s%c'\n" \
                "set title 'synchronous puts against producers, 1 KiB'\n" \
                "set xlabel 'producers, each waiting for its message'\n" \
                "set ylabel 'messages a second'\nset xtics (1,8,64)\nset xrange [0.8:80]\n"
    lines = []
    for who in ("ours", "RocketMQ", "Redis"):
        points = []
        for count, row in producers:
            runs = best_way(row["contenders"].get(who, {}), "per_s", True)
            if runs:
                points.append((count, median(runs, "per_s")))
        if points:
            lines.append(line(points, who))
    draw(path, {"width": 1100, "height": 380, "key": "top left"},
         commands + plot(lines) + "unset multiplot\n")


def draw_all(results, folder):
    """The files that were drawn; says on standard error what could not be, and why."""
    if shutil.which("gnuplot") is None:
        print("bench: no plots: no gnuplot here", file=sys.stderr)
        return []
    rows = results["rows"]
    named = {row["plot"] for row in rows if "ours" in row["contenders"]}
    drawn = []
    if {"1 producer", "8 producers", "64 producers"} <= named:
        latency(rows, folder / "latency.svg")
        drawn.append(folder / "latency.svg")
        if any(name.startswith("size ") for name in named):
            throughput(rows, folder / "throughput.svg")
            drawn.append(folder / "throughput.svg")
    return drawn


if __name__ == "__main__":
    draw_all(json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2]))
