#!/usr/bin/env python3
"""Stops the service with SIGTERM in the middle of a run, as systemd does, and starts it again: it says to the
service manager that it is ready and that it stops, ends its event streams, ends with exit code 0 within the
grace, and the job goes on from its checkpoint and is done, with the picture that an uninterrupted run makes. A
second SIGTERM ends it at once, and loses nothing either.

usage: stop_test.py SNUG
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True  # no folder of it beside the sources
from crash_test import Server  # noqa: E402

GRACE_SECONDS = 30
REQUEST = {"prompt": "a castle on a hill", "seed": 5, "steps": 400, "width": 64, "height": 64, "sampler": "euler"}


def fail(text: str) -> None:
    raise SystemExit(f"stop_test: {text}")


def check(condition: bool, text: str) -> None:
    if not condition:
        fail(text)


def get(server: Server, path: str):
    status, body = server.call("GET", path)
    check(status == 200, f"{path} answers {status} {body!r}")
    return json.loads(body)


def wait_until(condition, what: str, seconds: float = 60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    fail(f"waited {seconds} s in vain: {what}")


class Manager:
    """The service manager's end of sd_notify."""

    def __init__(self, folder: Path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(20)
        self.socket.bind(str(folder / "notify"))
        os.environ["NOTIFY_SOCKET"] = str(folder / "notify")

    def expect(self, line: str) -> None:
        try:
            received = self.socket.recv(4096).decode()
        except TimeoutError:
            fail(f"the service manager was not told {line}")
        check(line in received.split("\n"), f"the service manager was told {received!r}, not {line}")


def begin_job(server: Server) -> str:
    status, body = server.call("POST", "/api/v1/jobs", REQUEST)
    check(status == 202, f"the job was refused: {status} {body!r}")
    job_id = json.loads(body)["id"]
    wait_until(lambda: get(server, f"/api/v1/jobs/{job_id}")["progress"]["step"] > 20, "the job runs")
    return job_id


def read_events(port: int, ended: threading.Event) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as stream:
        stream.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
        try:
            while stream.recv(65536):
                pass
        except ConnectionError:
            pass
    ended.set()


def stop_in_the_middle(server: Server, manager: Manager) -> str:
    server.start()
    manager.expect("READY=1")
    check(get(server, "/api/v1/ready")["ready"] is True, "a new service is not ready")
    ended = threading.Event()
    reader = threading.Thread(target=read_events, args=(server.port, ended), daemon=True)
    reader.start()
    job_id = begin_job(server)
    began = time.monotonic()
    code = server.stop()
    seconds = time.monotonic() - began
    check(code == 0, f"the service ended with {code}")
    check(seconds < GRACE_SECONDS, f"the stop took {seconds:.1f} s")
    check(ended.wait(5), "the event stream was not ended")
    manager.expect("STOPPING=1")
    return job_id


def go_on(server: Server, manager: Manager, job_id: str) -> None:
    server.start()
    manager.expect("READY=1")
    first = wait_until(lambda: get(server, f"/api/v1/jobs/{job_id}")["progress"]["step"], "the job goes on")
    check(first > 20, f"the job began again at step {first}")
    check(first < REQUEST["steps"], "the job was done before the stop: nothing was tested")


def wait_for_a_picture(server: Server) -> None:
    try:
        server.call("POST", "/sdapi/v1/txt2img", {"prompt": "waits behind the other", "steps": 100})
    except (OSError, http.client.HTTPException):
        pass


def stop_twice(server: Server) -> None:
    # A request that waits for its picture makes the first stop take its time.
    waiter = threading.Thread(target=wait_for_a_picture, args=(server,), daemon=True)
    waiter.start()
    time.sleep(0.3)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    code = server.process.wait(timeout=20)
    check(code == -signal.SIGTERM, f"the second signal did not end the process, its exit code is {code}")
    check(time.monotonic() - began < 3, "the second signal took its time")
    server.process.stdout.close()


def done_picture(server: Server, job_id: str) -> bytes:
    def ended():
        job = get(server, f"/api/v1/jobs/{job_id}")
        return job if job["state"] in ("done", "failed", "cancelled") else None

    job = wait_until(ended, "the job ends", 120)
    check(job["state"] == "done", f"the job is {job['state']}: {job['error']}")
    status, picture = server.call("GET", f"/api/v1/jobs/{job_id}/images/0")
    check(status == 200, f"the picture answers {status}")
    return picture


def main() -> None:
    snug = sys.argv[1]
    folder = Path(tempfile.mkdtemp(prefix="snug-stop-"))
    server = Server(snug, folder)
    try:
        manager = Manager(folder)
        job_id = stop_in_the_middle(server, manager)
        go_on(server, manager, job_id)
        stop_twice(server)
        server.start()
        picture = done_picture(server, job_id)
        expected = folder / "expected.png"
        subprocess.run([snug, "generate", REQUEST["prompt"], "--seed", "5", "--steps", str(REQUEST["steps"]), "--size",
                        "64x64", "--sampler", "euler", "--output", str(expected), "--quiet"], check=True,
                       stdout=subprocess.DEVNULL)
        check(picture == expected.read_bytes(), "the picture is not that of an uninterrupted run")
        check(server.stop() == 0, "an idle service did not end with 0")
    finally:
        if server.process is not None and server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    print("stop_test: stopped, went on, and lost nothing")


if __name__ == "__main__":
    main()
