// The few EXIF fields that Snug reads and writes. Called by the JPEG and WebP files and by decode_picture.
// Layout after the EXIF 2.32 and TIFF 6.0 standards; only IFD0 and the Exif IFD are looked at.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace snug {

struct Exif {
  int orientation = 1;       // tag 0x0112, 1 to 8
  std::string user_comment;  // tag 0x9286, UTF-8
  std::string maker_note;    // tag 0x927c, raw bytes
};

// `bytes` is a TIFF structure, after "Exif\0\0" or not. Never throws: a field that is malformed or points
// outside is left at its default, since a camera's broken EXIF must not make its picture unreadable.
Exif read_exif(std::span<const std::byte> bytes);

// A big-endian TIFF structure (without "Exif\0\0") with the user comment in UTF-16, as piexif and so A1111
// writes it, and the maker note. Empty ones are left out; the orientation is not written, since Snug's
// pictures stand upright.
std::vector<std::byte> write_exif(const Exif& exif);

}  // namespace snug
