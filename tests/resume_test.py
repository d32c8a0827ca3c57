#!/usr/bin/env python3
"""Kills `snug generate --checkpoint` with SIGKILL while it denoises and while it decodes a clip, and gives the
same command again each time: it goes on, and the file has the bytes of a run that nobody interrupted. Stopped
with SIGINT it says how to go on. What is kept is gone at the end.

usage: resume_test.py SNUG FIXTURES
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def fail(text: str) -> None:
    raise SystemExit(f"resume_test: {text}")


def check(condition: bool, text: str) -> None:
    if not condition:
        fail(text)


class Clip:
    def __init__(self, snug: str, fixtures: str, folder: Path):
        self.kept = folder / "kept"
        self.command = [snug, "generate", "a paper boat on a pond", "--model", f"{fixtures}/wan-tiny-ti2v", "--size",
                        "192x192", "--frames", "121", "--steps", "12", "--json", "--threads", "1"]
        # Config of whoever runs this is not this test's.
        self.env = dict(os.environ, SNUG_CHECKPOINT_SECONDS="0", SNUG_LOG="error",
                        XDG_CONFIG_HOME=str(folder / "none"), XDG_CACHE_HOME=str(folder / "cache"))

    def start(self, output: Path, *more: str) -> subprocess.Popen:
        return subprocess.Popen([*self.command, "--output", str(output), *more], env=self.env, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def go(self, output: Path, *more: str) -> dict:
        process = self.start(output, *more)
        out, err = process.communicate(timeout=300)
        check(process.returncode == 0, f"exit code {process.returncode}: {out}{err}")
        return json.loads(out)

    def written(self, name: str):
        try:
            status = (self.kept / name).stat()
            return (status.st_ino, status.st_mtime_ns)
        except FileNotFoundError:
            return None

    def interrupt(self, output: Path, at: str, sent: signal.Signals) -> str:
        """Once it has written a checkpoint of that name; what is told then."""
        before = self.written(at)
        process = self.start(output, "--checkpoint", str(self.kept))
        deadline = time.monotonic() + 200
        while self.written(at) in (None, before):
            if process.poll() is not None:
                fail(f"it ended before there was a {at}: {process.communicate()}")
            check(time.monotonic() < deadline, f"no {at} came")
            time.sleep(0.001)
        process.send_signal(sent)
        out, _ = process.communicate(timeout=60)
        check(process.returncode != 0, f"it was done before it was interrupted at {at}: a longer clip is needed")
        check(not output.exists(), "a file is there that is not whole")
        return out


def main() -> None:
    snug, fixtures = sys.argv[1:3]
    folder = Path(tempfile.mkdtemp(prefix="snug-resume-"))
    try:
        clip = Clip(snug, fixtures, folder)
        output, expected = folder / "clip.mp4", folder / "expected.mp4"
        # The seed is stated once; later it is that of what is kept.
        process = clip.start(output, "--checkpoint", str(clip.kept), "--seed", "7")
        while not (clip.kept / "run.safetensors").exists():
            if process.poll() is not None:
                fail(f"it ended: {process.communicate()}")
            time.sleep(0.001)
        process.kill()
        process.communicate()
        clip.interrupt(output, "decode.safetensors", signal.SIGKILL)
        told = json.loads(clip.interrupt(output, "decode.safetensors", signal.SIGINT))
        check("the same command goes on" in told["error"]["message"], f"it was told {told['error']}")
        check("12 steps" in told["error"]["message"], f"it was told {told['error']}")
        report = clip.go(output, "--checkpoint", str(clip.kept))
        check(report["resumed"]["calls"] == 12, f"it went on from {report['resumed']}")
        check(report["resumed"]["frames"] > 0, f"it went on from {report['resumed']}")
        check(not clip.kept.exists(), "what was kept is still there")
        whole = clip.go(expected, "--seed", "7")
        check(whole["resumed"] == {"calls": None, "frames": None}, "a run from its beginning went on from something")
        check(output.read_bytes() == expected.read_bytes(), "the clip is not that of an uninterrupted run")
        print(f"resume_test: went on behind frame {report['resumed']['frames']} of 121, to the same "
              f"{len(expected.read_bytes())} bytes")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
