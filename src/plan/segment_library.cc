#include "plan/segment_library.h"

#include "plan/phase_sequence.h"

namespace snug {

size_t SegmentLibrary::kind_of(const PhaseFacts& facts, const Segment& segment, bool rereads) {
  const auto [found, fresh] = numbers_.try_emplace(signature_of(facts, segment), kinds_.size());
  if (fresh) kinds_.push_back({&facts, segment, rereads, {}});
  return found->second;
}

const SegmentLibrary::Known& SegmentLibrary::find(size_t kind, const SegmentWay& way) {
  Kind& own = kinds_[kind];
  const auto [at, fresh] = own.known.try_emplace(way);
  Known& known = at->second;
  if (!fresh) return known;
  const auto plain = own.known.find({way.bands, way.slice_bytes, false});
  if (way.rereads && plain != own.known.end() && !plain->second.steps.empty()) {
    const Known& like = plain->second;
    known.plan = std::make_shared<SegmentPlan>(
        plan_rereading(*own.facts, own.segment, *like.plan, like.steps, rates_));
    known.own_peak_bytes = like.own_peak_bytes;
    plain->second.steps = {};
    return known;
  }
  const bool keeps = own.rereads && way.bands > 1 && !way.rereads;
  SegmentPlan plan =
      plan_segment(*own.facts, own.segment, way, rates_, PlanDetail::kBrief, keeps ? &known.steps : nullptr);
  known.own_peak_bytes = most_live_bytes(*own.facts, own.segment, plan, home_bytes_of(*own.facts, {}));
  known.plan = std::make_shared<SegmentPlan>(std::move(plan));
  return known;
}

std::shared_ptr<const SegmentPlan> SegmentLibrary::plan(size_t kind, const SegmentWay& way) {
  return find(kind, way).plan;
}

std::shared_ptr<const SegmentPlan> SegmentLibrary::plan_alike(size_t kind, const SegmentWay& way,
                                                              const PhaseFacts& facts,
                                                              const Segment& segment) {
  const Kind& first = kinds_[kind];
  if (first.facts == &facts && first.segment.first == segment.first) return plan(kind, way);
  return std::make_shared<SegmentPlan>(
      snug::plan_alike(facts, segment, *first.facts, first.segment, *plan(kind, way)));
}

uint64_t SegmentLibrary::own_peak(size_t kind, const SegmentWay& way) {
  return find(kind, way).own_peak_bytes;
}

size_t SegmentLibrary::plans_made() const {
  size_t plans = 0;
  for (const Kind& kind : kinds_) plans += kind.known.size();
  return plans;
}

}  // namespace snug
