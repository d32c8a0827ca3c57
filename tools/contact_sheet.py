#!/usr/bin/env python3
"""Makes docs/pictures/sheet.png: twelve pictures of the embedded model, four in a row.

Called by hand after a change to the model or to what pictures look like: tools/contact_sheet.py [SNUG] [SHEET],
by default build/release/snug and docs/pictures/sheet.png. Prints each prompt as its picture is done. Standard
library only: the pixels come from --dump, as safetensors, so no PNG has to be decoded.
"""

import json
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, GAP = 4, 4
SETTINGS = ["--steps", "20", "--guidance", "4", "--sampler", "DPM++ 2M Karras", "--size", "128x128"]
# Prompt and seed, row by row; the README names them.
PICTURES = [
    ("a red sailboat on the sea at sunset", 7),
    ("a house with a blue roof in a snowy landscape at night with mountains", 21),
    ("a yellow hot air balloon over a green meadow at noon with clouds", 1),
    ("a cactus in the desert at dawn", 24),
    ("pine trees in a forest at sunset with mountains", 5),
    ("a white lighthouse by the sea at night", 2),
    ("a house with a red roof in a green meadow at noon", 21),
    ("a blue sailboat on the sea at dawn with mountains", 6),
    ("a red hot air balloon over the desert at sunset", 8),
    ("a snowy landscape at dawn with mountains and clouds", 20),
    ("pine trees in a snowy landscape at night", 10),
    ("a red lighthouse by the sea at sunset with clouds", 11),
]


def pixels(snug: str, prompt: str, seed: int, folder: str) -> tuple[int, int, bytes]:
    """Height, width and RGB bytes of one picture."""
    dump = f"{folder}/dump.safetensors"
    subprocess.run(
        [snug, "generate", prompt, "--seed", str(seed), *SETTINGS, "--output", f"{folder}/picture.png",
         "--dump", dump, "--quiet"],
        check=True, stdout=subprocess.DEVNULL)
    data = Path(dump).read_bytes()
    header_bytes = struct.unpack("<Q", data[:8])[0]
    image = json.loads(data[8:8 + header_bytes])["image_u8"]
    begin, end = (8 + header_bytes + offset for offset in image["data_offsets"])
    _, height, width, _ = image["shape"]
    return height, width, data[begin:end]


def png(width: int, rows: list[bytes]) -> bytes:
    """RGB rows as a PNG, each row as differences from its left neighbour, which compresses better."""
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    def filtered(row: bytes) -> bytes:
        return b"\1" + bytes((value - left) & 255 for value, left in zip(row, b"\0\0\0" + row))

    size = struct.pack(">IIBBBBB", width, len(rows), 8, 2, 0, 0, 0)
    body = zlib.compress(b"".join(filtered(row) for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def main() -> int:
    snug = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build/release/snug")
    sheet = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs/pictures/sheet.png"
    pictures = []
    with tempfile.TemporaryDirectory() as folder:
        for prompt, seed in PICTURES:
            pictures.append(pixels(snug, prompt, seed, folder))
            print(f"seed {seed:>2}  {prompt}", flush=True)
    height, width, _ = pictures[0]
    gap = b"\xff\xff\xff" * GAP
    sheet_width = COLUMNS * width + (COLUMNS - 1) * GAP
    rows = []
    for first in range(0, len(pictures), COLUMNS):
        if first:
            rows += [b"\xff\xff\xff" * sheet_width] * GAP
        line = [rgb for _, _, rgb in pictures[first:first + COLUMNS]]
        for y in range(height):
            rows.append(gap.join(rgb[y * width * 3:(y + 1) * width * 3] for rgb in line))
    sheet.parent.mkdir(parents=True, exist_ok=True)
    sheet.write_bytes(png(sheet_width, rows))
    print(sheet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
