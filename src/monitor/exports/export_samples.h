// Samples of the machine (monitor/samples) in the forms of export_form.h that are tables: a row is one sample
// or, where samples are gone, the summary of a minute, an hour or a day. Called by `snug export --samples`.
//
// Columns: time_ms, resolution, samples (how many the row stands for), then the mean of each field of
// sample_fields(), in their order, with the seven digits that the store keeps; `with_extremes` adds the least
// and the most of each as NAME_least and NAME_most. Unknown is null, empty or left out. Single cores and
// cards are not kept, so they are not here.
//
//   InfluxDB       measurement snug_sample; tag resolution
//   Elasticsearch  index snug-samples, resolution and time as _id
#pragma once

#include <cstdint>

#include "base/cancellation.h"
#include "monitor/exports/export_form.h"
#include "monitor/samples/sample_store.h"

namespace snug {

struct SampleExport {
  int64_t from_ms = 0, to_ms = 0;  // since 1970; the hour that from_ms is in is whole
  bool with_extremes = false;
};

// In the order of time, an hour in memory at a time. Returns how many rows there were. Throws unsupported for
// otlp, what the store and the sink do, and cancelled.
int64_t export_samples(ExportForm form, SampleStore& store, const SampleExport& what, const TextSink& sink,
                       const Cancellation* cancellation = nullptr);

}  // namespace snug
