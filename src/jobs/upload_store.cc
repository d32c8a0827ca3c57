#include "jobs/upload_store.h"

#include "base/error.h"
#include "jobs/job_rows.h"

namespace snug {

void UploadStore::add(const Upload& upload) {
  database_.write([&](Sql& sql) {
    sql.run(
        "INSERT INTO upload (blob, owner, created_ms, bytes, format, width, height) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (blob, owner) DO UPDATE SET created_ms = excluded.created_ms",
        {upload.blob, upload.owner, database_.now_ms(), upload.bytes, format_column(upload.format),
         upload.width, upload.height});
  });
}

Upload UploadStore::get(const std::string& blob, const std::string& owner) {
  std::optional<SqlRow> row = database_.read([&](Sql& sql) {
    return sql.row("SELECT created_ms, bytes, format, width, height FROM upload WHERE blob = ? AND owner = ?",
                   5, {blob, owner});
  });
  if (!row) throw Error(ErrorCode::kNotFound, "there is no uploaded picture with this id", "upload it again");
  Upload upload;
  upload.blob = blob;
  upload.owner = owner;
  upload.created_ms = row->integer();
  upload.bytes = row->integer();
  upload.format = format_of_column(row->text());
  upload.width = row->integer();
  upload.height = row->integer();
  return upload;
}

int64_t UploadStore::forget(int64_t before_ms) {
  return database_.write(
      [&](Sql& sql) { return sql.run("DELETE FROM upload WHERE created_ms < ?", {before_ms}); });
}

}  // namespace snug
