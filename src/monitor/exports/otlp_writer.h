// A job as an OpenTelemetry trace, in OTLP's JSON encoding, one TracesData object a line:
// https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding (names in lowerCamelCase, identities in
// hexadecimal, 64-bit integers and times as decimal strings, enumerations as numbers) and
// https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/ (lines). Called by export_records.
//
// The root span, "job", reaches from a job's acceptance to its end. Below it stands one span for each part of
// the time that the record knows: queue, earlier, plan, load, encode, denoise, decode, write, keep,
// turn_wait, unfinished. Their lengths are measured; where each begins is not kept, so they are laid one
// after the other in this order, from the acceptance on. Waiting for a turn happens between kernels, here it
// stands at the end.
//
// Trace and span identities are made from the job's: exporting twice gives the same trace. Attributes are
// OpenTelemetry's where it has a name (gen_ai.*, error.type), and every column of the record as
// snug.run.COLUMN.
#pragma once

#include <string>

#include "monitor/exports/export_records.h"

namespace snug {

void append_trace(const ExportedRun& run, std::string& out);

}  // namespace snug
