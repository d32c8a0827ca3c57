#include "monitor/samples/counter_reader.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace snug {
namespace {

constexpr long kProcMagic = 0x9fa0;  // PROC_SUPER_MAGIC of linux/magic.h

double tick_seconds() {
  static const long kTicks = ::sysconf(_SC_CLK_TCK);
  return 1.0 / static_cast<double>(kTicks > 0 ? kTicks : 100);
}

std::optional<double> scaled(std::optional<uint64_t> number, double scale) {
  if (!number) return std::nullopt;
  return static_cast<double>(*number) * scale;
}

// A core's or the machine's line of /proc/stat, behind its name: user, nice, system, idle, iowait, irq,
// softirq, steal, in ticks. What guests got is part of user and nice. Old kernels lack the last ones.
struct CpuTicks {
  double idle = 0, iowait = 0, steal = 0, all = 0;
};
std::optional<CpuTicks> cpu_ticks(std::string_view line) {
  CpuTicks ticks;
  for (int column = 0; column < 8; ++column) {
    const auto number = whole_number_of(next_word(line));
    if (!number) return column >= 4 ? std::optional(ticks) : std::nullopt;
    const auto value = static_cast<double>(*number);
    ticks.all += value;
    if (column == 3) ticks.idle = value;
    if (column == 4) ticks.iowait = value;
    if (column == 7) ticks.steal = value;
  }
  return ticks;
}

std::optional<double> process_cpu_clock() {
  timespec time = {};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0) return std::nullopt;
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

CounterReader::CounterReader(CounterOptions options)
    : options_(std::move(options)),
      stat_(options_.root + "/proc/stat"),
      load_(options_.root + "/proc/loadavg"),
      meminfo_(options_.root + "/proc/meminfo"),
      vmstat_(options_.root + "/proc/vmstat"),
      self_stat_(options_.root + "/proc/self/stat"),
      self_status_(options_.root + "/proc/self/status"),
      self_io_(options_.root + "/proc/self/io"),
      network_(options_.root + "/proc/net/dev"),
      pressures_{KernelFile(options_.root + "/proc/pressure/cpu"),
                 KernelFile(options_.root + "/proc/pressure/memory"),
                 KernelFile(options_.root + "/proc/pressure/io")},
      open_files_folder_(options_.root + "/proc/self/fd"),
      groups_(options_.root),
      sensors_(options_.root),
      disk_(options_.root, options_.data_folder) {
  // Since Linux 6.2 the size of this folder is the number of its entries.
  struct stat status = {};
  struct statfs system = {};
  counts_files_by_size_ = ::statfs(open_files_folder_.c_str(), &system) == 0 && system.f_type == kProcMagic &&
                          ::stat(open_files_folder_.c_str(), &status) == 0 && status.st_size > 0;
}

template <typename Problem>
void CounterReader::put(Reading& reading, Counter counter, std::optional<double> value,
                        const Problem& problem) {
  const auto index = static_cast<size_t>(counter);
  reading.counters[index] = value;
  std::string& kept = counter_problems_[index];
  if (value) {
    kept.clear();
  } else if (kept.empty()) {
    kept = problem();
  }
}

template <typename Problem>
void CounterReader::put(Reading& reading, SampleField field, std::optional<double> value,
                        const Problem& problem) {
  const auto index = static_cast<size_t>(field);
  reading.figures[index] = value;
  std::string& kept = figure_problems_[index];
  if (value) {
    kept.clear();
  } else if (kept.empty()) {
    kept = problem();
  }
}

void CounterReader::read(Reading& reading) {
  reading.at = std::chrono::steady_clock::now();
  read_stat(reading);
  read_memory(reading);
  read_process(reading);
  read_process_status(reading);
  read_disk(reading);
  read_network(reading);
  read_pressure(reading);
  read_sensors(reading);
}

void CounterReader::read_stat(Reading& reading) {
  for (CoreSeconds& core : reading.cores) core = {};
  std::optional<CpuTicks> machine;
  const auto text = stat_.read(buffer_);
  std::string_view rest = text.value_or(std::string_view());
  while (!rest.empty()) {
    std::string_view line = next_line(rest);
    const std::string_view name = next_word(line);
    if (!name.starts_with("cpu")) break;  // the lines of cores come first
    const auto ticks = cpu_ticks(line);
    if (name == "cpu") {
      machine = ticks;
      continue;
    }
    const auto number = whole_number_of(name.substr(3));
    if (!ticks || !number || *number > 65535) continue;
    if (reading.cores.size() <= *number) reading.cores.resize(*number + 1);
    reading.cores[*number] = {ticks->all * tick_seconds(),
                              (ticks->all - ticks->idle - ticks->iowait) * tick_seconds(), true};
  }
  const auto problem = [&] { return text ? stat_.path() + ": has no line of all cores" : stat_.problem(); };
  const auto of = [&](double CpuTicks::*part) {
    return machine ? std::optional((*machine).*part * tick_seconds()) : std::nullopt;
  };
  put(reading, Counter::kCpuSeconds, of(&CpuTicks::all), problem);
  put(reading, Counter::kCpuIowaitSeconds, of(&CpuTicks::iowait), problem);
  put(reading, Counter::kCpuStealSeconds, of(&CpuTicks::steal), problem);
  std::optional<double> busy;
  if (machine) busy = (machine->all - machine->idle - machine->iowait) * tick_seconds();
  put(reading, Counter::kCpuBusySeconds, busy, problem);

  const auto load = load_.read(buffer_);
  std::string_view words = load.value_or(std::string_view());
  put(reading, SampleField::kLoadAverage, real_number_of(next_word(words)), [&] { return load_.problem(); });
}

void CounterReader::read_memory(Reading& reading) {
  const auto meminfo = meminfo_.read(buffer_);
  const auto bytes_of = [&](std::string_view key) {
    return meminfo ? scaled(number_behind(*meminfo, key), 1024) : std::nullopt;
  };
  const auto problem = [&] { return meminfo ? meminfo_.path() + ": has no such line" : meminfo_.problem(); };
  const auto swap_total = bytes_of("SwapTotal"), swap_free = bytes_of("SwapFree");
  std::optional<double> swap_used;
  if (swap_total && swap_free) swap_used = std::max(0.0, *swap_total - *swap_free);
  put(reading, SampleField::kMemoryTotal, bytes_of("MemTotal"), problem);
  put(reading, SampleField::kMemoryAvailable, bytes_of("MemAvailable"), problem);
  put(reading, SampleField::kSwapTotal, swap_total, problem);
  put(reading, SampleField::kSwapUsed, swap_used, problem);

  const auto vmstat = vmstat_.read(buffer_);
  const auto page_bytes = static_cast<double>(::sysconf(_SC_PAGESIZE));
  const auto swapped = [&](std::string_view key) {
    return vmstat ? scaled(number_behind(*vmstat, key), page_bytes) : std::nullopt;
  };
  const auto no_swapping = [&] {
    return vmstat ? vmstat_.path() + ": counts no swapping" : vmstat_.problem();
  };
  put(reading, Counter::kSwapInBytes, swapped("pswpin"), no_swapping);
  put(reading, Counter::kSwapOutBytes, swapped("pswpout"), no_swapping);

  const ControlGroups::Memory group = groups_.memory(buffer_);
  put(reading, SampleField::kCgroupMemory, group.used_bytes,
      [] { return std::string("no control group counts memory"); });
  put(reading, SampleField::kCgroupMemoryLimit, group.limit_bytes,
      [] { return std::string("no control group limits memory"); });
  put(reading, Counter::kThrottledSeconds, groups_.throttled_seconds(buffer_),
      [] { return std::string("no control group counts throttled time"); });
}

void CounterReader::read_process(Reading& reading) {
  std::optional<double> minor_faults, major_faults, cpu_seconds;
  const auto stat = self_stat_.read(buffer_);
  if (stat) {
    // The program's name is in brackets and may hold anything; the state follows as the third column.
    std::string_view rest = stat->substr(std::min(stat->rfind(')'), stat->size() - 1) + 1);
    std::array<std::optional<uint64_t>, 13> columns;  // 3: state ... 10: minflt, 12: majflt, 14, 15: times
    for (auto& column : columns) column = whole_number_of(next_word(rest));
    minor_faults = scaled(columns[7], 1);
    major_faults = scaled(columns[9], 1);
    if (columns[11] && columns[12]) cpu_seconds = scaled(*columns[11] + *columns[12], tick_seconds());
  }
  if (options_.root.empty()) cpu_seconds = process_cpu_clock();
  const auto problem = [&] { return self_stat_.problem(); };
  put(reading, Counter::kMinorFaults, minor_faults, problem);
  put(reading, Counter::kMajorFaults, major_faults, problem);
  put(reading, Counter::kProcessCpuSeconds, cpu_seconds, problem);

  const auto io = self_io_.read(buffer_);
  const auto bytes_of = [&](std::string_view key) {
    return io ? scaled(number_behind(*io, key), 1) : std::nullopt;
  };
  // What was cancelled before it was written is not taken off: it would make the counter go backwards.
  const auto no_io = [&] { return self_io_.problem(); };
  put(reading, Counter::kProcessReadBytes, bytes_of("read_bytes"), no_io);
  put(reading, Counter::kProcessWriteBytes, bytes_of("write_bytes"), no_io);
}

void CounterReader::read_process_status(Reading& reading) {
  const auto status = self_status_.read(buffer_);
  const auto number_of = [&](std::string_view key, double scale) {
    return status ? scaled(number_behind(*status, key), scale) : std::nullopt;
  };
  const auto problem = [&] {
    return status ? self_status_.path() + ": has no such line" : self_status_.problem();
  };
  put(reading, SampleField::kProcessResident, number_of("VmRSS", 1024), problem);
  put(reading, SampleField::kProcessPeak, number_of("VmHWM", 1024), problem);
  put(reading, SampleField::kThreads, number_of("Threads", 1), problem);
  put(reading, SampleField::kOpenFiles, open_files(),
      [&] { return fmt::format("{}: {}", open_files_folder_, std::generic_category().message(errno)); });
}

std::optional<double> CounterReader::open_files() {
  if (counts_files_by_size_) {
    struct stat status = {};
    if (::stat(open_files_folder_.c_str(), &status) != 0) return std::nullopt;
    return static_cast<double>(status.st_size);
  }
  DIR* const folder = ::opendir(open_files_folder_.c_str());
  if (folder == nullptr) return std::nullopt;
  int count = -1;  // the one by which the folder is read
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this call's own
  while (const dirent* entry = ::readdir(folder)) {
    if (entry->d_name[0] != '.') ++count;
  }
  ::closedir(folder);
  return std::max(count, 0);
}

void CounterReader::read_disk(Reading& reading) {
  struct statvfs space = {};
  std::optional<double> total, free;
  int failure = 0;
  if (!options_.data_folder.empty()) {
    if (::statvfs(options_.data_folder.c_str(), &space) == 0) {
      const auto block_bytes = static_cast<double>(space.f_frsize);
      total = static_cast<double>(space.f_blocks) * block_bytes;
      free = static_cast<double>(space.f_bavail) * block_bytes;
    } else {
      failure = errno;
    }
  }
  const auto problem = [&] {
    if (options_.data_folder.empty()) return std::string("no data folder is in use");
    return fmt::format("{}: {}", options_.data_folder, std::generic_category().message(failure));
  };
  put(reading, SampleField::kDiskTotal, total, problem);
  put(reading, SampleField::kDiskFree, free, problem);

  const auto counts = disk_.read(buffer_);
  const auto of = [&](double DataDisk::Counts::*part) {
    return counts ? std::optional((*counts).*part) : std::nullopt;
  };
  const auto no_disk = [&] { return disk_.problem(); };
  put(reading, Counter::kDiskReadBytes, of(&DataDisk::Counts::read_bytes), no_disk);
  put(reading, Counter::kDiskWriteBytes, of(&DataDisk::Counts::written_bytes), no_disk);
  put(reading, Counter::kDiskBusySeconds, of(&DataDisk::Counts::busy_seconds), no_disk);
}

// Bridges and tunnels carry again what an interface with hardware behind it carries.
bool CounterReader::is_physical(std::string_view interface) {
  path_.assign(options_.root).append("/sys/class/net/").append(interface).append("/device");
  return ::access(path_.c_str(), F_OK) == 0;
}

void CounterReader::read_network(Reading& reading) {
  double received = 0, sent = 0, physical_received = 0, physical_sent = 0;
  bool has_any = false, has_physical = false;
  const auto text = network_.read(buffer_);
  std::string_view rest = text.value_or(std::string_view());
  while (!rest.empty()) {
    std::string_view line = next_line(rest);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;  // the two lines of heads
    std::string_view name = line.substr(0, colon);
    line.remove_prefix(colon + 1);
    name = next_word(name);
    if (name == "lo") continue;
    std::array<std::optional<uint64_t>, 9> columns;  // 0: bytes received, 8: bytes sent
    for (auto& column : columns) column = whole_number_of(next_word(line));
    if (!columns[0] || !columns[8]) continue;
    has_any = true;
    received += static_cast<double>(*columns[0]);
    sent += static_cast<double>(*columns[8]);
    if (!is_physical(name)) continue;
    has_physical = true;
    physical_received += static_cast<double>(*columns[0]);
    physical_sent += static_cast<double>(*columns[8]);
  }
  std::optional<double> in, out;
  if (has_any) {
    in = has_physical ? physical_received : received;
    out = has_physical ? physical_sent : sent;
  }
  const auto problem = [&] { return text ? std::string("there is no network but lo") : network_.problem(); };
  put(reading, Counter::kNetworkReceivedBytes, in, problem);
  put(reading, Counter::kNetworkSentBytes, out, problem);
}

// "some avg10=0.00 avg60=0.00 avg300=0.00 total=12345", in microseconds.
void CounterReader::read_pressure(Reading& reading) {
  constexpr std::array kCounters = {Counter::kCpuPressureSeconds, Counter::kMemoryPressureSeconds,
                                    Counter::kIoPressureSeconds};
  for (size_t i = 0; i < kCounters.size(); ++i) {
    std::optional<double> seconds;
    if (const auto text = pressures_[i].read(buffer_)) {
      std::string_view rest = *text;
      const std::string_view line = next_line(rest);
      const size_t total = line.find("total=");
      if (line.starts_with("some ") && total != std::string_view::npos) {
        seconds = scaled(whole_number_of(line.substr(total + 6)), 1e-6);
      }
    }
    put(reading, kCounters[i], seconds, [&] { return pressures_[i].problem(); });
  }
}

void CounterReader::read_sensors(Reading& reading) {
  put(reading, SampleField::kTemperature, sensors_.hottest_celsius(buffer_),
      [] { return std::string("the machine shows no sensor (as most virtual ones)"); });
  const auto no_frequency = [] {
    return std::string("the machine does not show its cores' frequencies (as most virtual ones)");
  };
  put(reading, SampleField::kFrequency, sensors_.frequency_hertz(buffer_), no_frequency);
  put(reading, SampleField::kFrequencyLimit, sensors_.frequency_limit_hertz(buffer_), no_frequency);
  put(reading, Counter::kThermalThrottles, sensors_.thermal_throttles(buffer_),
      [] { return std::string("the machine does not count them (as most virtual ones, and all but x86)"); });
}

}  // namespace snug
