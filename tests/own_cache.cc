// A cache folder of its own for every test program: what the machine's user has measured, or an earlier run
// has learnt, must decide nothing that a test expects, and tests must leave nothing behind for the user's
// programs.
#include <cstdlib>
#include <optional>

#include <gtest/gtest.h>

#include "base/temporary_folder.h"

namespace snug::testing {
namespace {

class OwnCache final : public ::testing::Environment {
 public:
  void SetUp() override {
    folder_.emplace();
    ASSERT_EQ(::setenv("XDG_CACHE_HOME", folder_->path().c_str(), 1), 0);
  }
  void TearDown() override { folder_.reset(); }

 private:
  std::optional<TemporaryFolder> folder_;
};

// GoogleTest owns it.
[[maybe_unused]] const ::testing::Environment* const kOwnCache =
    ::testing::AddGlobalTestEnvironment(new OwnCache);

}  // namespace
}  // namespace snug::testing
