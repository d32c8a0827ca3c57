#include "jobs/job_rows.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace snug {
namespace {

// In the order of job_values and read_job.
constexpr std::string_view kColumns =
    "id, owner, api, state, priority, created_ms, started_ms, finished_ms, deadline_ms, request, address, "
    "idempotency_key, request_digest, pictures_asked, attempts, not_before_ms, planned_peak_bytes, "
    "planned_seconds, reserved_bytes, step, steps, checkpoint, checkpoint_step, cancel_requested, "
    "from_cache, "
    "error_code, error, report, previews, begun_ms, earlier_seconds";
constexpr int kColumnCount = 31;
// PostgreSQL takes 65535 values in a statement, SQLite 32766.
constexpr size_t kMostListed = 500;

Error damaged(std::string_view what) {
  return {ErrorCode::kStoreError, fmt::format("the database has a {} that this program does not know", what),
          "use the program that wrote it, or bring back a backup"};
}

std::vector<SqlValue> job_values(const Job& job) {
  const JobFailure none;
  const JobFailure& failure = job.failure ? *job.failure : none;
  return {job.id,
          job.owner,
          job.api,
          std::string(job_state_name(job.state)),
          int64_t{job.priority},
          job.created_ms,
          sql_value(job.started_ms),
          sql_value(job.finished_ms),
          sql_value(job.deadline_ms),
          job.request,
          job.address,
          sql_text_or_null(job.idempotency_key),
          job.request_digest,
          job.pictures_asked,
          int64_t{job.attempts},
          sql_value(job.not_before_ms),
          sql_value(job.planned_peak_bytes),
          sql_value(job.planned_seconds),
          job.reserved_bytes,
          int64_t{job.step},
          int64_t{job.steps},
          job.checkpoint,
          int64_t{job.checkpoint_step},
          int64_t{job.cancel_requested},
          int64_t{job.from_cache},
          failure.code,
          job.failure ? failure_json(failure) : std::string(),
          job.report,
          int64_t{job.previews},
          sql_value(job.begun_ms),
          job.earlier_seconds};
}

std::optional<JobFailure> read_failure(const std::string& code, const std::string& text) {
  if (code.empty()) return std::nullopt;
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) throw damaged("failure");
  const auto field = [&](const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  return JobFailure{code, field("problem"), field("fix"), field("stage"), field("ways_out")};
}

Job read_job(SqlRow& row) {
  Job job;
  job.id = row.text();
  job.owner = row.text();
  job.api = row.text();
  const std::optional<JobState> state = job_state_named(row.text());
  if (!state) throw damaged("state");
  job.state = *state;
  job.priority = static_cast<int>(row.integer());
  job.created_ms = row.integer();
  job.started_ms = row.maybe_integer();
  job.finished_ms = row.maybe_integer();
  job.deadline_ms = row.maybe_integer();
  job.request = row.text();
  job.address = row.text();
  job.idempotency_key = row.text();
  job.request_digest = row.text();
  job.pictures_asked = row.integer();
  job.attempts = static_cast<int>(row.integer());
  job.not_before_ms = row.maybe_integer();
  job.planned_peak_bytes = row.maybe_integer();
  job.planned_seconds = row.maybe_real();
  job.reserved_bytes = row.integer();
  job.step = static_cast<int>(row.integer());
  job.steps = static_cast<int>(row.integer());
  job.checkpoint = row.text();
  job.checkpoint_step = static_cast<int>(row.integer());
  job.cancel_requested = row.truth();
  job.from_cache = row.truth();
  const std::string code = row.text();
  job.failure = read_failure(code, row.text());
  job.report = row.text();
  job.previews = row.truth();
  job.begun_ms = row.maybe_integer();
  job.earlier_seconds = row.real();
  return job;
}

// Their names differ from those of pictures: "MP4", "WebM", "WebP animation".
VideoFormat video_format_of_column(std::string_view name) {
  for (const VideoFormat format : {VideoFormat::kMp4, VideoFormat::kWebm, VideoFormat::kWebp}) {
    if (format_name(format) == name) return format;
  }
  throw damaged("video format");
}

uint64_t parse_seed(const std::string& text) {
  uint64_t seed = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), seed).ec != std::errc()) throw damaged("seed");
  return seed;
}

// Of the columns behind `frames`.
JobClip read_clip(const std::string& format, int64_t frames, SqlRow& row) {
  JobClip clip;
  clip.format = video_format_of_column(format);
  clip.frames = frames;
  clip.frames_per_second = row.real();
  clip.poster = row.text();
  clip.poster_bytes = row.integer();
  return clip;
}

void read_pictures(Sql& sql, std::span<Job> jobs) {
  std::map<std::string, Job*> by_id;
  std::vector<SqlValue> ids;
  for (Job& job : jobs) {
    if (job.state != JobState::kDone) continue;
    by_id[job.id] = &job;
    ids.emplace_back(job.id);
  }
  if (ids.empty()) return;
  const std::string query = fmt::format(
      "SELECT job, blob, bytes, format, width, height, seed, frames, fps, poster, poster_bytes FROM picture "
      "WHERE job IN ({}) ORDER BY job, number",
      question_marks(ids.size()));
  for (SqlRow& row : sql.rows(query, 11, ids)) {
    Job& job = *by_id.at(row.text());
    JobPicture picture;
    picture.blob = row.text();
    picture.bytes = row.integer();
    const std::string format = row.text();
    picture.width = row.integer();
    picture.height = row.integer();
    picture.seed = parse_seed(row.text());
    const std::optional<int64_t> frames = row.maybe_integer();
    if (frames.has_value()) {
      picture.clip = read_clip(format, *frames, row);
    } else {
      picture.format = format_of_column(format);
    }
    job.pictures.push_back(std::move(picture));
  }
}

}  // namespace

void insert_job(Sql& sql, const Job& job, const std::string& prompt) {
  std::vector<SqlValue> values = job_values(job);
  values.emplace_back(prompt);
  values.emplace_back(0.0);
  sql.run(fmt::format("INSERT INTO job ({}, prompt, use_seconds) VALUES ({})", kColumns,
                      question_marks(values.size())),
          values);
  insert_pictures(sql, job.id, job.pictures);
}

void insert_pictures(Sql& sql, const std::string& job, const std::vector<JobPicture>& pictures) {
  int64_t number = 0;
  for (const JobPicture& picture : pictures) {
    const std::optional<JobClip>& clip = picture.clip;
    sql.run(
        "INSERT INTO picture (job, number, blob, bytes, format, width, height, seed, frames, fps, poster, "
        "poster_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {job, number++, picture.blob, picture.bytes,
         clip ? std::string(format_name(clip->format)) : format_column(picture.format), picture.width,
         picture.height, std::to_string(picture.seed),
         sql_value(clip ? std::optional(clip->frames) : std::nullopt),
         sql_value(clip ? std::optional(clip->frames_per_second) : std::nullopt),
         clip ? clip->poster : std::string(), clip ? clip->poster_bytes : int64_t{0}});
  }
}

std::vector<Job> select_jobs(Sql& sql, std::string_view where, const std::vector<SqlValue>& values) {
  std::vector<Job> jobs;
  for (SqlRow& row :
       sql.rows(fmt::format("SELECT {} FROM job WHERE {}", kColumns, where), kColumnCount, values)) {
    jobs.push_back(read_job(row));
  }
  for (size_t at = 0; at < jobs.size(); at += kMostListed) {
    read_pictures(sql, std::span(jobs).subspan(at, std::min(kMostListed, jobs.size() - at)));
  }
  return jobs;
}

std::optional<Job> find_job(Sql& sql, const std::string& id) {
  std::vector<Job> jobs = select_jobs(sql, "id = ?", {id});
  if (jobs.empty()) return std::nullopt;
  return std::move(jobs.front());
}

Job require_job(Sql& sql, const std::string& id) {
  if (std::optional<Job> job = find_job(sql, id)) return *std::move(job);
  throw Error(ErrorCode::kNotFound, "there is no job with this id", "list the jobs that there are");
}

std::string failure_json(const JobFailure& failure) {
  const nlohmann::json json = {{"problem", failure.problem},
                               {"fix", failure.fix},
                               {"stage", failure.stage},
                               {"ways_out", failure.ways_out}};
  // A message may name a file whose name is no UTF-8.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

JobFailure deadline_failure() {
  return {"deadline_exceeded", "the job could not begin before its deadline",
          "allow more time, or come when less waits", "", ""};
}

std::string searchable(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    if (letter == '\0') letter = ' ';
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return result;
}

std::string format_column(PictureFormat format) { return std::string(format_name(format)); }

PictureFormat format_of_column(std::string_view name) {
  for (const PictureFormat format : {PictureFormat::kPng, PictureFormat::kJpeg, PictureFormat::kWebp}) {
    if (format_name(format) == name) return format;
  }
  throw damaged("picture format");
}

}  // namespace snug
