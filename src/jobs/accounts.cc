#include "jobs/accounts.h"

#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "base/error.h"
#include "jobs/job_store.h"

namespace snug {
namespace {

// Less than this is no use at all.
constexpr double kLeastUseSeconds = 1e-6;

struct Amounts {
  int64_t pictures = 0;
  double seconds = 0;
  int64_t bytes = 0;
};

Amounts read_amounts(Sql& sql, std::string_view query, const std::vector<SqlValue>& values) {
  Amounts amounts;
  if (std::optional<SqlRow> row = sql.row(query, 3, values)) {
    amounts.pictures = row->integer();
    amounts.seconds = row->real();
    amounts.bytes = row->integer();
  }
  return amounts;
}

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::kQuotaExceeded, fmt::format("the token's quota of {} a day does not allow it", what),
              "wait until 00:00 UTC, or ask for a larger quota");
}

double halvings(int64_t ms) { return static_cast<double>(ms) / static_cast<double>(kUseHalvingMs); }

}  // namespace

std::string day_text(int64_t now_ms) {
  using namespace std::chrono;
  const year_month_day day(floor<days>(sys_time<milliseconds>(milliseconds(now_ms))));
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                     static_cast<unsigned>(day.day()));
}

int64_t seconds_to_next_day(int64_t now_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> now{milliseconds(now_ms)};
  return ceil<seconds>(floor<days>(now) + days(1) - now).count();
}

void charge(Sql& sql, const std::string& owner, int64_t pictures, double seconds, int64_t bytes,
            int64_t now_ms) {
  sql.run(
      "INSERT INTO daily_usage (owner, day, pictures, seconds, bytes) VALUES (?, ?, ?, ?, ?) "
      "ON CONFLICT (owner, day) DO UPDATE SET pictures = daily_usage.pictures + excluded.pictures, "
      "seconds = daily_usage.seconds + excluded.seconds, bytes = daily_usage.bytes + excluded.bytes",
      {owner, day_text(now_ms), pictures, seconds, bytes});
}

void check_quotas(Sql& sql, const Job& job, int64_t now_ms) {
  std::optional<SqlRow> quotas =
      sql.row("SELECT quota_pictures, quota_seconds, quota_bytes FROM token WHERE id = ?", 3, {job.owner});
  if (!quotas) return;
  const std::optional<int64_t> pictures = quotas->maybe_integer();
  const std::optional<double> seconds = quotas->maybe_real();
  const std::optional<int64_t> bytes = quotas->maybe_integer();
  if (!pictures && !seconds && !bytes) return;
  const Amounts used =
      read_amounts(sql, "SELECT pictures, seconds, bytes FROM daily_usage WHERE owner = ? AND day = ?",
                   {job.owner, day_text(now_ms)});
  const Amounts ahead = read_amounts(sql,
                                     "SELECT SUM(pictures_asked), SUM(planned_seconds), 0 FROM job "
                                     "WHERE owner = ? AND state IN ('queued', 'planned', 'running')",
                                     {job.owner});
  if (pictures && used.pictures + ahead.pictures + job.pictures_asked > *pictures) {
    refuse(fmt::format("{} pictures", *pictures));
  }
  const double needed = job.from_cache ? 0 : job.planned_seconds.value_or(0);
  const double after = used.seconds + ahead.seconds + needed;
  if (seconds && !job.from_cache && (after > *seconds || used.seconds >= *seconds)) {
    refuse(fmt::format("{} seconds", *seconds));
  }
  if (bytes && used.bytes >= *bytes) refuse(fmt::format("{} bytes", *bytes));
}

void add_use(Sql& sql, const std::string& owner, double seconds, int64_t now_ms) {
  std::optional<SqlRow> row = sql.row("SELECT level FROM owner_use WHERE owner = ?", 1, {owner});
  const double before = row ? std::exp2(row->real() - halvings(now_ms)) : 0;
  const double after = before + seconds;
  if (after < kLeastUseSeconds) {
    sql.run("DELETE FROM owner_use WHERE owner = ?", {owner});
    return;
  }
  sql.run(
      "INSERT INTO owner_use (owner, level) VALUES (?, ?) "
      "ON CONFLICT (owner) DO UPDATE SET level = excluded.level",
      {owner, halvings(now_ms) + std::log2(after)});
}

std::map<std::string, double> uses(Sql& sql, int64_t now_ms) {
  std::map<std::string, double> found;
  for (SqlRow& row : sql.rows("SELECT owner, level FROM owner_use", 2)) {
    std::string owner = row.text();
    found.emplace(std::move(owner), std::exp2(row.real() - halvings(now_ms)));
  }
  return found;
}

}  // namespace snug
