#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What people read is in plain English: words.txt lists what is not, and what to write instead.

words.py ROOT [PATH...]: looks through the string literals of the product, the comments of the public
headers, every Markdown file and the names of the tests; with PATHs, only in files that begin so.
words.py --licence ROOT: every source file has its SPDX line.
"""
import pathlib
import re
import sys

PRODUCT = ("ha_plugin/", "host_stub/", "hosts/", "metrics/", "plugin_api/")
CODE = (".c", ".cc", ".h", ".hpp")
TOKEN = re.compile(r"""
    (?P<comment>//[^\n]*|/\*.*?\*/)
  | R"(?P<end>[^()\s]*)\((?P<raw>.*?)\)(?P=end)" | "(?P<literal>(?:\\.|[^"\\\n])*)"
  | (?P<space>\s+) | (?P<other>^[ ]*\#[ ]*include[^\n]*|'(?:\\.|[^'\\\n])+'|\w+|.)""", re.X | re.S | re.M)
TEST = re.compile(r"^TEST(?:_[FP])?\(\s*(\w+,\s*\w+)|\bNAME (\w+\.\w+)|^\w*_test\((\w+)", re.M)
HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def readable(path, text):
    """The text with everything but what people read blanked out, its lines where they were."""
    if path.endswith(".md"):
        return text
    if path.startswith("tests/"):
        return "\n".join(" ".join(HUMPS.sub(" ", name).replace("_", " ") for found in TEST.findall(line)
                                  for name in found) + "\0" for line in text.splitlines())
    kept = []
    for token in TOKEN.finditer(text):
        if token["comment"] and path.startswith("plugin_api/include/"):
            kept.append(re.sub(r"^\s*(//|/?\*+/?)|\*/", blank, token["comment"], flags=re.M))
        elif token["raw"] is not None or token["literal"] is not None:
            kept.append(re.sub(r"\\.|\"", "  ", token[0]))
        elif token["other"]:
            kept.append("\0" * len(token["other"]))
        else:
            kept.append(blank(token))
    return "".join(kept)


def rules_and_exceptions():
    rules, kept = [], {}
    for line in pathlib.Path(__file__).with_name("words.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            left, right = (part.strip() for part in line.split("=>"))
            if left.startswith("keep "):
                kept[tuple(left[5:].split(": ", 1))] = 0
            else:
                # Where a line ends is no difference.
                rules.append((re.compile(rf"(?<!\w)(?:{left})(?!\w)".replace(" ", r"\s+"), re.I), right))
    return rules, kept


def files(root):
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_file() and not name.startswith(("build", ".git/", ".cache/")):
            yield name, path


def words(root, wanted):
    rules, kept = rules_and_exceptions()
    found = looked = 0
    for name, path in files(root):
        code = name.endswith(CODE) and name.startswith((*PRODUCT, "tests/"))
        if not (code or name.endswith((".md", "CMakeLists.txt"))) or not name.startswith(wanted or ("",)):
            continue
        text = readable(name, path.read_text())
        looked += bool(text.strip("\0 \n"))
        for rule, instead in rules:
            for match in rule.finditer(text):
                around = " ".join(text[max(0, match.start() - 50):match.end() + 50].split("\0")).strip()
                exception = next((key for key in kept if key[0] == name and key[1] in " ".join(around.split())), None)
                if exception:
                    kept[exception] += 1
                    continue
                found += 1
                print(f"{name}:{text.count(chr(10), 0, match.start()) + 1}: '{' '.join(match[0].split())}'"
                      f" (write: {instead}) in: ...{' '.join(around.split())}...")
    stale = [] if wanted else [": ".join(key) for key, uses in kept.items() if not uses]
    print(*(f"words.txt: nothing needs 'keep {key}'" for key in stale), f"{looked} files, {found} found", sep="\n")
    return bool(found or stale or not looked)


def licence(root):
    sources = [(name, path.read_text()[:300]) for name, path in files(root)
               if name.endswith((*CODE, ".py", ".sh", ".java")) or name in ("run", ".ci/run")]
    bare = [name for name, head in sources if "SPDX-License-Identifier: Apache-2.0" not in head]
    print(*(f"{name}: no SPDX line" for name in bare), f"{len(sources)} sources", sep="\n")
    return bool(bare or not sources)


if __name__ == "__main__":
    if sys.argv[1] == "--licence":
        sys.exit(licence(pathlib.Path(sys.argv[2]).resolve()))
    sys.exit(words(pathlib.Path(sys.argv[1]).resolve(), tuple(sys.argv[2:])))
