#!/usr/bin/env python3
"""Each rule of check_structure.py: a small tree that keeps it, and one that breaks it."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import check_structure  # noqa: E402

HEADER = "// What it is.\n#pragma once\n"


class CheckStructure(unittest.TestCase):
    def problems(self, files: dict[str, str]) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return check_structure.check(root)

    def assert_one(self, files: dict[str, str], place: str, text: str) -> None:
        found = self.problems(files)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(place + ": "), found[0])
        self.assertIn(text, found[0])

    def test_includes_upwards_and_within_a_folder_are_fine(self):
        self.assertEqual(self.problems({
            "src/base/error.h": HEADER,
            "src/tensor/shape.h": HEADER + '#include "base/error.h"\n#include <vector>\n',
            "src/plan/plan.cc": '#include "tensor/shape.h"\n#include "plan/plan.h"\n',
            "src/plan/plan.h": HEADER,
            "models/embedded_model.h": HEADER + '#include "base/error.h"\n',
            "apps/snug/main.cc": '#include "plan/plan.h"\n#include "models/embedded_model.h"\n#include "main.h"\n',
            "apps/snug/main.h": HEADER,
            "tests/all_test.cc": '#include "plan/plan.h"\n',
        }), [])

    def test_an_include_of_a_folder_below_is_refused(self):
        self.assert_one({"src/tensor/shape.h": HEADER + '#include "plan/plan.h"\n', "src/plan/plan.h": HEADER},
                        "src/tensor/shape.h:3", "below")

    def test_base_includes_nothing(self):
        self.assert_one({"src/base/a.cc": '#include "tensor/shape.h"\n', "src/tensor/shape.h": HEADER},
                        "src/base/a.cc:1", "below")

    def test_folders_of_one_row_do_not_include_each_other(self):
        self.assert_one({"web/a.cc": '\n#include "models/embedded_model.h"\n', "models/embedded_model.h": HEADER},
                        "web/a.cc:2", "beside")

    def test_the_product_does_not_include_tests(self):
        self.assert_one({"src/plan/a.cc": '#include "tests/fixtures.h"\n', "tests/fixtures.h": HEADER},
                        "src/plan/a.cc:1", "not part of the product")
        self.assertEqual(self.problems({"src/plan/a_test.cc": '#include "tests/fixtures.h"\n',
                                        "tests/fixtures.h": HEADER}), [])

    def test_backends_share_only_the_contract_and_the_reference(self):
        tree = {f"src/backend/{name}.h": HEADER for name in ("backend", "reference/a", "cpu/b", "no_cuda/c")}
        good = {"src/backend/cpu/list.cc": '#include "backend/backend.h"\n#include "backend/reference/a.h"\n',
                "src/backend/backend.cc": '#include "backend/cpu/b.h"\n#include "backend/no_cuda/c.h"\n'}
        self.assertEqual(self.problems(tree | good), [])
        self.assert_one(tree | {"src/backend/reference/x.cc": '#include "backend/cpu/b.h"\n'},
                        "src/backend/reference/x.cc:1", "another implementation")
        self.assert_one(tree | {"src/backend/cpu/x.cc": '#include "backend/no_cuda/c.h"\n'},
                        "src/backend/cpu/x.cc:1", "another implementation")

    def test_a_source_outside_the_table_is_refused(self):
        self.assert_one({"src/extras/a.cc": ""}, "src/extras/a.cc:1", "no folder of the table")
        self.assert_one({"a.cc": ""}, "a.cc:1", "no folder of the table")
        self.assertEqual(self.problems({"build/x/a.cc": "", "web/node_modules/a/a.cc": ""}), [])

    def test_an_include_of_a_file_that_is_not_here_is_refused(self):
        self.assert_one({"src/base/a.cc": '#include "fmt/format.h"\n'}, "src/base/a.cc:1", "not here")

    def test_a_header_that_cmake_makes_counts_as_here(self):
        self.assertEqual(self.problems({"src/base/version.h.in": HEADER, "src/base/a.cc": '#include "base/version.h"\n'}), [])

    def test_a_long_file_says_why(self):
        body = "int x;\n" * 460
        self.assert_one({"src/base/a.cc": body}, "src/base/a.cc:451", "460 lines")
        self.assertEqual(self.problems({"src/base/a.cc": "// This file is long because it is a table.\n" + body}), [])

    def test_headers_open_with_a_comment_and_have_pragma_once(self):
        self.assert_one({"src/base/a.h": "#pragma once\n"}, "src/base/a.h:1", "without a comment")
        self.assert_one({"src/base/a.h": "// A.\n"}, "src/base/a.h:1", "#pragma once")

    def test_folders_have_names_that_say_something(self):
        self.assert_one({"src/base/utils/a.cc": ""}, "src/base/utils:1", "says nothing")

    def test_openmp_has_one_place(self):
        self.assertEqual(self.problems({"src/base/parallel.cc": "#include <omp.h>\n#pragma omp parallel for\n"}), [])
        self.assert_one({"src/plan/a.cc": "\n  #pragma omp parallel\n"}, "src/plan/a.cc:2", "parallel_for")


if __name__ == "__main__":
    unittest.main()
