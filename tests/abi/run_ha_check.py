#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: run_ha_check.py HA_CHECK PLUGIN MISUSE

The checking host must find exactly this one kind of misuse in the plugin.
"""
import subprocess
import sys

# What never comes is missed after so long; every other fault shows at once.
PATIENCE_MS = "300"


def main():
    checker, plugin, wanted = sys.argv[1:]
    result = subprocess.run([checker, plugin, PATIENCE_MS], capture_output=True, text=True)
    print(result.stdout, result.stderr)
    found = [line.split()[1].rstrip(":") for line in result.stdout.splitlines()
             if line.startswith("PLUGIN_MISUSE ")]
    if result.returncode != 1 or found != [wanted]:
        sys.exit(f"FAILED: exit {result.returncode} with {found}, not 1 with ['{wanted}']")


if __name__ == "__main__":
    main()
