#include "monitor/samples/data_disk.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace snug {
namespace {

// By the kernel's documentation (iostats): always of 512 bytes, whatever the disk's are.
constexpr double kSectorBytes = 512;

struct Mount {
  std::string type, source;
};

bool lies_in(const std::string& folder, const std::string& mount_point) {
  if (mount_point == "/") return true;
  return folder.starts_with(mount_point) &&
         (folder.size() == mount_point.size() || folder[mount_point.size()] == '/');
}

// The mount that `folder` lies in: the longest that fits, of equal ones the last. Not by the device's number:
// a btrfs subvolume has another one than its mount.
std::optional<Mount> mount_of(const std::string& root, const std::string& folder) {
  std::ifstream file(root + "/proc/self/mountinfo");
  std::string line;
  std::optional<Mount> found;
  size_t longest = 0;
  while (std::getline(file, line)) {
    const size_t separator = line.find(" - ");
    std::istringstream words(line);
    std::string id, parent, number, inner, point;
    if (separator == std::string::npos || !(words >> id >> parent >> number >> inner >> point)) continue;
    if (point.size() < longest || !lies_in(folder, point)) continue;
    std::istringstream rest(line.substr(separator + 3));
    Mount mount;
    if (!(rest >> mount.type >> mount.source)) continue;
    longest = point.size();
    found = std::move(mount);
  }
  return found;
}

}  // namespace

DataDisk::DataDisk(const std::string& root, const std::string& folder)
    : statistics_(root + "/proc/diskstats") {
  struct stat status = {};
  if (folder.empty() || ::stat(folder.c_str(), &status) != 0) {
    problem_ = folder.empty() ? "no data folder is in use"
                              : fmt::format("{}: {}", folder, std::generic_category().message(errno));
    return;
  }
  major_ = major(status.st_dev);
  minor_ = minor(status.st_dev);
  if (major_ != 0) return;
  std::error_code failed;
  const auto mount = mount_of(root, std::filesystem::canonical(folder, failed).string());
  if (mount && mount->source.starts_with("/dev/")) {
    // /dev/mapper/name is a link to ../dm-0.
    const auto device = std::filesystem::weakly_canonical(root + mount->source, failed);
    name_ = failed ? mount->source.substr(5) : device.filename().string();
  } else {
    problem_ = fmt::format("the data folder's file system{} is not on a disk of its own",
                           mount ? " (" + mount->type + ")" : "");
  }
  minor_ = 0;
}

std::optional<DataDisk::Counts> DataDisk::read(std::vector<char>& buffer) {
  if (major_ == 0 && name_.empty()) return std::nullopt;
  const auto text = statistics_.read(buffer);
  if (!text) {
    problem_ = statistics_.problem();
    return std::nullopt;
  }
  std::string_view rest = *text;
  while (!rest.empty()) {
    std::string_view line = next_line(rest);
    const auto disk_major = whole_number_of(next_word(line)), disk_minor = whole_number_of(next_word(line));
    const std::string_view name = next_word(line);
    if (name_.empty() ? disk_major != major_ || disk_minor != minor_ : name != name_) continue;
    // reads, merged, sectors, ms; writes, merged, sectors, ms; in flight, ms busy
    std::array<double, 10> numbers = {};
    for (double& number : numbers) {
      const auto next = whole_number_of(next_word(line));
      if (!next) return std::nullopt;
      number = static_cast<double>(*next);
    }
    problem_.clear();
    return Counts{numbers[2] * kSectorBytes, numbers[6] * kSectorBytes, numbers[9] / 1000};
  }
  problem_ = fmt::format("{} has no row for the data folder's disk", statistics_.path());
  return std::nullopt;
}

}  // namespace snug
