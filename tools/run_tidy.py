#!/usr/bin/env python3
"""Runs clang-tidy over the project's sources, and only over those that may answer differently than last time.

Called by `./dev lint`: run_tidy.py BUILD_DIR [FILE...], BUILD_DIR being one with compile_commands.json. Prints
the findings; exits 1 if there are any.

A file that was clean is remembered under a hash of everything that its findings follow from: its text and
that of every header of ours that it includes, its compiler flags, .clang-tidy, clang-tidy's version. The
memory lies in the user's cache folder and knows no absolute paths, so a new checkout profits from it.
System headers are not hashed; they change with the distribution's release, as clang-tidy's version does.

Most of a file's time goes into the headers it includes. So files of one folder with the same flags are looked at
together, as one source that includes them all. Files that a finding names are then looked at alone, as names of two
files may clash where each by itself is right; only what a file says by itself is printed.
"""

import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
FOREACH_TARGET = re.compile(r'^\s*#\s*define\s+HWY_TARGET_INCLUDE\s+"([^"]+)"', re.MULTILINE)
FOLDERS = ("src/", "apps/", "models/", "web/", "tests/", "bench/")
# The compiler is gcc, the checker clang: what only gcc knows is no finding.
SOURCES = r".*/(src|apps|models|web|tests|bench)/.*\.(h|cc)$"
BATCH = 10  # more save little: by then most of the time is the files' own
EXTRA = ["--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-unknown-pragmas"]


def compile_commands(build: Path) -> dict[str, list[str]]:
    """File (relative to the root) → compiler flags."""
    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT)
        if file.startswith(FOLDERS):
            commands[file] = entry["command"].split()
    return commands


def borrow_commands(commands: dict[str, list[str]]) -> set[str]:
    """Adds the sources that this build leaves out (fuzz targets, alternatives) with the flags of a neighbour;
    gives their names."""
    borrowed = set()
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.cc")):
            file = path.relative_to(ROOT).as_posix()
            neighbour = next((f for f in sorted(commands) if os.path.dirname(f) == os.path.dirname(file)), None)
            if file not in commands and neighbour:
                commands[file] = commands[neighbour]
                borrowed.add(file)
    return borrowed


def closure(file: str, seen: set[str]) -> set[str]:
    """`file` and every file of ours that it includes, directly or not."""
    seen.add(file)
    text = (ROOT / file).read_text(errors="replace")
    for include in INCLUDE.findall(text) + FOREACH_TARGET.findall(text):
        for start in (os.path.dirname(file), "src", ""):
            found = os.path.normpath(os.path.join(start, include))
            if (ROOT / found).is_file():
                if found not in seen:
                    closure(found, seen)
                break
    return seen


def flags_of(command: list[str]) -> list[str]:
    flags = []
    for i, word in enumerate(command):
        if word == "-isystem":
            flags += command[i:i + 2]
        elif word.startswith(("-D", "-I", "-W", "-f", "-std", "-m")):
            flags.append(word.replace('\\"', '"'))
    return flags


def digest(file: str, command: list[str], build: Path, common: bytes) -> str:
    sha = hashlib.sha256(common)
    flags = "\0".join([file, *flags_of(command)]).replace(str(build), "build").replace(str(ROOT), "")
    sha.update(flags.encode())
    for part in sorted(closure(file, set())):
        sha.update(part.encode() + b"\0" + (ROOT / part).read_bytes())
    return sha.hexdigest()


def tidy(file: Path, where: list[str], flags: list[str]) -> tuple[int, str]:
    done = subprocess.run(["clang-tidy", "--quiet", *where, *EXTRA, str(file), *flags],
                          capture_output=True, text=True, check=False)
    output = done.stdout.replace(str(ROOT) + "/", "").strip()
    return done.returncode, output if output or done.returncode == 0 else done.stderr.strip()


class Checker:
    """Looks at files, alone or together; safe to call from several threads."""

    def __init__(self, build: Path, commands: dict[str, list[str]], borrowed: set[str], folder: str):
        self.build, self.commands, self.borrowed, self.folder = build, commands, borrowed, Path(folder)
        self.lock = threading.Lock()
        self.batches = 0

    def alone(self, file: str) -> tuple[int, str]:
        if file in self.borrowed:
            return tidy(ROOT / file, [], ["--", *flags_of(self.commands[file])])
        return tidy(ROOT / file, ["-p", str(self.build)], [])

    def suspects(self, files: list[str]) -> list[str]:
        """Those of `files` that are not clean as parts of one source."""
        with self.lock:
            self.batches += 1
            source = self.folder / f"batch{self.batches}.cc"
        source.write_text("".join(f'#include "{ROOT / file}"\n' for file in files))
        where = [f"--config-file={ROOT / '.clang-tidy'}", f"--header-filter={SOURCES}",
                 "--checks=-bugprone-suspicious-include"]
        status, output = tidy(source, where, ["--", *flags_of(self.commands[files[0]])])
        if status == 0:
            return []
        named = {line.split(":", 1)[0] for line in output.splitlines() if ": error: " in line}
        # What is said of a header, or stops the reading, may concern each of them.
        return [file for file in files if file in named] if named <= set(files) else files

    def look(self, files: list[str]) -> list[tuple[str, int, str]]:
        """(file, status, findings) of each."""
        suspects = self.suspects(files) if len(files) > 1 else files
        return [(file, *self.alone(file)) if file in suspects else (file, 0, "") for file in files]


def batches_of(files: list[str], commands: dict[str, list[str]]) -> list[list[str]]:
    """Files that may be looked at together; those that Highway includes once for each target stay alone."""
    batches: dict[tuple[str, ...], list[list[str]]] = {}
    alone = []
    for file in files:
        text = (ROOT / file).read_text(errors="replace")
        if "foreach_target.h" in text or "LLVMFuzzerTestOneInput" in text or re.search(r"^int main\(", text, re.MULTILINE):
            alone.append([file])
            continue
        of_kind = batches.setdefault((os.path.dirname(file), str(file.endswith("_test.cc")), *flags_of(commands[file])), [[]])
        if len(of_kind[-1]) == BATCH:
            of_kind.append([])
        of_kind[-1].append(file)
    return [batch for of_kind in batches.values() for batch in of_kind] + alone


def main() -> int:
    if len(sys.argv) < 2 or not (Path(sys.argv[1]) / "compile_commands.json").is_file():
        print("usage: run_tidy.py BUILD_DIR [FILE...]; configure BUILD_DIR first", file=sys.stderr)
        return 2
    build = Path(sys.argv[1]).resolve()
    commands = compile_commands(build)
    borrowed = borrow_commands(commands)
    wanted = {os.path.relpath(name, ROOT) for name in sys.argv[2:]} or set(commands)

    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    clean = Path(home) / "snug" / "clang-tidy"
    clean.mkdir(parents=True, exist_ok=True)
    for stamp in clean.iterdir():
        if time.time() - stamp.stat().st_mtime > 30 * 24 * 3600:
            stamp.unlink(missing_ok=True)
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    common = (ROOT / ".clang-tidy").read_bytes() + version + " ".join(EXTRA).encode()
    todo = {}
    for file in sorted(wanted & set(commands)):
        stamp = clean / digest(file, commands[file], build, common)
        if stamp.exists():
            stamp.touch()
        else:
            todo[file] = stamp

    print(f"clang-tidy: {len(todo)} of {len(wanted & set(commands))} files to look at", flush=True)
    failed = 0
    jobs = int(os.environ.get("SNUG_JOBS") or os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        checker = Checker(build, commands, borrowed, folder)
        running = [pool.submit(checker.look, batch) for batch in batches_of(list(todo), commands)]
        for future in concurrent.futures.as_completed(running):
            for file, status, output in future.result():
                if status == 0:
                    todo[file].touch()
                else:
                    failed += 1
                    print(output, flush=True)
    if failed:
        print(f"clang-tidy: {failed} files with findings", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
