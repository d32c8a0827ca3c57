// A table as people read it: aligned columns on a terminal, or Markdown.
#pragma once

#include <string>
#include <vector>

namespace snug::bench {

class Table {
 public:
  // The first column is aligned to the left, all others to the right.
  explicit Table(std::vector<std::string> titles);
  // As many cells as there are titles (SNUG_CHECK).
  void add(std::vector<std::string> cells);
  std::string text() const;
  std::string markdown() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the titles first
};

// Puts `body` between the lines `<!-- made by ./dev bench SECTION -->` and `<!-- end -->` of a document
// in place of what is there. Throws invalid_argument where the document has no such lines.
std::string fill_section(const std::string& document, const std::string& section, const std::string& body);
// The same on a file. Throws not_found, io_error too.
void fill_section_of_file(const std::string& path, const std::string& section, const std::string& body);

}  // namespace snug::bench
