// How failure is told: one line on standard error, or one JSON object on standard output.
#pragma once

#include <exception>
#include <string>

#include "base/error.h"

namespace snug::cli {

// The error that an exception of any kind stands for: snug::Error as it is, bad_alloc as out_of_memory,
// everything else as internal. Call inside a catch block.
Error current_error();

// `text` on one line and without control characters: names come from files that nobody vouches for, and must
// not steer the terminal.
std::string printable(const std::string& text);

// {"status": "failed", "error": {"code", "message", "stage"}}, the same keys as in the report of a run.
std::string error_json(const Error& error);

// Prints it and returns its exit code.
int print_error(const Error& error, bool as_json);

// The same for a thread that must not wait: past stdio's locks, and not at all when the reader is stuck.
void print_error_now(const Error& error, bool as_json) noexcept;

// Flushes standard output. Throws io_error when not all of it arrived; a reader that has gone away (a closed
// pipe) is no error.
void finish_output();

// Markdown table of all codes, for `snug help errors` and docs/errors.md.
std::string describe_errors();

}  // namespace snug::cli
