"""`snug advise` and `snug optimize` as users start them: what they print, the report against its schema, exit
codes, and that Ctrl-C leaves the configuration as it was.

usage: optimize_test.py PROGRAM
"""

import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

PROGRAM = sys.argv[1]
SCHEMA = json.loads(
    (pathlib.Path(__file__).parent.parent / "docs" / "optimize-report.schema.json").read_text(encoding="utf-8"))
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def fault(value, schema, place="$"):
    """The first place where `value` is not as `schema` says; the part of JSON Schema that ours uses."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if "const" in schema and value != schema["const"]:
        return f"{place} is {value!r}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{place} is {value!r}"
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(isinstance(value, TYPES[t]) and not (t in ("integer", "number") and value is True) for t in types):
        return f"{place} is {value!r}, not {types}"
    if "minimum" in schema and value < schema["minimum"] or "maximum" in schema and value > schema["maximum"]:
        return f"{place} is {value!r}"
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            found = fault(item, schema["items"], f"{place}[{number}]")
            if found:
                return found
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                return f"{place} lacks {name}"
        for name, item in value.items():
            if name in schema.get("properties", {}):
                found = fault(item, schema["properties"][name], f"{place}.{name}")
                if found:
                    return found
            elif schema.get("additionalProperties") is False:
                return f"{place} has {name}"
    return None


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


class Place:
    """A home of its own, with a configuration."""

    def __init__(self, folder, configuration):
        self.folder = pathlib.Path(folder)
        self.file = self.folder / "config.toml"
        self.file.write_text(configuration, encoding="utf-8")
        self.environment = {
            "HOME": folder,
            "PATH": "/usr/bin:/bin",
            "XDG_CACHE_HOME": folder + "/cache",
            "XDG_DATA_HOME": folder + "/data",
            "SNUG_CONFIG": str(self.file),
        }

    def run(self, *arguments, code=0):
        done = subprocess.run([PROGRAM, *arguments], env=self.environment, cwd=self.folder, capture_output=True,
                              text=True, timeout=300, check=False)
        check(done.returncode == code, f"{arguments} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout


def test_without_jobs(place):
    advice = json.loads(place.run("advise", "--json"))
    check(advice["advice"] == [] and "0 jobs" in advice["reason"], advice)
    check("no advice" in place.run("advise"), "text without jobs")
    place.run("advise", "--hours", "169", code=2)
    place.run("advise", "--apply", "threads-2", code=3)
    report = json.loads(place.run("optimize", "--analyze", "--json"))
    check(fault(report, SCHEMA) is None, fault(report, SCHEMA))
    check(report["benchmark"] is None and report["analysis"]["jobs"] == 0, report)
    place.run("optimize", code=2)
    place.run("optimize", "--benchmark", "--weights", "speed=1", code=2)
    place.run("optimize", "--full-report", "report.txt", code=2)


def test_report(place):
    for name in ("report.json", "report.md", "report.html"):
        arguments = ["optimize", "--benchmark", "--time-limit", "4", "--full-report", name,
                     "--weights", "time=1,memory=1"]
        text = place.run(*arguments)
        check("weights: time 0.50, memory 0.50" in text, text)
        check("present" in text and "Pareto" in text, text)
    report = json.loads((place.folder / "report.json").read_text(encoding="utf-8"))
    check(fault(report, SCHEMA) is None, fault(report, SCHEMA))
    variants = report["benchmark"]["variants"]
    check(variants[0]["name"] == "present" and variants[0]["samples_seconds"], variants[0])
    check(any(v["pareto"] for v in variants) and sum(v["wins"] for v in variants) == 1, variants)
    broken = json.loads(json.dumps(report))
    broken["benchmark"]["variants"][0]["score"] = "low"
    check(fault(broken, SCHEMA) is not None, "the schema refuses what is wrong")
    markdown = (place.folder / "report.md").read_text(encoding="utf-8")
    check("| present |" in markdown and "## Benchmark" in markdown, markdown)
    page = (place.folder / "report.html").read_text(encoding="utf-8")
    check("<svg" in page and "<circle" in page and "<script" not in page and "src=" not in page, page)
    # A folder that is not there is a failure, whatever the error's own code.
    place.run("optimize", "--benchmark", "--time-limit", "1", "--full-report", "absent/report.json", code=1)


def test_stop(place):
    before = place.file.read_bytes()
    process = subprocess.Popen([PROGRAM, "optimize", "--optimize", "--time-limit", "300"], env=place.environment,
                               cwd=place.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    code = process.wait(timeout=60)
    check(code == 130, f"stopped with {code}: {process.stderr.read()}")
    check(place.file.read_bytes() == before, "the configuration was changed")


def main():
    with tempfile.TemporaryDirectory() as folder:
        test_without_jobs(Place(folder, ""))
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder, "# mine\nthreads = 1\n")
        test_report(place)
        test_stop(place)


main()
