#include "monitor/analysis/time_shares.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace snug {
namespace {

using Kind = BottleneckKind;

// Reading may take this much longer than predicted before the disk is to blame.
constexpr double kReadingTolerance = 1.25;
// Less than this of the bytes, or of the waiting, is no sign of a disk.
constexpr double kLeastDiskSign = 0.05;
constexpr double kSlowClock = 0.75;
constexpr double kBusyPercent = 80;

double& of(KindSeconds& seconds, Kind kind) { return seconds[static_cast<size_t>(kind)]; }

double known(const std::optional<double>& value) {
  return value.has_value() && std::isfinite(*value) ? std::max(0.0, *value) : 0;
}

// Each part's times before anything is claimed.
class Sharing {
 public:
  Sharing(const RunRecord& record, const MachinePeaks& peaks) : record_(record), peaks_(peaks) {}

  TimeShares share() {
    shares_.total_seconds = known(record_.total_seconds);
    if (record_.cached || shares_.total_seconds <= 0) {
      shares_.total_seconds = 0;
      undecide_all(record_.cached ? "the job was answered from the cache, without a run"
                                  : "the job has no measured time");
      return std::move(shares_);
    }
    detail_ = read_run_detail(record_.detail);
    settle_parts();
    settle_threads();
    settle_machine();
    settle_disk();
    for (PhaseShare& part : shares_.phases) claim_phase(part);
    claim_rest();
    undecide();
    return std::move(shares_);
  }

 private:
  void undecide(Kind kind, std::string reason) { shares_.undecided.push_back({kind, std::move(reason)}); }
  void undecide_all(const std::string& reason) {
    for (size_t kind = 0; kind < kBottleneckKinds; ++kind) undecide(static_cast<Kind>(kind), reason);
  }

  // Parts measured apart may add up to a little more than the total, by rounding: they are scaled to it.
  void settle_parts() {
    queue_ = known(record_.queue_seconds) + known(record_.turn_wait_seconds);
    load_ = known(record_.load_seconds);
    earlier_ = known(record_.earlier_seconds);
    double phases = 0;
    if (detail_) {
      for (const RunPhase& phase : detail_->phases) {
        shares_.phases.push_back({phase, {}, 0, 0});
        phases += phase.seconds;
      }
    }
    const double parts = queue_ + load_ + earlier_ + phases;
    if (parts > shares_.total_seconds) {
      const double factor = shares_.total_seconds / parts;
      for (double* part : {&queue_, &load_, &earlier_, &phases}) *part *= factor;
      for (PhaseShare& share : shares_.phases) {
        for (double* time :
             {&share.phase.seconds, &share.phase.waiting_seconds, &share.phase.predicted_waiting_seconds})
          *time *= factor;
      }
    }
    shares_.run_seconds = std::max(0.0, shares_.total_seconds - queue_ - earlier_);
    rest_ = std::max(0.0, shares_.run_seconds - load_ - phases);
    of(shares_.seconds, Kind::kQueue) = queue_;
  }

  void settle_threads() {
    if (record_.threads && *record_.threads > 0) shares_.threads = static_cast<double>(*record_.threads);
    if (peaks_.cores > 0) {
      const double cores = peaks_.cores;
      shares_.threads = shares_.threads > 0 ? std::min(shares_.threads, cores) : cores;
    }
  }

  // The machine's part in each second of the run.
  void settle_machine() {
    if (shares_.run_seconds <= 0) return;
    if (record_.throttled_seconds && shares_.threads > 0) {
      shares_.throttled_fraction =
          std::min(1.0, known(record_.throttled_seconds) / shares_.threads / shares_.run_seconds);
    }
    settle_clock();
    if (record_.other_cpu_percent && peaks_.cores > 0 && shares_.threads > 0) {
      const double cores = peaks_.cores;
      const double left = cores * (1 - std::min(1.0, known(record_.other_cpu_percent) / 100));
      shares_.other_programs_fraction = std::max(0.0, 1 - left / shares_.threads);
    }
    memory_fraction_ = std::min(1.0, known(record_.memory_pressure_seconds) / shares_.run_seconds);
  }

  void settle_clock() {
    if (!detail_ || !detail_->frequency_hertz || known(detail_->frequency_limit_hertz) <= 0) return;
    const bool was_busy = known(record_.cpu_percent) >= kBusyPercent || known(detail_->thermal_throttles) > 0;
    const double ratio = *detail_->frequency_hertz / *detail_->frequency_limit_hertz;
    if (was_busy && ratio < kSlowClock) shares_.slow_clock_fraction = 1 - ratio;
  }

  void settle_disk() {
    const double read =
        known(record_.read_bytes ? std::optional(static_cast<double>(*record_.read_bytes)) : std::nullopt);
    const bool knows = record_.disk_read_bytes.has_value() && record_.io_pressure_seconds.has_value();
    const bool bytes = record_.disk_read_bytes && read > 0 &&
                       static_cast<double>(*record_.disk_read_bytes) >= kLeastDiskSign * read;
    const bool waited = record_.io_pressure_seconds &&
                        *record_.io_pressure_seconds > kLeastDiskSign * known(record_.waiting_seconds) &&
                        known(record_.waiting_seconds) > 0;
    shares_.disk_counted = bytes || waited;
    disk_denied_ = knows && !shares_.disk_counted;
  }

  void claim_waiting(const RunPhase& phase, KindSeconds& claims) {
    const double reread = std::min(
        phase.read_bytes, phase.streamed_bytes * static_cast<double>(std::max<int64_t>(0, phase.runs - 1)));
    // A kept run reads nothing but what is streamed.
    const double streamed = record_.kept ? phase.read_bytes : reread;
    shares_.reread_bytes += streamed;
    if (phase.read_bytes <= 0) return;
    const double again = streamed / phase.read_bytes;
    const double expected =
        std::min(phase.waiting_seconds, kReadingTolerance * phase.predicted_waiting_seconds);
    const double excess = phase.waiting_seconds - expected;
    of(claims, Kind::kLoad) += expected * (1 - again);
    of(claims, disk_denied_ ? Kind::kLoad : Kind::kDisk) += excess * (1 - again);
    of(claims, Kind::kMemoryPressure) += expected * again;
    of(claims, shares_.disk_counted ? Kind::kDisk : Kind::kMemoryPressure) += excess * again;
    if (shares_.threads > 0)
      of(claims, Kind::kMemoryPressure) += streamed * peaks_.rates.read_core_seconds / shares_.threads;
  }

  void claim_machine(double seconds, KindSeconds& claims) const {
    of(claims, Kind::kThrottling) += seconds * (shares_.throttled_fraction + shares_.slow_clock_fraction);
    of(claims, Kind::kOtherPrograms) += seconds * shares_.other_programs_fraction;
    of(claims, Kind::kMemoryPressure) += seconds * memory_fraction_;
  }

  // Scales claims down to what there is; returns what is left.
  double settle(double seconds, KindSeconds& claims) {
    double sum = 0;
    for (const double claim : claims) sum += claim;
    if (sum > seconds) {
      for (double& claim : claims) claim *= seconds / sum;
      sum = seconds;
    }
    for (size_t kind = 0; kind < kBottleneckKinds; ++kind) shares_.seconds[kind] += claims[kind];
    return seconds - sum;
  }

  void claim_phase(PhaseShare& part) {
    const RunPhase& phase = part.phase;
    claim_waiting(phase, part.seconds);
    if (peaks_.rates.spill_bytes > 0) {
      of(part.seconds, Kind::kMemoryPressure) +=
          2 * phase.spilled_bytes * static_cast<double>(phase.runs) / peaks_.rates.spill_bytes;
    }
    claim_machine(phase.seconds, part.seconds);
    const double left = settle(phase.seconds, part.seconds);
    const bool decided = roof(part);
    if (!decided) {
      shares_.unattributed_seconds += left;
      return;
    }
    const Kind kind =
        part.ideal_compute_seconds >= part.ideal_memory_seconds ? Kind::kCompute : Kind::kMemoryBandwidth;
    of(part.seconds, kind) += left;
    of(shares_.seconds, kind) += left;
  }

  bool is_other_machine() const {
    return !peaks_.machine.empty() && !record_.machine.empty() && peaks_.machine != record_.machine;
  }

  bool roof(PhaseShare& part) const {
    if (is_other_machine() || part.phase.flops <= 0 || part.phase.bytes <= 0) return false;
    Rates rates = peaks_.rates;
    const auto threads = static_cast<int>(record_.threads.value_or(rates.threads));
    if (threads > 0 && rates.threads > 0 && threads != rates.threads)
      rates = scale_to_cores(rates, rates.threads, threads, threads);
    // The text encoder stays in F32 (ARCHITECTURE.md).
    const bool bf16 = record_.precision == "bf16" && part.phase.stage != "encode";
    const auto& flops = bf16 ? rates.bf16_flops : rates.f32_flops;
    const double most = *std::max_element(flops.begin(), flops.end());
    if (most <= 0 || rates.memory_bytes <= 0) return false;
    part.ideal_compute_seconds = part.phase.flops / most;
    part.ideal_memory_seconds = part.phase.bytes / rates.memory_bytes;
    return true;
  }

  void claim_rest() {
    // A claim like the others: were it what they leave, more of it would be theirs alone.
    KindSeconds loading = {};
    if (!record_.kept) of(loading, Kind::kLoad) = load_;
    claim_machine(load_, loading);
    shares_.unattributed_seconds += settle(load_, loading);
    KindSeconds rest = {};
    claim_machine(rest_, rest);
    shares_.unattributed_seconds += settle(rest_, rest) + earlier_;
  }

  void undecide() {
    const std::string unmeasured = "nobody measured the machine during the run: ";
    if (!peaks_.has_gpu) undecide(Kind::kTransfer, "there is no GPU: nothing was transferred");
    if (peaks_.has_gpu) undecide(Kind::kTransfer, "the run's record has no transfer times");
    if (!record_.queue_seconds) undecide(Kind::kQueue, "queue_seconds is not known");
    if (!record_.load_seconds && !record_.kept) undecide(Kind::kLoad, "load_seconds is not known");
    if (!record_.throttled_seconds)
      undecide(Kind::kThrottling, unmeasured + "throttled_seconds is not known");
    if (!detail_ || !detail_->frequency_hertz)
      undecide(Kind::kThrottling, unmeasured + "the cores' frequency is not known");
    if (!record_.other_cpu_percent || peaks_.cores <= 0)
      undecide(Kind::kOtherPrograms, unmeasured + "the others' share of the cores is not known");
    if (!record_.memory_pressure_seconds)
      undecide(Kind::kMemoryPressure, unmeasured + "waiting for memory (PSI) is not known");
    if (shares_.phases.empty() || !record_.phases_seconds) {
      for (const Kind kind : {Kind::kCompute, Kind::kMemoryBandwidth, Kind::kDisk})
        undecide(kind, "the run did not go through all its phases, or their times were not kept");
      return;
    }
    if (is_other_machine()) {
      for (const Kind kind : {Kind::kCompute, Kind::kMemoryBandwidth})
        undecide(kind, fmt::format("the run was on '{}', whose rates are not known here", record_.machine));
    }
    const bool split = std::any_of(shares_.phases.begin(), shares_.phases.end(), [](const PhaseShare& part) {
      return part.phase.bands > 1 || part.phase.passes > 1;
    });
    if (split) {
      undecide(Kind::kMemoryPressure,
               "what computing in bands or passes cost is in no record: planning with more memory tells");
    }
  }

  const RunRecord& record_;
  const MachinePeaks& peaks_;
  std::optional<RunDetail> detail_;
  TimeShares shares_;
  double queue_ = 0, load_ = 0, earlier_ = 0, rest_ = 0, memory_fraction_ = 0;
  bool disk_denied_ = false;
};

}  // namespace

TimeShares share_time(const RunRecord& record, const MachinePeaks& peaks) {
  return Sharing(record, peaks).share();
}

}  // namespace snug
