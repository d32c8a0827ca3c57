#!/usr/bin/env python3
"""The commands that look at a service: `snug monitor` on a terminal of 80 columns and 24 lines, drawn in place
on the alternate screen, which Ctrl-C, SIGTERM and the key q leave as it was; in a pipe plain lines without
escape codes. And what status, history and report print with --json is what the API of the running service
answers, over the same database.

usage: monitor_test.py SNUG
"""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

sys.dont_write_bytecode = True  # no folder of it beside the sources
from crash_test import Server  # noqa: E402

COLUMNS, ROWS = 80, 24
ENTER, LEAVE, HIDE, SHOW = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25l", b"\x1b[?25h"
REQUEST = {"prompt": "a castle on a hill", "seed": 5, "steps": 4, "width": 64, "height": 64, "sampler": "euler"}


def check(condition, text: str) -> None:
    if not condition:
        raise SystemExit(f"monitor_test: {text}")


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, arguments, environment=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.slave = slave  # stays open, so that its mode can be looked at afterwards
        self.before = termios.tcgetattr(slave)
        self.text = b""

        def on_this_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(arguments, stdin=slave, stdout=slave, stderr=slave, close_fds=True,
                                        preexec_fn=on_this_terminal,
                                        env={**os.environ, "TERM": "xterm-256color", **(environment or {})})

    def read(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                return
            try:
                self.text += os.read(self.master, 65536)
            except OSError:
                return

    def read_until(self, found, what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not found(self.text):
            check(time.monotonic() < deadline, f"waited in vain: {what}; the terminal has {self.text[-2000:]!r}")
            check(self.process.poll() is None, f"ended before {what}: {self.text[-2000:]!r}")
            self.read(0.05)

    def end(self) -> int:
        deadline = time.monotonic() + 30
        while self.process.poll() is None:
            check(time.monotonic() < deadline, "does not end")
            self.read(0.05)
        self.read(0.2)
        return self.process.returncode

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)


def frames(text: bytes):
    """What stood in the window each time: the lines, without codes."""
    for frame in text.split(b"\x1b[H")[1:]:
        plain = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", frame)
        yield [line.rstrip("\r") for line in plain.decode("utf-8", "replace").split("\n")]


def check_left_as_it_was(terminal: Terminal, how: str) -> None:
    text = terminal.text
    check(text.count(ENTER) == text.count(LEAVE) > 0, f"{how}: the alternate screen is not left: {text[-300:]!r}")
    check(text.rfind(SHOW) > text.rfind(HIDE) >= 0, f"{how}: the cursor stays hidden")
    check(text.rfind(LEAVE) > text.rfind(b"\x1b[H"), f"{how}: something was drawn after the end")
    check(text.endswith(LEAVE), f"{how}: more was written after the end: {text[-200:]!r}")
    check(termios.tcgetattr(terminal.slave) == terminal.before, f"{how}: the keyboard's mode is another")


def monitor_on_a_terminal(snug: str, folder: list) -> None:
    ends = {"Ctrl-C": (lambda t: os.write(t.master, b"\x03"), 130),
            "SIGTERM": (lambda t: t.process.send_signal(signal.SIGTERM), 130),
            "SIGHUP": (lambda t: t.process.send_signal(signal.SIGHUP), 130),
            "the key q": (lambda t: os.write(t.master, b"q"), 0)}
    for how, (end, code) in ends.items():
        terminal = Terminal([snug, "monitor", "--interval", "200ms", *folder])
        terminal.read_until(lambda text: text.count(b"\x1b[H") >= 3, "three moments")
        end(terminal)
        ended = terminal.end()
        check(ended == code, f"{how}: the exit code is {ended}, not {code}: {terminal.text[-500:]!r}")
        check_left_as_it_was(terminal, how)
        seen = list(frames(terminal.text))
        check(len(seen) >= 3, "draws once only")
        for lines in seen:
            check(len(lines) <= ROWS, f"{len(lines)} lines in a window of {ROWS}: {lines}")
            check(all(len(line) <= COLUMNS for line in lines), f"a line is wider than the window: {lines}")
        whole = "\n".join(seen[-1])
        for word in ("snug monitor", "cpu", "memory", "queue", "last jobs", "took", "peak"):
            check(word in whole, f"'{word}' is not in the window: {whole}")
        terminal.close()


def monitor_is_suspended(snug: str, folder: list) -> None:
    terminal = Terminal([snug, "monitor", "--interval", "200ms", *folder])
    terminal.read_until(lambda text: b"\x1b[H" in text, "a moment")
    terminal.process.send_signal(signal.SIGTSTP)
    terminal.read_until(lambda text: text.endswith(LEAVE), "the screen is given back while it is suspended")
    check(termios.tcgetattr(terminal.slave) == terminal.before, "a suspended monitor keeps the keyboard")
    terminal.process.send_signal(signal.SIGCONT)
    drawn = len(terminal.text)
    terminal.read_until(lambda text: b"\x1b[H" in text[drawn:], "it is drawn again")
    os.write(terminal.master, b"q")
    check(terminal.end() == 0, "a continued monitor does not end well")
    check_left_as_it_was(terminal, "after a suspension")
    terminal.close()


def monitor_in_a_pipe(snug: str, folder: list) -> None:
    for more in ([], ["--json"]):
        process = subprocess.Popen([snug, "monitor", "--interval", "100ms", *folder, *more],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        check(process.returncode == 130, f"the exit code is {process.returncode}")
        check(err == b"", f"says {err!r}")
        check(b"\x1b" not in b"".join(lines) + out, f"escape codes in a pipe: {lines}")
        check(all(line.endswith(b"\n") for line in lines), f"no whole lines: {lines}")
        if more:
            check(all("cpu_usage_percent" in json.loads(line) for line in lines), f"no moments: {lines}")
    # Whoever reads may go away.
    process = subprocess.Popen([snug, "monitor", "--interval", "100ms", *folder], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    process.stdout.readline()
    process.stdout.close()
    check(process.wait(timeout=30) == 0, "a closed pipe is an error")
    process.stderr.close()
    once = subprocess.run([snug, "monitor", "--once", *folder], capture_output=True, timeout=60)
    check(once.returncode == 0 and b"\x1b" not in once.stdout and b"queue" in once.stdout, f"--once: {once}")
    for interval in ("1ms", "2h", "x", "5"):
        bad = subprocess.run([snug, "monitor", "--interval", interval, *folder], capture_output=True, timeout=60)
        check(bad.returncode == 2, f"an interval of {interval} gives exit code {bad.returncode}")


def same_as_the_api(snug: str, folder: list, server: Server) -> None:
    def api(path: str):
        status, body = server.call("GET", "/api/v1/performance/" + path)
        check(status == 200, f"{path} answers {status} {body!r}")
        return json.loads(body)["data"]

    def command(*arguments):
        done = subprocess.run([snug, *arguments, *folder, "--json"], capture_output=True, timeout=120, text=True)
        check(done.returncode == 0, f"{arguments}: {done.returncode} {done.stderr}")
        return json.loads(done.stdout)

    check(command("history") == api("metrics?limit=50"), "history is not what metrics answers")
    check(command("history", "--hours", "2", "--done", "--size", "64x64", "--limit", "2") ==
          api("metrics?time_window_hours=2&success_only=true&resolution=64x64&limit=2"),
          "history with filters is not what metrics answers")
    shown, answered = command("status"), api("status")
    for name in ("jobs", "last_jobs", "queue", "active", "active_tasks", "time_window_hours"):
        check(shown[name] == answered[name], f"status: '{name}' is {shown[name]}, the API says {answered[name]}")
    shown, answered = command("report", "--hours", "3"), api("report?time_window_hours=3")
    # What is of the moment at which it was asked, and what only a running service does.
    for name in ("time", "status", "resource_history", "alerts", "advice", "trends"):
        shown.pop(name, None)
        answered.pop(name, None)
    check(shown["jobs"]["totals"]["done"] >= 3, f"the jobs are not in the report: {shown['jobs']}")
    for name in {*shown, *answered}:
        check(shown.get(name) == answered.get(name),
              f"report: '{name}' is {shown.get(name)}, the API says {answered.get(name)}")


def reports(snug: str, folder: list, place: Path) -> None:
    for name, begin in (("a.md", "# Snug"), ("a.html", "<!doctype html>"), ("a.json", "{")):
        done = subprocess.run([snug, "report", "--output", str(place / name), *folder], capture_output=True,
                              timeout=120, text=True)
        check(done.returncode == 0, f"{name}: {done.stderr}")
        check((place / name).read_text().startswith(begin), f"{name} is no such document")
    done = subprocess.run([snug, "report", "--output", str(place / "a.pdf"), *folder], capture_output=True, timeout=60)
    check(done.returncode == 2 and not (place / "a.pdf").exists(), "a report is written as .pdf")
    done = subprocess.run([snug, "history", "--hours", "169", *folder], capture_output=True, timeout=60)
    check(done.returncode == 2, "169 hours are taken")


def main() -> None:
    snug = sys.argv[1]
    place = Path(tempfile.mkdtemp(prefix="snug-monitor-"))
    os.environ["XDG_CONFIG_HOME"] = str(place / "none")
    folder = ["--data-folder", str(place / "data")]
    server = Server(snug, place)
    try:
        server.start()
        for seed in range(3):
            status, body = server.call("POST", "/api/v1/jobs", {**REQUEST, "seed": seed})
            check(status == 202, f"the job was refused: {status} {body!r}")
            job = json.loads(body)["id"]
            deadline = time.monotonic() + 120
            while json.loads(server.call("GET", f"/api/v1/jobs/{job}")[1])["state"] != "done":
                check(time.monotonic() < deadline, "a job is not done")
                time.sleep(0.05)
        time.sleep(0.5)  # what is found out about them afterwards
        same_as_the_api(snug, folder, server)
        monitor_on_a_terminal(snug, folder)
        monitor_is_suspended(snug, folder)
        monitor_in_a_pipe(snug, folder)
        check(server.stop() == 0, "the service does not end well")
        server.process = None
        reports(snug, folder, place)  # without a service, too
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()
        shutil.rmtree(place, ignore_errors=True)
    print("monitor_test: passed")


if __name__ == "__main__":
    main()
