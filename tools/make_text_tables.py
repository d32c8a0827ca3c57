#!/usr/bin/env python3
"""Writes the tables of src/text that are lists of facts: HTML's named characters and single-byte encodings.

The names are those of the HTML standard (https://html.spec.whatwg.org/entities.json, CC BY 4.0), as Python's
html.entities has them; the encodings those of the Unicode Consortium's mapping files, as Python's codecs have
them. Run from the repository's root when either changes, which is about never; then `./dev format`.
"""

import html.entities

ENTITIES_HEAD = """// The named characters of HTML, as html_entities.h explains them; sorted by name. Written by
// tools/make_text_tables.py from the list of the HTML standard (https://html.spec.whatwg.org/entities.json,
// CC BY 4.0). This file is long because the list is.
#include "text/html_entities.h"

namespace snug {

// clang-format off
const std::array<HtmlEntity, kHtmlEntityCount> kHtmlEntities = {{
"""

ENCODINGS_HEAD = """// Written by tools/make_text_tables.py from the Unicode Consortium's mapping files. Bytes 0x80 to 0xFF; 0 where the
// encoding assigns nothing.
#include "text/single_byte_encodings.h"

namespace snug {

// clang-format off
"""

ENCODINGS = ["cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "iso8859_2", "mac_roman", "cp437"]
WIDTH = 108


def rows(items):
    """The items, separated by commas, in lines of at most WIDTH characters."""
    lines, line = [], ""
    for item in items:
        if line and len(line) + len(item) + 2 > WIDTH:
            lines.append(line)
            line = ""
        line += (" " if line else "") + item + ","
    return lines + [line]


def write_entities(path):
    names = html.entities.html5
    items = []
    for name in sorted(n[:-1] for n in names if n.endswith(";")):
        value = [ord(c) for c in names[name + ";"]] + [0]
        legacy = "true" if name in names else "false"
        items.append(f'{{"{name}", {value[0]:#x}, {value[1]:#x}, {legacy}}}')
    with open(path, "w") as file:
        file.write(ENTITIES_HEAD)
        file.writelines(f"  {line}\n" for line in rows(items))
        file.write("}};\n// clang-format on\n\n}  // namespace snug\n")
    return len(items)


def write_encodings(path):
    with open(path, "w") as file:
        file.write(ENCODINGS_HEAD)
        file.write("const std::array<UpperHalf, kEncodingTableCount> kEncodingTables = {{\n")
        for encoding in ENCODINGS:
            points = [bytes([b]).decode(encoding, errors="replace") for b in range(0x80, 0x100)]
            file.write(f"  {{{{  // {encoding}\n")
            file.writelines(f"    {line}\n" for line in rows("0" if p == "\ufffd" else f"{ord(p):#x}" for p in points))
            file.write("  }},\n")
        file.write("}};\n// clang-format on\n\n}  // namespace snug\n")


if __name__ == "__main__":
    print(write_entities("src/text/html_entity_table.cc"), "names")
    write_encodings("src/text/single_byte_encoding_table.cc")
