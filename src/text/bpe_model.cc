#include "text/bpe_model.h"

#include <bit>
#include <queue>
#include <string>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"

namespace snug {
namespace {

constexpr std::string_view kWordEnd = "</w>";

uint64_t pair_of(int32_t left, int32_t right) {
  return (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32U) | static_cast<uint32_t>(right);
}

// Fibonacci hashing: the high bits of the product are the mixed ones.
size_t slot_of(uint64_t pair, size_t table_size) {
  return static_cast<size_t>((pair * 0x9E3779B97F4A7C15U) >> 32U) & (table_size - 1);
}

// GPT-2's printable stand-in for each byte: Latin-1's printable characters for themselves, the others
// numbered on from U+0100.
std::string symbol_of(int byte) {
  const auto printable = [](int b) {
    return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
  };
  int code_point = byte;
  if (!printable(byte)) {
    code_point = 0x100;
    for (int b = 0; b < byte; ++b) code_point += printable(b) ? 0 : 1;
  }
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  return {static_cast<char>(0xC0 | (code_point >> 6)), static_cast<char>(0x80 | (code_point & 0x3F))};
}

int32_t require_id(const BpeFiles& files, std::string_view symbol, size_t rank) {
  const auto entry = files.ids.find(symbol);
  if (entry == files.ids.end()) {
    throw Error(ErrorCode::kBadConfig,
                fmt::format("merge {} ('{} {}') needs the token '{}', which the vocabulary lacks", rank + 1,
                            files.merges[rank].first, files.merges[rank].second, symbol),
                "use the merges and the vocabulary of one tokenizer")
        .in_file(files.source);
  }
  return entry->second;
}

}  // namespace

BpeModel::BpeModel(const BpeFiles& files, int32_t unknown_id) {
  const auto id_or_unknown = [&](const std::string& symbol) {
    const auto entry = files.ids.find(symbol);
    return entry == files.ids.end() ? unknown_id : entry->second;
  };
  for (int byte = 0; byte < 256; ++byte) {
    const std::string symbol = symbol_of(byte);
    inner_ids_[static_cast<size_t>(byte)] = id_or_unknown(symbol);
    last_ids_[static_cast<size_t>(byte)] = id_or_unknown(symbol + std::string(kWordEnd));
  }
  table_.resize(std::bit_ceil(2 * files.merges.size() + 2));
  std::string merged;
  for (size_t rank = 0; rank < files.merges.size(); ++rank) {
    const auto& [left, right] = files.merges[rank];
    merged.assign(left).append(right);
    const uint64_t pair = pair_of(require_id(files, left, rank), require_id(files, right, rank));
    insert({pair, static_cast<int32_t>(rank), require_id(files, merged, rank)});
  }
}

// A pair that is listed twice keeps its last rank, as in transformers' table.
void BpeModel::insert(const Merge& merge) {
  size_t slot = slot_of(merge.pair, table_.size());
  while (table_[slot].rank >= 0 && table_[slot].pair != merge.pair) slot = (slot + 1) & (table_.size() - 1);
  table_[slot] = merge;
}

BpeModel::Merge BpeModel::find(int32_t left, int32_t right) const {
  const uint64_t pair = pair_of(left, right);
  size_t slot = slot_of(pair, table_.size());
  while (table_[slot].rank >= 0 && table_[slot].pair != pair) slot = (slot + 1) & (table_.size() - 1);
  return table_[slot];
}

// The symbols of one word as a doubly linked list, and the merges that are possible now, the earliest-ranked
// and then leftmost first. Entries that another merge has overtaken are recognised when they are taken out.
class WordMerger {
 public:
  WordMerger(const BpeModel& model, std::string_view word) : model_(model) {
    symbols_.reserve(word.size());
    const auto length = static_cast<int32_t>(word.size());
    for (int32_t i = 0; i < length; ++i) {
      const auto byte = static_cast<unsigned char>(word[static_cast<size_t>(i)]);
      const int32_t id = i + 1 < length ? model_.inner_ids_[byte] : model_.last_ids_[byte];
      symbols_.push_back({id, i - 1, i + 1 < length ? i + 1 : kNone});
    }
    for (int32_t i = 0; i + 1 < length; ++i) offer(i);
  }

  void run() {
    while (!possible_.empty()) {
      const Possible next = possible_.top();
      possible_.pop();
      Symbol& left = at(next.position);
      if (left.id == kGone || left.next == kNone) continue;
      Symbol& right = at(left.next);
      if (pair_of(left.id, right.id) != next.pair) continue;
      left.id = next.merged_id;
      left.next = right.next;
      right.id = kGone;
      if (left.next != kNone) {
        at(left.next).previous = next.position;
        offer(next.position);
      }
      if (left.previous != kNone) offer(left.previous);
    }
  }

  void append_to(std::vector<int32_t>* ids) const {
    for (const Symbol& symbol : symbols_) {
      if (symbol.id != kGone) ids->push_back(symbol.id);
    }
  }

 private:
  static constexpr int32_t kNone = -1;
  static constexpr int32_t kGone = -1;
  struct Symbol {
    int32_t id;  // kGone once it is part of its left neighbour
    int32_t previous, next;
  };
  struct Possible {
    int32_t rank, position, merged_id;
    uint64_t pair;
    bool operator<(const Possible& other) const {  // the queue gives the greatest first
      return rank != other.rank ? rank > other.rank : position > other.position;
    }
  };

  Symbol& at(int32_t position) { return symbols_[static_cast<size_t>(position)]; }

  void offer(int32_t position) {
    const Symbol& left = at(position);
    const int32_t right_id = at(left.next).id;
    const BpeModel::Merge merge = model_.find(left.id, right_id);
    if (merge.rank >= 0) possible_.push({merge.rank, position, merge.merged_id, pair_of(left.id, right_id)});
  }

  const BpeModel& model_;
  std::vector<Symbol> symbols_;
  std::priority_queue<Possible> possible_;
};

void BpeModel::append_word(std::string_view word, std::vector<int32_t>* ids) const {
  SNUG_CHECK(!word.empty(), "words have bytes");
  WordMerger merger(*this, word);
  merger.run();
  merger.append_to(ids);
}

}  // namespace snug
