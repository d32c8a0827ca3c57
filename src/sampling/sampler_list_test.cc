#include "sampling/sampler_list.h"

#include <set>

#include <gtest/gtest.h>

#include "base/error.h"

namespace snug {
namespace {

TEST(SamplerList, EveryNameFindsItsRow) {
  for (const SamplerInfo& row : sampler_list()) {
    for (const std::string_view name : {row.name, row.a1111_label, row.alias}) {
      EXPECT_EQ(find_sampler(name).sampler, &row) << name;
    }
    EXPECT_EQ(find_sampler(row.diffusers_class).sampler->kind, row.kind);
    EXPECT_EQ(sampler_kind_of_class(row.diffusers_class), row.kind);
  }
}

TEST(SamplerList, NamesAreUnique) {
  std::set<std::string_view> names;
  for (const SamplerInfo& row : sampler_list()) EXPECT_TRUE(names.insert(row.name).second) << row.name;
}

TEST(SamplerList, UnderstandsWhatUsersOfOtherProgramsWrite) {
  const struct {
    const char* written;
    const char* meant;
  } cases[] = {{"DPM++ 2M Karras", "dpmpp_2m_karras"},
               {"DPM++ 2M SDE Karras", "dpmpp_2m_sde_karras"},
               {"DPM++ 3M SDE Exponential", "dpmpp_3m_sde_exponential"},
               {"DPM++ SDE Karras", "dpmpp_sde_karras"},
               {"Euler a", "euler_a"},
               {"euler-ancestral", "euler_a"},
               {"k_euler", "euler"},
               {"EULER", "euler"},
               {"DPM2 a Karras", "dpm2_a_karras"},
               {"dpm_2_ancestral", "dpm2_a"},
               {"LMS Karras", "lms_karras"},
               {"PLMS", "pndm"},
               {"UniPC", "unipc"},
               {"uni_pc", "unipc"},
               {"UniPCMultistepScheduler", "unipc"},
               {"DPMSolverMultistepScheduler", "dpmpp_2m"},
               {"Euler Beta", "euler_beta"},
               {"Heun Simple", "heun_simple"}};
  for (const auto& [written, meant] : cases) EXPECT_EQ(sampler_name(find_sampler(written)), meant) << written;
}

TEST(SamplerList, RefusesOtherNamesWithTheNearest) {
  try {
    find_sampler("eular");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(error.fix().find("euler"), std::string::npos) << error.what();
  }
  for (const char* name : {"", "karras", "ddim_karras", "euler_karras_karras", "\xff\xfe"}) {
    EXPECT_THROW(find_sampler(name), Error) << name;
  }
  EXPECT_THROW(find_sampler(std::string(100'000, 'x')), Error);
}

}  // namespace
}  // namespace snug
