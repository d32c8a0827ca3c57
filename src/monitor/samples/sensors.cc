#include "monitor/samples/sensors.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

namespace snug {
namespace {

namespace fs = std::filesystem;

// A broken or absent sensor shows its range's end.
constexpr double kLeastCelsius = -60, kMostCelsius = 150;
constexpr std::array<std::string_view, 7> kSlowSensors = {"nvme",   "drivetemp", "iwlwifi", "mt7921",
                                                          "ath10k", "ath11k",    "r8169"};

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool is_slow(const std::string& name) {
  return std::any_of(kSlowSensors.begin(), kSlowSensors.end(),
                     [&](std::string_view slow) { return name.starts_with(slow); });
}

// The numbers of "cpu0", "cpu1", ..., in order.
std::vector<int> core_numbers(const std::string& folder) {
  std::vector<int> numbers;
  for (const std::string& name : names_in(folder)) {
    int number = 0;
    const char* const end = name.data() + name.size();
    if (!name.starts_with("cpu")) continue;
    const auto [stop, error] = std::from_chars(name.data() + 3, end, number);
    if (error == std::errc() && stop == end) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// "0,64" and "0-1" begin with the first thread of the core. A machine that does not say has one for each.
bool is_first_thread(const std::string& core_folder, int number) {
  const std::string siblings = first_line(core_folder + "/topology/thread_siblings_list");
  int first = number;
  std::from_chars(siblings.data(), siblings.data() + siblings.size(), first);
  return first == number;
}

std::optional<double> mean(std::vector<KernelFile>& files, std::vector<char>& buffer) {
  double sum = 0;
  int count = 0;
  for (KernelFile& file : files) {
    const auto number = file.read_number(buffer);
    if (!number || *number == 0) continue;
    sum += static_cast<double>(*number);
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / count;
}

}  // namespace

Sensors::Sensors(const std::string& root) {
  const std::string hwmon = root + "/sys/class/hwmon/";
  for (const std::string& chip : names_in(hwmon)) {
    if (is_slow(first_line(hwmon + chip + "/name"))) continue;
    for (const std::string& file : names_in(hwmon + chip)) {
      if (file.starts_with("temp") && file.ends_with("_input")) {
        temperatures_.emplace_back(hwmon + chip + "/" + file);
      }
    }
  }
  const std::string zones = root + "/sys/class/thermal/";
  for (const std::string& zone : names_in(zones)) {
    if (!zone.starts_with("thermal_zone") || is_slow(first_line(zones + zone + "/type"))) continue;
    temperatures_.emplace_back(zones + zone + "/temp");
  }
  const std::string cores = root + "/sys/devices/system/cpu/";
  const std::vector<int> numbers = core_numbers(cores);
  const size_t stride = std::max<size_t>(1, (numbers.size() + kMostFrequencies - 1) / kMostFrequencies);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const std::string core = cores + fmt::format("cpu{}", numbers[i]);
    if (i % stride == 0 && ::access((core + "/cpufreq").c_str(), F_OK) == 0) {
      frequencies_.emplace_back(core + "/cpufreq/scaling_cur_freq");
      limits_.emplace_back(core + "/cpufreq/scaling_max_freq");
    }
    const std::string throttles = core + "/thermal_throttle/core_throttle_count";
    if (::access(throttles.c_str(), F_OK) == 0 && is_first_thread(core, numbers[i])) {
      throttles_.emplace_back(throttles);
    }
  }
}

std::optional<double> Sensors::hottest_celsius(std::vector<char>& buffer) {
  std::optional<double> hottest;
  for (KernelFile& file : temperatures_) {
    const auto text = file.read(buffer);
    if (!text) continue;
    std::string_view rest = *text;
    const auto milli = signed_number_of(next_line(rest));
    if (!milli) continue;
    const double celsius = static_cast<double>(*milli) / 1000;
    if (celsius <= kLeastCelsius || celsius >= kMostCelsius) continue;
    hottest = std::max(hottest.value_or(celsius), celsius);
  }
  return hottest;
}

std::optional<double> Sensors::frequency_hertz(std::vector<char>& buffer) {
  const auto kilohertz = mean(frequencies_, buffer);
  return kilohertz ? std::optional(*kilohertz * 1000) : std::nullopt;
}

std::optional<double> Sensors::frequency_limit_hertz(std::vector<char>& buffer) {
  const auto kilohertz = mean(limits_, buffer);
  return kilohertz ? std::optional(*kilohertz * 1000) : std::nullopt;
}

std::optional<double> Sensors::thermal_throttles(std::vector<char>& buffer) {
  std::optional<double> sum;
  for (KernelFile& file : throttles_) {
    const auto count = file.read_number(buffer);
    // One core's count missing is a sum that goes backwards, which whoever takes the difference refuses.
    if (count) sum = sum.value_or(0) + static_cast<double>(*count);
  }
  return sum;
}

}  // namespace snug
