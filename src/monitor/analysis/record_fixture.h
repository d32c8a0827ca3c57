// For the tests of this folder: the record of a run that nothing held back, to put a stress on, and records
// of real runs, by the way the service takes but for the queue.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "jobs/run_record.h"
#include "monitor/analysis/machine_peaks.h"

namespace snug::testing {

inline MachinePeaks made_up_peaks() {
  MachinePeaks peaks;
  peaks.rates = built_in_rates("avx512", 8);
  peaks.cores = 8;
  return peaks;
}

// One phase as run_figures.cc writes it; arithmetic at three quarters of the machine's rate.
inline nlohmann::ordered_json made_up_phase(const std::string& name, const std::string& stage, int runs,
                                            double seconds) {
  const MachinePeaks peaks = made_up_peaks();
  return {{"name", name},
          {"stage", stage},
          {"runs", runs},
          {"predicted_seconds", seconds},
          {"seconds", seconds},
          {"predicted_waiting_seconds", 0.01 * seconds},
          {"waiting_seconds", 0.01 * seconds},
          {"read_bytes", 1e8 * seconds},
          {"flops", 0.75 * seconds * peaks.rates.f32_flops[0]},
          {"bytes", 0.2 * seconds * peaks.rates.memory_bytes},
          {"streamed_bytes", 0},
          {"spilled_bytes", 0},
          {"passes", 1},
          {"bands", 1},
          {"measures", nlohmann::ordered_json::array()}};
}

// Ten seconds of computing in three phases, measured by everything that can measure.
struct MadeUpRun {
  RunRecord record;
  nlohmann::ordered_json detail;

  MadeUpRun() {
    record.id = "made-up";
    record.state = "done";
    record.kind = "text_to_image";
    record.model = "a model";
    record.precision = "f32";
    record.width = record.height = 512;
    record.steps = 20;
    record.finished_ms = 1'795'305'600'000;
    record.threads = 8;
    record.queue_seconds = 0.05;
    record.turn_wait_seconds = 0;
    record.load_seconds = 0.05;
    record.plan_seconds = 0.05;
    record.total_seconds = 10.2;
    record.phases_seconds = 10;
    record.waiting_seconds = 0.1;
    record.predicted_waiting_seconds = 0.1;
    record.read_bytes = 1'000'000'000;
    record.disk_read_bytes = 0;
    record.cpu_percent = 98;
    record.other_cpu_percent = 0.5;
    record.throttled_seconds = record.memory_pressure_seconds = record.io_pressure_seconds = 0;
    record.cpu_pressure_seconds = 0.1;
    detail["phases"] = {made_up_phase("encode_text", "encode", 1, 0.2),
                        made_up_phase("step", "denoise", 20, 8.8), made_up_phase("decode", "decode", 1, 1)};
    detail["machine"] = {
        {"frequency_hertz", 2.9e9}, {"frequency_limit_hertz", 3.0e9}, {"thermal_throttles", 0}};
  }

  nlohmann::ordered_json& phase(size_t number) { return detail["phases"][number]; }
  // Makes a number of a phase larger.
  void grow(size_t number, const char* name, double by) {
    phase(number)[name] = phase(number)[name].get<double>() + by;
  }
  // Kernels of that phase wait longer for weights, and all of it takes that much longer.
  void wait_longer(size_t number, double seconds) {
    grow(number, "waiting_seconds", seconds);
    grow(number, "seconds", seconds);
    record.waiting_seconds = *record.waiting_seconds + seconds;
    longer(seconds);
  }
  void longer(double seconds) { record.total_seconds = *record.total_seconds + seconds; }
  RunRecord finished() const {
    RunRecord result = record;
    result.detail = detail.dump();
    return result;
  }
};

}  // namespace snug::testing
