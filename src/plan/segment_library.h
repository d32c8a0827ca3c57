// Plans of segments in brief, each made once for all segments that are alike: a model's blocks repeat, and so
// do its experts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plan/phase_facts.h"
#include "plan/segment_course.h"
#include "plan/segment_plan.h"
#include "plan/segments.h"

namespace snug {

class SegmentLibrary {
 public:
  explicit SegmentLibrary(const Rates& rates) : rates_(rates) {}  // they must outlive it

  // A number for all segments that are like this one. `facts` must outlive the library; those of all segments
  // must be from one source of kernels. `rereads`: ways with rereading will be asked for, after those
  // without.
  size_t kind_of(const PhaseFacts& facts, const Segment& segment, bool rereads);

  // How the first segment of a kind runs, in brief.
  std::shared_ptr<const SegmentPlan> plan(size_t kind, const SegmentWay& way);
  // The same as a plan of `segment`, which is of that kind.
  std::shared_ptr<const SegmentPlan> plan_alike(size_t kind, const SegmentWay& way, const PhaseFacts& facts,
                                                const Segment& segment);
  // most_live_bytes of a kind, as long as each value lies in a buffer of its own.
  uint64_t own_peak(size_t kind, const SegmentWay& way);

  // How many plans were made.
  size_t plans_made() const;

 private:
  struct Known {
    std::shared_ptr<const SegmentPlan> plan;
    uint64_t own_peak_bytes = 0;
    std::vector<BriefStep> steps;  // until the same with rereading is known
  };
  struct Kind {
    const PhaseFacts* facts = nullptr;  // of the first of the kind
    Segment segment;
    bool rereads = false;
    std::map<SegmentWay, Known> known;
  };

  const Known& find(size_t kind, const SegmentWay& way);

  const Rates& rates_;
  std::map<std::string, size_t> numbers_;  // by signature
  std::vector<Kind> kinds_;
};

}  // namespace snug
