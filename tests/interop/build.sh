#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fetches RocketMQ from Maven Central and compiles the driver, once for each version, into
# build/interop/VERSION/{classpath,classes}. What is there already is left alone.
#
# Prints nothing and succeeds, or prints one line that says what is missing and fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
versions=$(sed -n 's/.*versions: //p' tests/interop/versions.h)
for program in java mvn; do
  command -v "$program" >/dev/null || { echo "no $program on this machine"; exit 1; }
done
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for version in $versions; do
  to=$PWD/build/interop/$version
  [ "$to/classpath" -nt tests/interop/java/pom.xml ] &&
    [ -z "$(find tests/interop/java/src -newer "$to/classpath" -type f)" ] && continue
  profile=
  [[ $version == 5.* ]] && profile=-P5
  done_it=
  for _ in 1 2 3; do # a registry may be busy
    if mvn -B -q -ntp -f tests/interop/java/pom.xml "-Drocketmq.version=$version" "-Dbuild.dir=$to" \
      $profile compile dependency:build-classpath "-Dmdep.outputFile=$to/classpath.new" >"$log" 2>&1
    then done_it=yes; break; fi
  done
  [ -n "$done_it" ] || { echo "Maven could not get RocketMQ $version: $(grep -m1 ERROR "$log" | cut -c1-300)"; exit 1; }
  mv "$to/classpath.new" "$to/classpath"
done
