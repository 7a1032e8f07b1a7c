#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles ha-rocketmq.jar against RocketMQ's own jars from Maven Central, into build/rocketmq_host,
# and puts the two libraries of build/ beside it. A jar that is newer than its sources is left alone.
#
# Prints nothing and succeeds, or prints one line that says what is missing and fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
for program in javac mvn; do
  command -v "$program" >/dev/null || { echo "no $program on this machine"; exit 1; }
done
to=$PWD/build/rocketmq_host
mkdir -p "$to"
if [ ! -e "$to/ha-rocketmq.jar" ] ||
   [ -n "$(find hosts/rocketmq/java hosts/rocketmq/resources -newer "$to/ha-rocketmq.jar" -type f)" ]; then
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  done_it=
  for _ in 1 2 3; do # a registry may be busy
    if mvn -B -q -ntp -f hosts/rocketmq/java/pom.xml "-Dbuild.dir=$to/maven" package >"$log" 2>&1
    then done_it=yes; break; fi
  done
  [ -n "$done_it" ] || { echo "Maven could not make ha-rocketmq.jar: $(grep -m1 ERROR "$log" | cut -c1-300)"; exit 1; }
  cp "$to/maven/ha-rocketmq.jar" "$to/ha-rocketmq.jar"
fi
for library in libha_plugin.so libha_rocketmq.so; do
  [ -e "build/$library" ] || { echo "no build/$library"; exit 1; }
  ln -sf "../$library" "$to/$library"
done
