#!/usr/bin/env python3
"""Exports what a service has kept, with the program as a user starts it: every form has the same jobs, as the readers
of Python's own library see them; no prompt is in any unless it is asked for; a file is there whole or not at all, on a
full disk and on Ctrl-C; a hundred thousand jobs need no more memory than a hundred.

usage: export_test.py SNUG
"""

import csv
import io
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True  # no folder of it beside the sources
from crash_test import Server, wait_for_all  # noqa: E402

PROMPT = 'a "quoted" castle, on a hill'
JOBS = 20_000
MOST_BYTES = 96 << 20  # resident, whatever the number of jobs


def fail(text: str) -> None:
    raise SystemExit(f"export_test: {text}")


def check(condition: bool, text: str) -> None:
    if not condition:
        fail(text)


class Exporter:
    def __init__(self, snug: str, folder: Path):
        self.snug, self.folder = snug, folder
        self.env = dict(os.environ, XDG_CONFIG_HOME=str(folder / "none"))

    def arguments(self, *flags: str) -> list[str]:
        return [self.snug, "export", "--data-folder", str(self.folder / "data"), *flags]

    def run(self, *flags: str, code: int = 0, **options) -> str:
        result = subprocess.run(self.arguments(*flags), env=self.env, stderr=subprocess.PIPE, text=True,
                                stdout=options.pop("stdout", subprocess.PIPE), **options)
        check(result.returncode == code, f"{flags} ended with {result.returncode}, not {code}: {result.stderr}")
        return result.stdout


def make_history(snug: str, folder: Path) -> None:
    server = Server(snug, folder)
    server.start()
    accepted = {}
    for seed in (1, 2, 1):
        request = {"prompt": PROMPT, "negative_prompt": "drizzle", "seed": seed, "steps": 2, "width": 64, "height": 64}
        status, body = server.call("POST", "/api/v1/jobs", request)
        check(status in (200, 202), f"a job was refused: {status} {body!r}")
        accepted[str(len(accepted))] = (json.loads(body)["id"], request)
        wait_for_all(server, accepted)
    server.stop()


def as_text(value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def check_forms(exporter: Exporter) -> None:
    records = json.loads(exporter.run())
    check([record["state"] for record in records] == ["done"] * 3, f"not the three jobs: {records}")
    check([record["cached"] for record in records] == [False, False, True], "the third was not from the cache")
    rows = list(csv.DictReader(io.StringIO(exporter.run("--format", "csv"), newline="")))
    check(len(rows) == 3 and list(rows[0]) == list(records[0]), "the columns of CSV are not those of JSON")
    for row, record in zip(rows, records):
        for name, value in record.items():
            same = float(row[name]) == value if isinstance(value, float) else row[name] == as_text(value)
            check(same, f"CSV has {row[name]!r} for {name}, JSON {value!r}")
    lines = exporter.run("--format", "elasticsearch").splitlines()
    check([json.loads(line)["index"]["_id"] for line in lines[::2]] == [r["id"] for r in records], "wrong documents")
    for line, record in zip(lines[1::2], records):
        document = json.loads(line)
        check(document.pop("@timestamp").endswith("Z") and document == record, f"not the record: {line}")
    check(len(exporter.run("--format", "influx").splitlines()) == 3, "not three points")
    traces = [json.loads(line) for line in exporter.run("--format", "otlp", "--details").splitlines()]
    spans = traces[0]["resourceSpans"][0]["scopeSpans"][0]["spans"]
    names = [span["name"] for span in spans]
    check(names[0] == "job" and "denoise" in names and len(traces) == 3, f"not the spans of a job: {names}")
    length = [int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) for span in spans]
    # The end is taken inside the store's transaction, which may wait for that of the samples.
    check(abs(sum(length[1:]) - length[0]) <= 0.01 * length[0] + 20e6, f"stages are not the job's time: {length}")


def check_prompts(exporter: Exporter) -> None:
    for form in ("json", "csv", "influx", "elasticsearch", "otlp"):
        text = exporter.run("--format", form, "--details")
        check(not any(word in text for word in ("castle", "quoted", "drizzle")), f"a prompt is in {form}")
        check("castle" in exporter.run("--format", form, "--prompts"), f"no prompt in {form}, which was asked for it")
    check(json.loads(exporter.run("--prompts"))[0]["prompt"] == PROMPT, "not the prompt")


def limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def multiply_history(folder: Path) -> None:
    database = sqlite3.connect(folder / "data" / "snug.sqlite")
    names = [row[1] for row in database.execute("PRAGMA table_info(run_record)")]
    values = ["printf('COPY%022d', n)" if name == "id" else name for name in names]
    database.execute(
        f"WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {JOBS}) "
        f"INSERT INTO run_record ({', '.join(names)}) SELECT {', '.join(values)} FROM number, "
        "(SELECT * FROM run_record LIMIT 1)")
    database.commit()
    database.close()


def check_whole_or_nothing(exporter: Exporter, folder: Path) -> None:
    target = folder / "out" / "runs.csv"
    target.parent.mkdir()
    target.write_text("what was there")
    exporter.run("--output", str(target), code=6, preexec_fn=limit_file_size)
    check(os.listdir(target.parent) == ["runs.csv"] and target.read_text() == "what was there", "a full disk left a part")
    with open("/dev/full", "w") as full:
        exporter.run(stdout=full, code=6)
    process = subprocess.Popen(exporter.arguments("--output", str(target)), env=exporter.env, stderr=subprocess.PIPE)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    code = process.wait(timeout=60)
    process.stderr.close()
    check(code in (130, -signal.SIGINT), f"Ctrl-C ended it with {code}")
    print(f"export_test: ended {1000 * (time.monotonic() - started):.0f} ms after Ctrl-C")
    check(os.listdir(target.parent) == ["runs.csv"] and target.read_text() == "what was there", "Ctrl-C left a part")
    reader = subprocess.Popen(exporter.arguments(), env=exporter.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    reader.stdout.read(1000)
    reader.stdout.close()
    errors = reader.stderr.read()
    reader.stderr.close()
    check(reader.wait(timeout=60) == 0 and not errors, f"a reader that goes away is an error: {errors!r}")


def check_size(exporter: Exporter, folder: Path) -> None:
    for form in ("json", "csv", "influx", "elasticsearch", "otlp"):
        target = folder / f"all.{form}"
        started = time.monotonic()
        process = subprocess.Popen(exporter.arguments("--format", form, "--output", str(target)), env=exporter.env,
                                   stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        check(process.returncode == 0, f"{form} ended with {process.returncode}")
        peak = used.ru_maxrss * 1024
        print(f"export_test: {form}: {JOBS} jobs, {target.stat().st_size / 2**20:.0f} MiB in "
              f"{time.monotonic() - started:.1f} s, {peak / 2**20:.0f} MiB resident")
        check(peak < MOST_BYTES, f"{form} took {peak} bytes of memory")
        with target.open() as lines:
            count = sum(1 for _ in lines)
        expected = {"json": JOBS + 5, "csv": JOBS + 4, "elasticsearch": 2 * JOBS + 6}.get(form, JOBS + 3)
        check(count == expected, f"{form} has {count} lines, not {expected}")
        target.unlink()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="snug-export-") as name:
        folder = Path(name)
        exporter = Exporter(sys.argv[1], folder)
        make_history(sys.argv[1], folder)
        check_forms(exporter)
        check_prompts(exporter)
        multiply_history(folder)
        check_whole_or_nothing(exporter, folder)
        check_size(exporter, folder)


if __name__ == "__main__":
    main()
