#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What machines can say about the manner of the code: formatting, the direction of includes, words,
# leftovers, and clang-tidy over every .cc of the product. With --diff REV clang-tidy looks at those that
# changed since REV, and without its analyzer, which takes a third of the time.
set -euo pipefail
cd "$(dirname "$0")/../.."
failed=0
complain() { echo "lint: $*" >&2; failed=1; }

mapfile -t sources < <(git ls-files '*.h' '*.hpp' '*.cc' '*.c')
clang-format --dry-run --Werror "${sources[@]}" || complain "formatting: clang-format -i FILES fixes it"

tests/lint/layers.py . >&2 || complain "layers"

hits=$(git grep -nwE 'TODO|FIXME|XXX|HACK' -- '*.h' '*.hpp' '*.cc' '*.c' '*.sh' ':!tests/lint' || true)
[ -z "$hits" ] || complain "left for later"$'\n'"$hits"

tests/lint/words.py . >&2 || complain "words: tests/lint/words.txt says what to write instead"
tests/lint/words.py --licence . >&2 || complain "licences"

checks=
if [ "${1:-}" = --diff ]; then
  checks=--checks=-clang-analyzer-*
  mapfile -t units < <(git diff --name-only --diff-filter=d "${2:?--diff takes a revision}" -- \
    'ha_plugin/*.cc' 'metrics/*.cc' 'host_stub/*.cc' 'hosts/*.cc')
else
  mapfile -t units < <(git ls-files 'ha_plugin/*.cc' 'metrics/*.cc' 'host_stub/*.cc' 'hosts/*.cc')
fi
# Files that only compile a library's sources are not ours to judge.
[ ${#units[@]} -eq 0 ] || mapfile -t units < <(grep -LE 'impl/src.hpp|json/src.hpp|url/src.hpp' "${units[@]}" || true)
if [ ${#units[@]} -gt 0 ]; then
  printf '%s\n' "${units[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy -p build --quiet $checks --extra-arg=-Wno-unknown-warning-option 2>/dev/null ||
    complain "clang-tidy"
fi
[ "$failed" = 0 ] && echo "lint: clean" >&2
exit "$failed"
