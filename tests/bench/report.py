# SPDX-License-Identifier: Apache-2.0
"""The table for people and the JSON for machines."""
import json
import platform
import time

import sizes

COLUMNS = ("limit", "RocketMQ", "Redis")


def figure(value):
    """Three digits that count."""
    if value is None:
        return "-"
    if abs(value) >= 1e6:
        return f"{value / 1e6:.2f}M"
    if abs(value) >= 1e4:
        return f"{value / 1e3:.1f}k"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"


def spread(result, key):
    if result is None:
        return "-"
    values = result.values(key)
    if len(values) == 1:
        return figure(values[0])
    return f"{figure(result.median(key))} ({figure(min(values))}..{figure(max(values))})"


def compare(row_result, measure):
    """[(text, met or None)] for each aim, and a plain ratio for peers without one. Of a growth first
    what it was fitted to."""
    lines = compare_figure(row_result, measure)
    ours = row_result.best("ours", measure)
    if measure.points and ours:
        points = ", ".join(f"{figure(ours.median(key))} at {n:,}" for n, key in measure.points.items())
        lines = [(f"{points}; {text}", met) for text, met in lines] or [(points, None)]
    return lines


def compare_figure(row_result, measure):
    ours = row_result.best("ours", measure)
    if ours is None:
        return [("; ".join(f"{who}: {why}" for who, why in row_result.missing.items()
                           if who == "ours"), None)]
    mine = ours.median(measure.key)
    lines = []
    aimed = set()
    for aim in measure.aims:
        aimed.add(aim.against)
        theirs = None
        if aim.against:
            best = row_result.best(aim.against, measure)
            if best is None:
                why = row_result.missing.get(aim.against, "not run")
                lines.append((f"{aim}: {why}", None))
                continue
            theirs = best.median(measure.key)
        met = aim.met(mine, theirs)
        ratio = f"{mine / theirs:.2f} x {aim.against}, aim {aim.sign} {aim.factor:g}" \
            if aim.against and theirs else f"aim {aim}"
        lines.append((f"{ratio}: {'met' if met else 'NOT MET'}", met))
    for who in row_result.results:
        best = row_result.best(who, measure)
        if who == "ours" or who in aimed or best is None or not best.median(measure.key):
            continue
        lines.append((f"{mine / best.median(measure.key):.2f} x {who}", None))
    return lines


def way_of(result):
    return f" [{result.way}]" if result is not None and result.way else ""


def table(row_results):
    lines = [f"{'row':<36} {'ours: median (min..max)':<26} "
             + " ".join(f"{name:<26}" for name in COLUMNS) + " against"]
    for one in row_results:
        lines.append(one.row.name)
        for measure in one.row.measures:
            cells = [spread(one.best(who, measure), measure.key) for who in ("ours", *COLUMNS)]
            notes = compare(one, measure) or [("", None)]
            lines.append(f"  {measure.unit:<34} " + " ".join(f"{cell:<26}" for cell in cells)
                         + " " + notes[0][0])
            lines += [" " * 145 + note for note, _ in notes[1:]]
        first = one.row.measures[0]
        for who, ways in one.results.items():
            if len(ways) < 2 and who in ("ours", *COLUMNS):
                continue
            for way in ways.values():
                lines.append(f"    {who + way_of(way):<32} {spread(way, first.key):<26} {first.unit}")
        for who, why in one.missing.items():
            lines.append(f"    {who} is missing: {why}")
    lines += [text for text, _ in sizes.cliffs(row_results)]
    return "\n".join(line.rstrip() for line in lines)


def markdown(row_results):
    """The table for a README: medians, a line for each figure that there is an aim for."""
    lines = ["| row | figure | ours | limit | RocketMQ | Redis | against |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for one in row_results:
        for measure in one.row.measures:
            if not measure.aims:
                continue
            best = [one.best(who, measure) for who in ("ours", *COLUMNS)]
            cells = [figure(result.median(measure.key)) if result else "-" for result in best]
            notes = "; ".join(note for note, met in compare(one, measure) if met is not None)
            lines.append(f"| {one.row.name} | {measure.unit} | " + " | ".join(cells) + f" | {notes} |")
    return "\n".join(lines + [f"| message sizes | | | | | | {text} |"
                              for text, _ in sizes.cliffs(row_results)]) + "\n"


def verdict(row_results):
    met = [flag for one in row_results for measure in one.row.measures
           for _, flag in compare(one, measure) if flag is not None]
    met += [flag for _, flag in sizes.cliffs(row_results)]
    return f"{sum(met)} of {len(met)} aims met"


def document(row_results, settings, machine):
    rows = []
    for one in row_results:
        rows.append({
            "name": one.row.name,
            "plot": one.row.plot,
            "contenders": {who: {way or "default": result.runs for way, result in ways.items()}
                           for who, ways in one.results.items()},
            "missing": one.missing,
            "took_s": one.took_s,
            "aims": [{"measure": measure.key, "text": text, "met": met}
                     for measure in one.row.measures for text, met in compare(one, measure)],
        })
    return {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "quick": settings.quick,
            "rounds": settings.rounds, "kernel": platform.release(), **machine, "rows": rows,
            "cliffs": [{"text": text, "met": met} for text, met in sizes.cliffs(row_results)]}


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")
