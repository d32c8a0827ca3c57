#!/usr/bin/env python3
"""Kills the service with SIGKILL while it decodes a clip, and starts it again: by its events no step is done again, by
what lies on disk and by its record the decoding goes on behind the last frames that were kept, and clip and poster
have the bytes of a service that nobody killed.

usage: clip_crash_test.py SNUG
"""

import http.client
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True  # no folder of it beside the sources
from crash_test import Server, wait_for_all  # noqa: E402

STEPS = 3
REQUEST = {"model": "wan-tiny-ti2v", "prompt": "a paper boat on a pond", "seed": 7, "steps": STEPS, "width": 192,
           "height": 192, "frames": 121, "format": "mp4"}
ENOUGH_FRAMES = 30
KILLS = 2
MOST_SECONDS = 120


def check(condition: bool, text: str) -> None:
    if not condition:
        raise SystemExit(f"clip_crash_test: {text}")


class Service(Server):
    """With the progress that its events told since it was last started."""

    def __init__(self, snug: str, folder: Path):
        folder.mkdir()
        super().__init__(snug, folder)
        self.progress: list = []

    def start(self) -> None:
        super().start()
        self.progress = []
        threading.Thread(target=self.read_events, args=(self.port, self.progress), daemon=True).start()

    @staticmethod
    def read_events(port: int, progress: list) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=MOST_SECONDS)
        try:
            connection.request("GET", "/api/v1/events")
            for line in connection.getresponse():
                if line.startswith(b"data: "):
                    progress.append(json.loads(line[len(b"data: "):])["progress"])
        except (OSError, http.client.HTTPException):
            pass  # it was killed
        finally:
            connection.close()

    def get(self, path: str) -> bytes:
        status, body = self.call("GET", path)
        check(status == 200, f"{path} answers {status} {body!r}")
        return body

    def submit(self) -> str:
        status, body = self.call("POST", "/api/v1/jobs", REQUEST)
        check(status == 202, f"the job was refused: {status} {body!r}")
        return json.loads(body)["id"]

    def job(self, job_id: str) -> dict:
        return json.loads(self.get(f"/api/v1/jobs/{job_id}"))

    def done(self, job_id: str) -> dict:
        return wait_for_all(self, {"the clip": (job_id, REQUEST)})["the clip"]

    def kept(self, job_id: str) -> Path:
        return self.folder / "data" / "decoding" / job_id

    def place(self, job_id: str) -> tuple:
        """Where the job would go on: the instruction of its decoding, and the whole frames before it."""
        try:
            # Replaced whole each time.
            with open(self.kept(job_id) / "decode.safetensors", "rb") as file:
                header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        except FileNotFoundError:
            return 0, 0
        return int(header["__metadata__"]["next_instruction"]), int(header["__metadata__"]["frames"])


def wait_until(condition, what: str) -> None:
    deadline = time.monotonic() + MOST_SECONDS
    while not condition():
        check(time.monotonic() < deadline, f"waited {MOST_SECONDS} s in vain: {what}")
        time.sleep(0.001)


def decode_some(service: Service) -> str:
    """A job that is stopped as whoever runs the service stops it, so that what is kept is not left to chance."""
    service.start()
    job_id = service.submit()
    wait_until(lambda: (service.job(job_id)["progress"]["frame"] or 0) >= ENOUGH_FRAMES, "frames are decoded")
    check(service.stop() == 0, "the service did not end well")
    check(service.place(job_id)[1] >= ENOUGH_FRAMES, "too little was kept")
    return job_id


def kill_behind(service: Service, job_id: str) -> tuple:
    """Goes on with the decoding, and kills the service once it has kept some of its own; where that is."""
    before = service.place(job_id)
    service.start()

    def is_behind() -> bool:
        now = service.place(job_id)
        check(now >= before, f"the decoding began again: it was at {before} and is at {now}")
        return now > before

    wait_until(is_behind, "more of the decoding is kept")
    job = service.job(job_id)
    check(job["state"] == "running" and job["progress"]["stage"] == "decode",
          f"it was to be killed while it decodes, and is {job['state']}: {job['progress']}")
    service.kill()
    check_no_step_was_done(service)
    return service.place(job_id)


def check_no_step_was_done(service: Service) -> None:
    for progress in service.progress:
        check(progress["stage"] != "encode" and progress["step"] == STEPS, f"steps were done again: {progress}")


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="snug-clip-crash-"))
    # On one thread decoding takes seconds on any machine.
    os.environ["SNUG_THREADS"] = "1"
    killed, other = Service(sys.argv[1], folder / "killed"), Service(sys.argv[1], folder / "other")
    try:
        job_id = decode_some(killed)
        places = [kill_behind(killed, job_id) for _ in range(KILLS)]
        killed.start()
        job = killed.done(job_id)
        check_no_step_was_done(killed)
        check(any(progress["stage"] == "decode" for progress in killed.progress), "no event told of the decoding")
        check(job["attempts"] == KILLS + 2, f"it took {job['attempts']} attempts")
        check(job["report"]["resumed"] == {"calls": STEPS, "frames": places[-1][1]},
              f"it was killed at {places[-1]} and went on from {job['report']['resumed']}")
        check(job["report"]["step_seconds"] == [], "steps were done again")

        other.start()
        whole = other.done(other.submit())
        check(whole["attempts"] == 1 and whole["report"]["resumed"] == {"calls": None, "frames": None},
              "what is compared with went on from something")
        made, expected = job["images"][0], whole["images"][0]
        for what, url in (("clip", "url"), ("poster", "poster_url")):
            check(killed.get(made[url]) == other.get(expected[url]), f"another {what} was made")
        check(killed.stop() == 0 and other.stop() == 0, "a service did not end well")
        check(not killed.kept(job_id).exists(), "what was kept is still there")
        frames = " and ".join(str(frames) for _, frames in places)
        print(f"clip_crash_test: killed with {frames} of {REQUEST['frames']} frames kept; it went on there, to the clip "
              "and the poster of a service that nobody killed")
    finally:
        for service in (killed, other):
            if service.process is not None and service.process.poll() is None:
                service.process.kill()
                service.process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
