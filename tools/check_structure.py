#!/usr/bin/env python3
"""Checks that the source tree keeps the shape that ARCHITECTURE.md gives it.

Called by every build (cmake/structure.cmake) and by `./dev lint`, with the repository's root. Prints one line
per violation, `file:line: what, what to do`, and exits 1 if there is any.

What it checks: a folder includes only the folders above it in the table, and base; inside src/backend the
implementations do not include each other; sources live in a folder of the table; headers open with a comment
and have #pragma once; long files say why they are; OpenMP appears in one place; no folder has a name that
says nothing.
"""

import os
import re
import sys
from pathlib import Path

# The table of ARCHITECTURE.md, top to bottom. A row may include the rows above it, never one below. Folders in
# one row may not include each other.
TABLE = [
    ["src/base"],
    ["src/tensor"],
    ["src/graph"],
    ["src/weights"],
    ["src/text"],
    ["src/models"],
    ["src/sampling"],
    ["src/plan"],
    ["src/backend"],
    ["src/runtime"],
    ["src/media"],
    ["models", "web"],  # the embedded model, the embedded page
    ["src/pipeline"],
    ["src/cache"],
    ["src/jobs"],
    ["src/monitor"],
    ["src/server"],
    ["apps/snug"],
]
# What stands beside the table and may include anything: nothing of the product includes it.
BESIDE = ["tests", "bench", "tools"]
# Inside src/backend the contract lies at the top, one implementation in each folder. The lists of kernels end
# in the reference ones, hence the two exceptions.
IMPLEMENTATIONS = {"reference": [], "cpu": ["reference"], "cuda": ["reference"], "no_cuda": []}

MOST_LINES = 450
LONG_FILE_REASON = re.compile(r"This file is long because|Long:")
EMPTY_NAMES = {"utils", "util", "common", "helpers", "manager", "managers", "misc"}
SOURCES = {".h", ".hpp", ".cc", ".cpp", ".cxx", ".c", ".cu", ".cuh", ".S", ".inc"}
TEST_SUFFIXES = ("_test.cc", "_fuzz.cc")
HEADERS = {".h", ".hpp", ".cuh"}
NOT_OURS = {"build", "node_modules", "fixtures", "shared"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
OPENMP = re.compile(r"^\s*#\s*(pragma\s+omp\b|include\s*[<\"]omp\.h)")
OPENMP_FILE = "src/base/parallel.cc"

ROW_OF = {folder: row for row, folders in enumerate(TABLE) for folder in folders}


def folder_of(path: str) -> str | None:
    """The folder of the table, or beside it, that `path` (relative to the root) lies in."""
    for folder in [*ROW_OF, *BESIDE]:
        if path.startswith(folder + "/"):
            return folder
    return None


def sources(root: Path):
    """(sources, folders) below the root, as sorted relative paths with '/'."""
    files, folders = [], []
    for place, inner, names in os.walk(root):
        inner[:] = sorted(n for n in inner if n not in NOT_OURS and not n.startswith("."))
        here = Path(place).relative_to(root)
        folders += [(here / n).as_posix() for n in inner]
        files += [(here / n).as_posix() for n in names if Path(n).suffix in SOURCES]
    return sorted(files), folders


def resolve(root: Path, file: str, include: str) -> str | None:
    """The repository's file that an include in `file` means; the order of the compiler's include paths."""
    for start in (os.path.dirname(file), "src", ""):
        found = os.path.normpath(os.path.join(start, include))
        # x.h may be made from x.h.in by CMake.
        if not found.startswith("..") and ((root / found).is_file() or (root / (found + ".in")).is_file()):
            return found
    return None


def refusal(file: str, target: str) -> str | None:
    """Why `file` may not include `target`, or None where it may."""
    mine, theirs = folder_of(file), folder_of(target)
    if mine is None or mine in BESIDE:
        return None
    if theirs == "tests" and file.endswith(TEST_SUFFIXES):
        return None
    if theirs is None or theirs in BESIDE:
        return f"includes {target}, which is not part of the product; move what you need into a folder of the table"
    if mine == theirs:
        return implementation_refusal(file, target) if mine == "src/backend" else None
    if ROW_OF[theirs] < ROW_OF[mine]:
        return None
    where = "beside" if ROW_OF[theirs] == ROW_OF[mine] else "below"
    return f"{mine} includes {target}, which is {where} it in the table of ARCHITECTURE.md; hand it in from outside, or move the code up"


def implementation_refusal(file: str, target: str) -> str | None:
    mine, theirs = (path.split("/")[2] for path in (file, target))
    if mine not in IMPLEMENTATIONS or theirs not in IMPLEMENTATIONS:
        return None  # the contract at the top, or the list that names every implementation
    if theirs == mine or theirs in IMPLEMENTATIONS[mine]:
        return None
    return f"src/backend/{mine} includes {target} of another implementation; share it through src/backend itself"


def leading_comment(lines: list[str]) -> str:
    comment = []
    for line in lines:
        if not line.startswith("//"):
            break
        comment.append(line)
    return "\n".join(comment)


def check_file(root: Path, file: str):
    """Yields (line, text) for each violation in one source."""
    lines = (root / file).read_text(encoding="utf-8", errors="replace").splitlines()
    comment = leading_comment(lines)
    if folder_of(file) is None:
        yield 1, "lies in no folder of the table of ARCHITECTURE.md; move it to one, or add the folder there and in tools/check_structure.py"
    if len(lines) > MOST_LINES and not LONG_FILE_REASON.search(comment):
        yield MOST_LINES + 1, f'has {len(lines)} lines; split it, or say "This file is long because ..." in its header comment'
    if Path(file).suffix in HEADERS:
        if not comment:
            yield 1, "opens without a comment; say first what it is, who calls it and what it leaves to others"
        # Highway's per-target headers are included once for each target, by a guard of their own.
        if "#pragma once" not in lines and not any("HWY_TARGET_TOGGLE" in line for line in lines):
            yield 1, "has no #pragma once; add it after the header comment"
    for number, line in enumerate(lines, 1):
        if OPENMP.match(line) and file != OPENMP_FILE:
            yield number, "uses OpenMP itself; call parallel_for of base/parallel.h"
        match = INCLUDE.match(line)
        if not match:
            continue
        target = resolve(root, file, match[1])
        if target is None:
            yield number, f'includes "{match[1]}", which is not here; write "folder/file.h" for ours, <...> for a library\'s'
        elif why := refusal(file, target):
            yield number, why


def check(root: Path) -> list[str]:
    files, folders = sources(root)
    problems = []
    for folder in folders:
        if os.path.basename(folder).lower() in EMPTY_NAMES:
            problems.append(f"{folder}:1: the folder's name says nothing; name it after what lives there")
    for file in files:
        problems += [f"{file}:{line}: {text}" for line, text in check_file(root, file)]
    return problems


def main() -> int:
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        print("usage: check_structure.py REPOSITORY", file=sys.stderr)
        return 2
    problems = check(Path(sys.argv[1]))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
