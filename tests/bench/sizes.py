# SPDX-License-Identifier: Apache-2.0
"""Whether throughput has a cliff: bytes/s must not fall as messages grow, nor messages/s as they
shrink. Looks at the rows that plot a size; leaves out who is not ours."""

NOISE = .9  # of what it was is not yet a fall


def cliffs(row_results):
    """[(text, met)] for both directions; nothing when fewer than two sizes were measured."""
    sizes = sorted((int(one.row.plot.split()[1]), one) for one in row_results
                   if one.row.plot.startswith("size ") and "ours" in one.results)
    if len(sizes) < 2:
        return []
    return [monotone("MB/s as messages grow", "mb_per_s", sizes),
            monotone("messages/s as they shrink", "per_s", sizes[::-1])]


def monotone(what, key, sizes):
    falls = []
    best, best_at = 0, 0
    for size, one in sizes:
        measure = next(m for m in one.row.measures if m.key == key)
        value = one.best("ours", measure).median(key)
        if value < NOISE * best:
            falls.append(f"{value / best:.2f} x from {best_at} B to {size} B")
        if value > best:
            best, best_at = value, size
    return (f"no fall of {what}: " + ("; ".join(falls) + ": NOT MET" if falls else "met"),
            not falls)
