// Tokens, and that quotas hold.
#include "jobs/token_store.h"

#include <gtest/gtest.h>

#include "jobs/accounts.h"
#include "jobs/job_store.h"
#include "jobs/secret.h"
#include "jobs/store_fixture.h"

namespace snug {
namespace {

constexpr Scopes kGenerate = {true, true, false};
constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kAnyBudget = int64_t{1} << 40;

class TokenStoreTest : public StoreTest {
 protected:
  TokenStoreTest() : tokens_(database()), jobs_(database()) {}

  std::string add(const std::string& owner, int64_t pictures, double seconds) {
    NewJob added = new_job(owner);
    added.job.pictures_asked = pictures;
    added.job.planned_seconds = seconds;
    return jobs_.add(added, 1000).job.id;
  }
  void run(const std::string& id, double seconds, const std::vector<JobPicture>& pictures) {
    ASSERT_EQ(jobs_.reserve(id, {1, seconds, 1}, 1, kAnyBudget), Reservation::kReserved);
    jobs_.begin(id);
    jobs_.finish(id, {pictures, "{}", seconds});
  }
  ErrorCode refusal(const std::string& owner, int64_t pictures, double seconds) {
    return error_of([&] { add(owner, pictures, seconds); }).code();
  }

  TokenStore tokens_;
  JobStore jobs_;
};

INSTANTIATE_TEST_SUITE_P(Databases, TokenStoreTest, ::testing::ValuesIn(database_kinds()), kind_name);

TEST(ScopesText, IsReadAsItIsWritten) {
  EXPECT_EQ(scopes_text({true, false, true}), "read admin");
  EXPECT_EQ(parse_scopes(" admin  generate"), (Scopes{false, true, true}));
  for (const char* bad : {"", "  ", "write", "read,admin"}) {
    EXPECT_EQ(error_of([&] { parse_scopes(bad); }).code(), ErrorCode::kInvalidArgument) << bad;
  }
}

TEST_P(TokenStoreTest, ATokenIsFoundByItsSecretAloneAndOnlyItsDigestIsKept) {
  EXPECT_FALSE(tokens_.any());
  Quotas quotas;
  quotas.pictures = 5;
  quotas.seconds = 0.5;
  const NewToken made = tokens_.create("laptop", kGenerate, quotas);
  EXPECT_TRUE(tokens_.any());
  const std::optional<Token> found = tokens_.find(made.secret);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, made.token.id);
  EXPECT_EQ(found->name, "laptop");
  EXPECT_EQ(found->scopes, kGenerate);
  EXPECT_EQ(found->quotas.pictures, 5);
  EXPECT_EQ(found->quotas.seconds, 0.5);
  EXPECT_FALSE(found->quotas.bytes);
  std::string other = made.secret;
  other.back() = other.back() == 'A' ? 'B' : 'A';
  for (const std::string& wrong : {other, std::string(), made.token.id, sha256_hex(made.secret),
                                   made.secret + " ", std::string("\xff")}) {
    EXPECT_FALSE(tokens_.find(wrong)) << wrong;
  }
  database().read([&](Sql& sql) {
    for (SqlRow& row : sql.rows("SELECT hash FROM token", 1)) EXPECT_EQ(row.text(), sha256_hex(made.secret));
  });
}

TEST_P(TokenStoreTest, ARevokedTokenOpensNothingAndStaysListed) {
  const NewToken made = tokens_.create("a", kGenerate, {}), other = tokens_.create("b", kGenerate, {});
  now_ms_ += 5;
  tokens_.revoke(made.token.id);
  now_ms_ += 5;
  tokens_.revoke(made.token.id);
  EXPECT_FALSE(tokens_.find(made.secret));
  EXPECT_TRUE(tokens_.find(other.secret));
  ASSERT_EQ(tokens_.list().size(), 2u);
  EXPECT_EQ(tokens_.list()[0].revoked_ms, kStartMs + 5) << "the first time counts";
  EXPECT_EQ(error_of([&] { tokens_.revoke("none"); }).code(), ErrorCode::kNotFound);
}

TEST_P(TokenStoreTest, UseIsNotedToTheMinute) {
  const NewToken made = tokens_.create("a", kGenerate, {});
  EXPECT_FALSE(tokens_.list()[0].last_used_ms);
  tokens_.find(made.secret);
  now_ms_ += 1000;
  tokens_.find(made.secret);
  EXPECT_EQ(tokens_.list()[0].last_used_ms, kStartMs);
  now_ms_ += 60'000;
  tokens_.find(made.secret);
  EXPECT_EQ(tokens_.list()[0].last_used_ms, kStartMs + 61'000);
}

TEST_P(TokenStoreTest, NonsenseIsRefused) {
  Quotas negative;
  negative.seconds = -1;
  for (const auto& create : std::vector<std::function<void()>>{
           [&] { tokens_.create("", kGenerate, {}); },
           [&] { tokens_.create(std::string(201, 'x'), kGenerate, {}); },
           [&] { tokens_.create("\xff", kGenerate, {}); }, [&] { tokens_.create("a", {}, {}); },
           [&] { tokens_.create("a", kGenerate, negative); }}) {
    EXPECT_EQ(error_of(create).code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(tokens_.list().empty());
}

TEST_P(TokenStoreTest, WhatIsDoneIsChargedToItsDay) {
  run(add("o", 2, 1), 1.5, {picture_of("a", 10), picture_of("b", 20)});
  now_ms_ += kDayMs;
  const std::string failed = add("o", 1, 1);
  ASSERT_EQ(jobs_.reserve(failed, {1, 1, 1}, 1, kAnyBudget), Reservation::kReserved);
  jobs_.begin(failed);
  jobs_.fail(failed, {"io_error", "p", "f", "s", ""}, 0.25);
  const std::vector<Usage> usage = tokens_.usage("o", 9);
  ASSERT_EQ(usage.size(), 2u);
  EXPECT_EQ(usage[0].day, "2026-11-23");
  EXPECT_EQ(usage[0].pictures, 0);
  EXPECT_EQ(usage[0].seconds, 0.25);
  EXPECT_EQ(usage[1].day, "2026-11-22");
  EXPECT_EQ(usage[1].pictures, 2);
  EXPECT_EQ(usage[1].seconds, 1.5);
  EXPECT_EQ(usage[1].bytes, 30);
  EXPECT_EQ(tokens_.usage("o", 1).size(), 1u);
  EXPECT_TRUE(tokens_.usage("p", 9).empty());
}

TEST_P(TokenStoreTest, QuotasCountWhatIsDoneAndWhatWaitsAndBeginAnewEachDay) {
  Quotas quotas;
  quotas.pictures = 3;
  quotas.seconds = 10;
  quotas.bytes = 1000;
  const std::string owner = tokens_.create("a", kGenerate, quotas).token.id;
  EXPECT_EQ(refusal(owner, 4, 1), ErrorCode::kQuotaExceeded);
  EXPECT_EQ(refusal(owner, 1, 11), ErrorCode::kQuotaExceeded);
  const std::string waiting = add(owner, 2, 6);
  EXPECT_EQ(refusal(owner, 2, 1), ErrorCode::kQuotaExceeded) << "two pictures wait";
  EXPECT_EQ(refusal(owner, 1, 5), ErrorCode::kQuotaExceeded) << "six seconds wait";
  jobs_.request_cancel(waiting);
  run(add(owner, 1, 6), 2, {picture_of("a", 999)});
  run(add(owner, 1, 6), 1, {picture_of("a", 1)});
  EXPECT_EQ(refusal(owner, 1, 1), ErrorCode::kQuotaExceeded) << "the bytes are used up";
  EXPECT_NO_THROW(add("another", 100, 100));
  now_ms_ += kDayMs;
  EXPECT_NO_THROW(add(owner, 3, 10));
}

TEST(Quotas, BeginAnewAtMidnightOfUtc) {
  constexpr int64_t kMidnightMs = 1'795'305'600'000;  // 2026-11-22 00:00 UTC
  EXPECT_EQ(seconds_to_next_day(kMidnightMs), 86'400);
  EXPECT_EQ(seconds_to_next_day(kMidnightMs - 1), 1)
      << "never 0: it would be asked again at once, for nothing";
  EXPECT_EQ(seconds_to_next_day(kMidnightMs - 3'600'500), 3'601);
}

TEST_P(TokenStoreTest, AQuotaOfNothingAllowsNothing) {
  Quotas quotas;
  quotas.pictures = 0;
  EXPECT_EQ(refusal(tokens_.create("a", kGenerate, quotas).token.id, 1, 0), ErrorCode::kQuotaExceeded);
}

}  // namespace
}  // namespace snug
