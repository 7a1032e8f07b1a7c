#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the Markdown files name as a path of this repository exists.

readme_paths.py ROOT: a word in backticks or a link is taken for such a path when it ends like a file
of ours or in a slash, or begins with a folder or file that stands beside the document or in ROOT.
"""
import pathlib
import re
import sys

PATH = re.compile(r"(\.\./)*[\w*][\w.*-]*(/[\w.*-]+)*/?")
FILE = re.compile(r"\.(md|h|hpp|c|cc|py|sh|golden|txt)$")
FOREIGN = {"stdint.h", "stddef.h"}
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b(?!\.md|\.txt)")  # DIR/lock


def names(text):
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    return re.findall(r"`([^`\n]+)`", text) + re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)


def main(root):
    documents = [path for path in root.rglob("*.md")
                 if path.relative_to(root).parts[0] not in ("build", ".git", ".cache")]
    checked = 0
    missing = []
    for document in documents:
        include = root / "plugin_api/include"  # what a host says after #include
        places = [document.parent, root, include, include / "ha"]
        for name in names(document.read_text()):
            if not PATH.fullmatch(name) or PLACEHOLDER.search(name) or name in FOREIGN:
                continue
            first = name.split("/")[0]
            begins = "/" in name and any((place / first).exists() for place in places[:2])
            if not (begins or FILE.search(name) or name.endswith("/")) or first == "build":
                continue
            checked += 1
            if not any(list(place.glob(name)) for place in places):
                missing.append(f"{document.relative_to(root)}: `{name}` does not exist")
    print(*missing, f"{len(documents)} documents, {checked} paths", sep="\n")
    return 1 if missing or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
