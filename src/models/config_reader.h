// Reads one configuration file of a model, field by field, trusting nothing in it.
//
// Called by the config.cc of each model part and by describe_model. Every getter checks type and range and
// throws bad_config naming file and field; a field that is absent or null takes the fallback, or is an error
// where there is none. Fields that nobody asks for are ignored. No JSON exception leaves this class.
// What the values mean together (groups that divide widths) is checked by the part that asks.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace snug {

// The text of a configuration file, and its path for messages.
struct ConfigText {
  std::string file;
  std::string text;
};

// Inclusive bounds of a number.
struct IntegerRange {
  int64_t least = 0;
  int64_t most = 0;
};
struct NumberRange {
  double least = 0;
  double most = 0;
};

// Widths of layers: far above every published model, and small enough that no product of a few overflows.
inline constexpr IntegerRange kChannelRange{1, 65536};
// Levels of a UNet or autoencoder, and blocks within one.
inline constexpr size_t kMostLevels = 8;
inline constexpr IntegerRange kLayerRange{1, 64};

class ConfigReader {
 public:
  // Parses. Throws bad_config when the text is no JSON object or nested too deep, too_large above 1 MiB.
  explicit ConfigReader(const ConfigText& config);
  ~ConfigReader();
  ConfigReader(const ConfigReader&) = delete;
  ConfigReader& operator=(const ConfigReader&) = delete;

  const std::string& file() const { return file_; }
  // Present and not null.
  bool has(std::string_view key) const;

  int64_t integer(std::string_view key, IntegerRange range, std::optional<int64_t> fallback = {}) const;
  double number(std::string_view key, NumberRange range, std::optional<double> fallback = {}) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::string text(std::string_view key, std::optional<std::string_view> fallback = {}) const;
  // A list of 1 to kMostLevels integers or texts; with `count`, of exactly so many.
  std::vector<int64_t> integers(std::string_view key, IntegerRange range,
                                std::optional<size_t> count = {}) const;
  // A list of exactly `count` numbers, however many.
  std::vector<double> numbers(std::string_view key, NumberRange range, size_t count) const;
  std::vector<bool> booleans(std::string_view key, size_t count) const;
  std::vector<std::string> texts(std::string_view key, std::optional<size_t> count = {}) const;
  // One integer for all, or a list of exactly `count`.
  std::vector<int64_t> one_or_each(std::string_view key, IntegerRange range, size_t count,
                                   std::optional<int64_t> fallback = {}) const;

  // Present and equal to `value`, which is written as JSON.
  bool is(std::string_view key, std::string_view value) const;
  // Throws unsupported_architecture naming the field unless it is absent, null, or equal to one of `accepted`
  // (each written as JSON: "\"silu\"", "1", "false").
  void require_only(std::string_view key, std::initializer_list<std::string_view> accepted) const;

  [[noreturn]] void fail(std::string_view key, std::string_view problem) const;    // bad_config
  [[noreturn]] void refuse(std::string_view key, std::string_view problem) const;  // unsupported_architecture

 private:
  const nlohmann::json* find(std::string_view key) const;  // null when absent or null
  const nlohmann::json& list(std::string_view key, std::optional<size_t> count) const;
  double checked_number(std::string_view key, const nlohmann::json& value, NumberRange range) const;
  int64_t checked_integer(std::string_view key, const nlohmann::json& value, IntegerRange range) const;

  std::string file_;
  std::unique_ptr<nlohmann::json> object_;
};

}  // namespace snug
