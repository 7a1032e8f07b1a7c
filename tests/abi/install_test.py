#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: install_test.py CMAKE BUILD_DIR HOST_PROJECT

Installs the build into a temporary prefix, then configures, builds and runs a project that knows
nothing but that prefix.
"""
import pathlib
import subprocess
import sys
import tempfile


def run(*command, cwd=None):
    result = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    print("$", *command)
    print(result.stdout[-4000:], result.stderr[-4000:])
    if result.returncode != 0:
        sys.exit(f"FAILED: exit {result.returncode}")
    return result.stdout


def main():
    cmake, build, project = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="ha_install_") as scratch:
        prefix = pathlib.Path(scratch) / "usr with space"
        run(cmake, "--install", build, "--prefix", prefix)
        for wanted in ("include/ha/plugin.h", "include/ha/loader.hpp", "include/ha/ext/segment_fd.h",
                       "lib*/**/libha_plugin.so", "lib*/**/ha_pluginConfig.cmake",
                       "lib*/**/ha_pluginConfigVersion.cmake", "bin/ha_stub"):
            if not list(prefix.glob(wanted)):
                sys.exit(f"FAILED: {wanted} was not installed; there are "
                         f"{[str(p.relative_to(prefix)) for p in prefix.rglob('*') if p.is_file()]}")
        out = pathlib.Path(scratch) / "build"
        run(cmake, "-S", project, "-B", out, f"-DCMAKE_PREFIX_PATH={prefix}")
        run(cmake, "--build", out)
        if "lacks the required member 'bounds'" not in run(out / "c_host"):
            sys.exit("FAILED: the C host was not refused by name")
        if "listens on 127.0.0.1:" not in run(out / "cpp_host"):
            sys.exit("FAILED: the C++ host did not start the plugin")


if __name__ == "__main__":
    main()
