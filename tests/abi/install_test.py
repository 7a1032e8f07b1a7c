#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: install_test.py CMAKE BUILD_DIR HOST_PROJECT
       install_test.py CMAKE --sources ROOT HOST_PROJECT

Installs the build into a temporary prefix, then configures, builds and runs a project that knows
nothing but that prefix: by CMake's package, and its host in C by pkg-config too. With --sources the
project has this one as a part of its own tree; only its host in C is built, which takes the headers.
"""
import pathlib
import shlex
import shutil
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


def refused_by_name(host):
    if "lacks the required member 'bounds'" not in run(host):
        sys.exit("FAILED: the C host was not refused by name")


def as_a_package(cmake, build, project, scratch):
    prefix = scratch / "usr with space"
    run(cmake, "--install", build, "--prefix", prefix)
    for wanted in ("include/ha/plugin.h", "include/ha/loader.hpp", "include/ha/ext/segment_fd.h",
                   "lib*/**/libha_plugin.so", "lib*/**/ha_pluginConfig.cmake",
                   "lib*/**/ha_pluginConfigVersion.cmake", "lib*/**/ha_plugin.pc", "bin/ha_stub"):
        if not list(prefix.glob(wanted)):
            sys.exit(f"FAILED: {wanted} was not installed; there are "
                     f"{[str(p.relative_to(prefix)) for p in prefix.rglob('*') if p.is_file()]}")
    out = scratch / "build"
    run(cmake, "-S", project, "-B", out, f"-DCMAKE_PREFIX_PATH={prefix}")
    run(cmake, "--build", out)
    refused_by_name(out / "c_host")
    if "listens on 127.0.0.1:" not in run(out / "cpp_host"):
        sys.exit("FAILED: the C++ host did not start the plugin")

    if shutil.which("pkg-config") is None:
        print("pkg-config is not here: its file was not tried")
        return
    package = next(prefix.glob("lib*/**/ha_plugin.pc")).parent
    asked = ["env", f"PKG_CONFIG_PATH={package}", "pkg-config", "ha_plugin"]
    plugin, = shlex.split(run(*asked, "--variable=plugin"))
    flags = shlex.split(run(*asked, "--cflags"))
    run("cc", *flags, f'-DPLUGIN="{plugin}"', pathlib.Path(project) / "c_host.c", "-ldl", "-o", scratch / "pc_host")
    refused_by_name(scratch / "pc_host")


def as_a_part(cmake, sources, project, scratch):
    run(cmake, "-S", project, "-B", scratch, f"-DHA_SOURCES={sources}")
    run(cmake, "--build", scratch, "--target", "c_host")


def main():
    cmake, *what, project = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="ha_install_") as scratch:
        if what[0] == "--sources":
            as_a_part(cmake, what[1], project, pathlib.Path(scratch))
        else:
            as_a_package(cmake, what[0], project, pathlib.Path(scratch))


if __name__ == "__main__":
    main()
