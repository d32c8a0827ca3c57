// How long requests take that the cache answers: at a steady rate, one after the other, and beside making the
// picture.
#pragma once

#include <string>
#include <vector>

#include "bench/serve_client.h"

namespace snug::bench {

// What the disk takes for what an accepted job needs at least: seconds of appending 4 KiB to a file in that
// folder and having the system put it on the disk (fdatasync). Throws io_error.
std::vector<double> synced_write_seconds(const std::string& folder, int count);

// Open loop: when each request goes out is fixed before the first one, whatever the service does. A request
// that must wait for a free connection was due before: that waiting counts.
struct OpenLoop {
  double per_second = 200;
  double seconds = 15;
  int connections = 8;
  Ask picture = {};  // those that are in the cache: with seeds and prompts of their own
};
struct HitTimes {
  std::vector<double> accepted;  // due, until the answer that it is done was read
  std::vector<double> fetched;   // its picture's request, until the last byte was read
  std::vector<double> both;      // due, until the last byte of the picture
};
// Submissions of cached pictures, each followed by its picture's download. Throws internal where one is not
// answered from the cache.
HitTimes time_hits_open(uint16_t port, const OpenLoop& load);

// Closed loop: each client sends its next request when the one before is answered.
struct ClosedLoop {
  int clients = 1;
  double seconds = 5;
  Ask picture = {};
};
struct ClosedTimes {
  int clients = 1;
  std::vector<double> seconds;  // of each hit, picture included
  double per_second = 0;
};
ClosedTimes time_hits_closed(uint16_t port, const ClosedLoop& load);

// One picture after the other: made, then asked for again.
struct HitPairs {
  std::vector<double> made;  // request sent, until the last byte of the picture
  std::vector<double> hit;   // the same request again, likewise
  int equal = 0;             // pairs whose two files are the same, byte for byte
};
HitPairs time_pairs(uint16_t port, int pairs, const Ask& first);

}  // namespace snug::bench
