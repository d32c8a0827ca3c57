#!/usr/bin/env python3
"""Kills the service with SIGKILL at random moments under load, starts it again each time, and checks that
nothing was lost: every job that was accepted is there and done, and its picture or clip has, byte for byte, what
the command line makes of the same request. Runs go on from checkpoints, which here are written after every step.

usage: crash_test.py SNUG [--kills N] [--seed N]
"""

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PROMPTS = ["a red sailboat on the sea", "a castle on a hill", "a snowy forest at dawn"]
STEPS = 12
SIZE = 64
# In it: the tiny model that makes clips.
FIXTURES = Path(__file__).resolve().parent / "fixtures"
CLIPS = {"model": "wan-tiny-t2v", "frames": 9, "fps": 12, "format": "mp4"}
EVERY_CLIP = 6  # one in so many requests


class Server:
    def __init__(self, snug: str, folder: Path):
        self.snug, self.folder = snug, folder
        self.process = None
        self.port = 0

    def start(self) -> None:
        env = dict(os.environ, SNUG_CHECKPOINT_SECONDS="0", SNUG_MOST_QUEUED="100000", SNUG_LOG="error",
                   SNUG_MODEL_FOLDERS=str(FIXTURES),
                   XDG_CONFIG_HOME=str(self.folder / "none"))
        self.process = subprocess.Popen(
            [self.snug, "serve", "--data-folder", str(self.folder / "data"), "--listen", "127.0.0.1:0", "--json"],
            stdout=subprocess.PIPE, env=env, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the service did not start, exit code {self.process.wait()}")
        self.port = int(json.loads(line)["addresses"][0].rsplit(":", 1)[1])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        return code

    def call(self, method: str, path: str, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def request_of(number: int, chance: random.Random) -> dict:
    # Some come twice, so that results are asked of the cache as well.
    seed = number if chance.random() < 0.8 else chance.randrange(max(1, number))
    request = {"prompt": PROMPTS[seed % len(PROMPTS)], "negative_prompt": "blurry", "seed": seed, "steps": STEPS,
               "width": SIZE, "height": SIZE}
    return {**request, **CLIPS} if seed % EVERY_CLIP == 0 else request


def load(server: Server, accepted: dict, stop: threading.Event, chance: random.Random) -> None:
    """Submits until told to stop. A request whose answer never came is sent again under its key."""
    pending = None
    while not stop.is_set():
        if pending is None:
            number = len(accepted)
            pending = (f"key-{number}", request_of(number, chance))
        key, request = pending
        try:
            status, body = server.call("POST", "/api/v1/jobs", request, {"Idempotency-Key": key})
        except (OSError, http.client.HTTPException):
            time.sleep(0.01)
            continue
        if status not in (200, 202):
            raise SystemExit(f"a job was refused: {status} {body!r}")
        accepted[key] = (json.loads(body)["id"], request)
        pending = None
        time.sleep(chance.random() * 0.15)


def expected_picture(snug: str, request: dict, folder: Path) -> bytes:
    path = folder / ("expected." + request.get("format", "png"))
    command = [snug, "generate", request["prompt"], "--negative", request["negative_prompt"], "--seed",
               str(request["seed"]), "--steps", str(STEPS), "--size", f"{SIZE}x{SIZE}", "--output", str(path),
               "--quiet"]
    if "frames" in request:
        command += ["--model", request["model"], "--frames", str(request["frames"]), "--fps", str(request["fps"])]
    # There, the model has the name by which the service knows it; a file names its model.
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=FIXTURES)
    return path.read_bytes()


def wait_for_all(server: Server, accepted: dict) -> dict:
    jobs = {}
    deadline = time.monotonic() + 600
    for key, (job_id, _) in accepted.items():
        while True:
            status, body = server.call("GET", f"/api/v1/jobs/{job_id}")
            if status != 200:
                raise SystemExit(f"job {job_id} of {key} was accepted and is not there: {status}")
            job = json.loads(body)
            if job["state"] == "done":
                jobs[key] = job
                break
            if job["state"] in ("failed", "cancelled") or time.monotonic() > deadline:
                raise SystemExit(f"job {job_id} of {key} is {job['state']}: {job['error']}")
            time.sleep(0.05)
    return jobs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("snug")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.snug = str(Path(arguments.snug).resolve())
    chance = random.Random(arguments.seed)
    folder = Path(tempfile.mkdtemp(prefix="snug-crash-"))
    try:
        run(arguments, chance, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(arguments, chance: random.Random, folder: Path) -> None:
    server = Server(arguments.snug, folder)
    accepted: dict = {}
    stop = threading.Event()
    server.start()
    loader = threading.Thread(target=load, args=(server, accepted, stop, random.Random(arguments.seed + 1)))
    loader.start()
    for _ in range(arguments.kills):
        time.sleep(chance.random() * 0.5)
        server.kill()
        server.start()
    stop.set()
    loader.join()
    jobs = wait_for_all(server, accepted)
    resumed = sum(job["attempts"] > 1 for job in jobs.values())
    sample = chance.sample(sorted(jobs), min(40, len(jobs)))
    again = [key for key in sorted(jobs) if jobs[key]["attempts"] > 1][:40]
    clips = [key for key in sample + again if jobs[key]["images"][0]["kind"] == "video"]
    for key in dict.fromkeys(sample + again):
        _, request = accepted[key]
        status, picture = server.call("GET", jobs[key]["images"][0]["url"])
        if status != 200 or picture != expected_picture(arguments.snug, request, folder):
            raise SystemExit(f"{key} has another picture than the command line makes ({status})")
    if server.stop() != 0:
        raise SystemExit("the service did not end well")
    print(f"{arguments.kills} kills, {len(jobs)} jobs accepted, all done; {resumed} took several attempts; "
          f"{len(set(sample + again))} files compared with the command line's, all equal, "
          f"{len(set(clips))} of them clips")


if __name__ == "__main__":
    main()
