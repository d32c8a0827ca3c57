// What each byte of an arena holds, for proof.cc: intervals of bytes, each with the value it is part of.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace snug {

// A byte at `at` of the arena holds byte at + shift of value `value`. While a value is written by channels
// over another one, `channels_done` of its channels are there and the rest still belong to `under`.
struct Content {
  int64_t value = -1;  // the proof's number for it; -1: nothing
  int64_t shift = 0;
  int64_t channels_done = -1;  // -1: all
  int64_t under = -1, under_shift = 0;
  bool operator==(const Content&) const = default;
};

class ByteContents {
 public:
  void write(uint64_t begin, uint64_t bytes, const Content& content) {
    if (bytes == 0) return;
    const uint64_t end = begin + bytes;
    split(begin);
    split(end);
    runs_.erase(runs_.lower_bound(begin), runs_.lower_bound(end));
    runs_[begin] = {end, content};
  }

  // True when `is` holds for all bytes.
  template <typename Predicate>
  bool all(uint64_t begin, uint64_t bytes, Predicate is) const {
    const uint64_t end = begin + bytes;
    uint64_t at = begin;
    while (at < end) {
      const Run* run = find(at);
      if (run == nullptr || !is(run->content)) return false;
      at = run->end;
    }
    return true;
  }

  // The runs of [begin, begin + bytes), counted from `begin`; bytes that hold nothing are left out.
  struct Piece {
    uint64_t begin = 0, bytes = 0;
    Content content;
  };
  std::vector<Piece> read(uint64_t begin, uint64_t bytes) {
    split(begin);
    split(begin + bytes);
    std::vector<Piece> pieces;
    for (auto run = runs_.lower_bound(begin); run != runs_.end() && run->first < begin + bytes; ++run) {
      Content content = run->second.content;
      content.shift += static_cast<int64_t>(begin);  // of a piece at 0
      content.under_shift += static_cast<int64_t>(begin);
      pieces.push_back({run->first - begin, run->second.end - run->first, content});
    }
    return pieces;
  }

  void put(uint64_t begin, const std::vector<Piece>& pieces) {
    for (const Piece& piece : pieces) {
      Content content = piece.content;
      content.shift -= static_cast<int64_t>(begin);
      content.under_shift -= static_cast<int64_t>(begin);
      write(begin + piece.begin, piece.bytes, content);
    }
  }

 private:
  struct Run {
    uint64_t end = 0;
    Content content;
  };

  const Run* find(uint64_t at) const {
    auto next = runs_.upper_bound(at);
    if (next == runs_.begin()) return nullptr;
    --next;
    return next->second.end > at ? &next->second : nullptr;
  }

  void split(uint64_t at) {
    auto next = runs_.upper_bound(at);
    if (next == runs_.begin()) return;
    --next;
    if (next->first == at || next->second.end <= at) return;
    const Run right = next->second;
    next->second.end = at;
    runs_[at] = right;
  }

  std::map<uint64_t, Run> runs_;
};

}  // namespace snug
