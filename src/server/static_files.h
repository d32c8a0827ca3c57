// Files that are part of the program, served under "/": the page. Called by whoever puts the routes together;
// the files come from cmake/embed.cmake.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/embedded_files.h"
#include "server/router.h"

namespace snug {

// One GET route for each file, and "/" for index.html. Open to everybody: they hold nothing of anybody's.
// Answers 304 where the client has the file already. Files below "assets/" have their content's hash in their
// name and are kept for good; all others are asked for again each time.
std::vector<Route> static_routes(std::span<const EmbeddedFile> files);

// The page of a program that was built without one. Made from page/ by cmake/embed.cmake.
std::span<const EmbeddedFile> placeholder_page_files();

// "text/html; charset=utf-8" of "index.html"; "application/octet-stream" where the ending says nothing.
std::string_view media_type_of_file(std::string_view path);

}  // namespace snug
