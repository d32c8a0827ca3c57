#!/usr/bin/env python3
"""Checks what an operator installs: the systemd unit (by systemd-analyze, where it is), that a stop has the time that
the program takes for it, and that the container file names nothing that is not there.

usage: packaging_test.py SNUG
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UNIT = ROOT / "packaging" / "snug.service"
MOST_EXPOSURE = 20  # of 100 by `systemd-analyze security`; "OK" begins below 50

problems: list[str] = []


def check(condition: bool, text: str) -> None:
    if not condition:
        problems.append(text)


def settings(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        if "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def check_unit(snug: str) -> None:
    text = UNIT.read_text()
    unit = settings(text)
    serve = (ROOT / "apps/snug/serve_command.cc").read_text()
    grace = int(re.search(r"kStopGrace\{(\d+)\}", serve)[1]) / 1000
    stop = float(unit["TimeoutStopSec"][0])
    check(stop >= grace + 30, f"TimeoutStopSec={stop:g} is too short for a grace of {grace:g} s and the checkpoints")
    check(unit["Type"] == ["notify"], "the unit does not wait for readiness")
    check(unit["ExecStart"] == ["/usr/bin/snug serve"], "the unit does not start `snug serve`")
    if not shutil.which("systemd-analyze"):
        print("packaging_test: systemd-analyze is not here, the unit is not verified")
        return
    with tempfile.TemporaryDirectory() as folder:
        # The program where it is now: what is verified is that it can be started.
        copy = Path(folder) / "snug.service"
        copy.write_text(text.replace("/usr/bin/snug", snug))
        verified = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True)
        own = [line for line in verified.stderr.splitlines() if "snug" in line]
        check(not own, "systemd-analyze verify: " + "\n".join(own))
        rated = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSURE}", "--no-pager", str(copy)],
            capture_output=True, text=True)
        exposed = [line for line in rated.stdout.splitlines() if line.startswith(("\u2717", "\u2192"))]
        check(rated.returncode == 0, "systemd-analyze security: " + "\n".join(exposed) + rated.stderr)


def check_container() -> None:
    text = (ROOT / "Containerfile").read_text()
    joined = text.replace("\\\n", " ")
    usage = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
    for command in re.findall(r"\./dev (\S+)", re.sub(r"(?m)^#.*", "", text)):
        check(f"\n  {command} " in usage, f"the container file runs ./dev {command}, which there is not")
    for line in re.findall(r"(?m)^RUN (.*)", joined):
        parsed = subprocess.run(["sh", "-n", "-c", line], capture_output=True, text=True)
        check(parsed.returncode == 0, f"no shell reads `{line}`: {parsed.stderr}")
    health = json.loads(re.search(r"(?m)^HEALTHCHECK .*CMD (\[.*\])", joined)[1])
    parsed = subprocess.run([health[0], "-n", "-c", health[2]], capture_output=True, text=True)
    check(parsed.returncode == 0, f"no shell reads the health check: {parsed.stderr}")
    path = re.search(r"GET (\S+) HTTP", health[2])[1]
    routes = (ROOT / "src/server/native/system_routes.cc").read_text()
    check(f'"{path}"' in routes, f"the health check asks for {path}, which is no route")
    configuration = (ROOT / "src/base/configuration_list.cc").read_text()
    for name in re.findall(r"(SNUG_\w+)=", joined):
        check(f'"{name}"' in configuration, f"the container file sets {name}, which is no setting")
    users = re.findall(r"(?m)^USER (.*)", joined)
    check(bool(users) and not users[-1].startswith(("0", "root")), "the container runs as root")
    check(bool(re.search(r"(?m)^VOLUME ", joined)), "the container keeps its jobs in itself")


def main() -> int:
    check_unit(str(Path(sys.argv[1]).resolve()))
    check_container()
    for problem in problems:
        print(f"packaging_test: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
