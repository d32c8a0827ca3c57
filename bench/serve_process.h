// The service as users start it: `snug serve` on a loopback port that the system chooses, with the embedded
// model, no configuration and a data folder of its own. For serve_bench's parts, each of which starts its
// own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace snug::bench {

class ServeProcess {
 public:
  // Answers when it listens. `folder` is there; jobs, and the log that the service writes, lie in it.
  // `settings`: of its environment, "SNUG_RUNS_AT_ONCE=1". Throws internal where the service does not start:
  // with what its log says.
  explicit ServeProcess(const std::string& folder, const std::vector<std::string>& settings = {});
  // Asks it to stop, and kills it when it does not.
  ~ServeProcess();
  ServeProcess(const ServeProcess&) = delete;
  ServeProcess& operator=(const ServeProcess&) = delete;

  uint16_t port() const { return port_; }
  // Now, by the system: anonymous memory and mapped files. Throws io_error when the service is gone.
  uint64_t resident_bytes() const;
  // Of all files of its database, blobs and log.
  uint64_t stored_bytes() const;

 private:
  std::string data_folder() const { return folder_ + "/data"; }

  std::string folder_;
  pid_t process_ = -1;
  uint16_t port_ = 0;
};

}  // namespace snug::bench
