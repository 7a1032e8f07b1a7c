#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the path of promtool, fetching it when it is not there yet.
#
# Debian has promtool in the package `prometheus`, which would also start a server; so the package is
# only downloaded and unpacked, into .cache/tools under the source root, and found there next time.
# Exits non-zero with one line on standard error when it cannot be had.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
tools="$root/.cache/tools"
promtool="$tools/promtool"

if found="$(command -v promtool)"; then
  echo "$found"
  exit 0
fi
if [[ -x "$promtool" ]]; then
  echo "$promtool"
  exit 0
fi

mkdir -p "$tools"
work="$(mktemp -d "$tools/promtool.XXXXXX")"
trap 'rm -rf "$work"' EXIT
# apt drops to a user of its own for downloads, who cannot write here: it says so and goes on as root.
chmod 755 "$work"
cd "$work"
if ! apt-get download prometheus >log 2>&1; then
  echo "get_promtool: 'apt-get download prometheus' failed: $(grep -m1 '^E:' log || tail -n1 log)" \
    "(run 'apt-get update', or put promtool on the PATH)" >&2
  exit 1
fi
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
# A rename, so that two runs at once never see half a file.
mv usr/bin/promtool "$promtool"
echo "$promtool"
