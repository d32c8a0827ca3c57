// Reading flags with CLI11, and telling what is wrong with them in the project's own way: what was given,
// what to do, the nearest name. Called by main.cc and by the subcommands.
#pragma once

#include <span>
#include <string>

#include <CLI/App.hpp>

#include "apps/snug/command.h"

namespace snug::cli {

// Checks for add_option(...)->check(...), where CLI11's own messages would say little.
CLI::Validator whole_number();
CLI::Validator unsigned_number();  // 64 bits: seeds
CLI::Validator decimal_number();

// "640x512". Throws invalid_argument.
struct Size {
  int64_t width = 0, height = 0;
};
Size parse_size(const std::string& text);

// Reads the arguments after the subcommand's name. True: go on; false: help was asked for and printed. Throws
// invalid_argument (unknown flags with the nearest known one, missing and malformed values).
bool parse_flags(CLI::App& app, std::span<const char* const> arguments);

}  // namespace snug::cli
