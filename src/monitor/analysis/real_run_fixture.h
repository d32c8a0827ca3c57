// For the tests of this folder: real runs of the embedded model, from a disk as slow as one likes, as
// records.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/file_tree.h"
#include "jobs/run_figures.h"
#include "models/embedded_model.h"
#include "models/model_graphs.h"
#include "pipeline/generate.h"
#include "pipeline/open_model.h"

namespace snug::testing {

// Bytes that come as slowly as from a disk of that many a second.
class SlowSource final : public ByteSource {
 public:
  SlowSource(std::unique_ptr<ByteSource> inner, double bytes_per_second)
      : inner_(std::move(inner)), bytes_per_second_(bytes_per_second) {}
  const std::string& name() const override { return inner_->name(); }
  uint64_t size() const override { return inner_->size(); }
  void read_at(uint64_t offset, std::span<std::byte> out) const override {
    std::this_thread::sleep_for(
        std::chrono::duration<double>(static_cast<double>(out.size()) / bytes_per_second_));
    inner_->read_at(offset, out);
  }

 private:
  std::unique_ptr<ByteSource> inner_;
  double bytes_per_second_;
};

// A folder whose files of weights come from a disk of that many bytes a second.
class SlowFolder final : public FileTree {
 public:
  SlowFolder(std::shared_ptr<const FileTree> inner, double bytes_per_second)
      : inner_(std::move(inner)), bytes_per_second_(bytes_per_second) {}
  const std::string& name() const override { return inner_->name(); }
  bool has(const std::string& relative) const override { return inner_->has(relative); }
  std::vector<std::string> list(const std::string& folder) const override { return inner_->list(folder); }
  std::unique_ptr<ByteSource> open(const std::string& relative) const override {
    std::unique_ptr<ByteSource> file = inner_->open(relative);
    if (!relative.ends_with(".safetensors")) return file;
    return std::make_unique<SlowSource>(std::move(file), bytes_per_second_);
  }

 private:
  std::shared_ptr<const FileTree> inner_;
  double bytes_per_second_;
};

inline std::shared_ptr<const Model> model_on_disk(double bytes_per_second) {
  Checkpoint checkpoint = open_checkpoint(std::make_shared<SlowFolder>(embedded_model(), bytes_per_second));
  checkpoint.name = kEmbeddedModelName;
  ModelDescription description = describe_model(checkpoint, {});
  check_weights(description);
  ClipTokenizer tokenizer = ClipTokenizer::load(*checkpoint.files, "tokenizer");
  return std::make_shared<const Model>(Model{std::string(kEmbeddedModelName),
                                             "slow",
                                             std::move(checkpoint),
                                             std::nullopt,
                                             std::move(description),
                                             {std::move(tokenizer)},
                                             {},
                                             {},
                                             {}});
}

inline RequestFields small_request(int64_t steps = 4, int64_t side = 64) {
  RequestFields fields;
  fields.prompt = "a hill by a lake";
  fields.seed = 1;
  fields.width = fields.height = side;
  fields.steps = steps;
  return fields;
}

// As the service's, of a job that did not wait.
inline RunRecord record_of(const RunReport& report, const std::optional<MachineUse>& use = std::nullopt) {
  RunRecord record = run_figures(report, use, 0);
  record.state = "done";
  record.model = report.model;
  record.machine = machine_name();
  record.steps = report.steps;
  record.queue_seconds = 0;
  record.total_seconds = report.total_seconds;
  return record;
}

}  // namespace snug::testing
