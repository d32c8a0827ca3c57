#include "base/scoped_timer.h"

#include <map>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "base/stopwatch.h"

namespace snug {
namespace {

void wait(double seconds) {
  const Stopwatch watch;
  while (watch.seconds() < seconds) {
  }
}

std::string path_of(const TimeTree& tree, const TimeNode& node) {
  const std::string own(node.name());
  return node.parent < 0 ? own : path_of(tree, tree.nodes()[static_cast<size_t>(node.parent)]) + "/" + own;
}

std::map<std::string, TimeNode> by_path(const TimeTree& tree) {
  std::map<std::string, TimeNode> nodes;
  for (const TimeNode& node : tree.nodes()) {
    const auto [at, is_new] = nodes.try_emplace(path_of(tree, node), node);
    if (!is_new) at->second.count += node.count;  // of another thread
  }
  return nodes;
}

TEST(ScopedTimer, SelfAndInnerTimesMakeUpTheTotal) {
  TimeTree tree;
  tree.start();
  const Stopwatch watch;
  {
    const ScopedTimer outer("outer");
    wait(0.002);
    for (int i = 0; i < 3; ++i) {
      const ScopedTimer inner("inner");
      const ScopedTimer innermost("outer");  // the name of one further out is another scope
      wait(0.001);
    }
  }
  const double seconds = watch.seconds();
  tree.stop();
  const auto nodes = by_path(tree);
  ASSERT_EQ(nodes.size(), 3u);
  const TimeNode& outer = nodes.at("outer");
  const TimeNode& inner = nodes.at("outer/inner");
  EXPECT_EQ(outer.count, 1);
  EXPECT_EQ(inner.count, 3);
  EXPECT_EQ(nodes.at("outer/inner/outer").count, 3);
  EXPECT_EQ(outer.inner_ns, inner.total_ns);
  EXPECT_LE(outer.total_seconds(), seconds);
  EXPECT_GE(outer.total_seconds(), 0.005);
  EXPECT_GE(outer.self_seconds(), 0.002);
  EXPECT_GE(inner.total_seconds(), 0.003);
  EXPECT_NEAR(outer.self_seconds() + inner.total_seconds(), outer.total_seconds(), 1e-9);
}

TEST(ScopedTimer, WithoutATreeNothingIsNoted) {
  TimeTree tree;
  { const ScopedTimer before("before"); }
  tree.start();
  { const ScopedTimer during("during"); }
  tree.stop();
  { const ScopedTimer after("after"); }
  ASSERT_EQ(tree.nodes().size(), 1u);
  EXPECT_EQ(tree.nodes()[0].name(), "during");
}

// One that began before the tree records nothing, and what begins in it is outermost.
TEST(ScopedTimer, ATreeMayStartAndStopInsideAScope) {
  TimeTree first, second;
  const ScopedTimer around("around");
  first.start();
  {
    const ScopedTimer inside("inside");
    first.stop();
  }
  second.start();
  { const ScopedTimer again("again"); }
  second.stop();
  ASSERT_EQ(first.nodes().size(), 1u);
  EXPECT_EQ(first.nodes()[0].parent, -1);
  EXPECT_EQ(first.nodes()[0].count, 1);
  ASSERT_EQ(second.nodes().size(), 1u);
  EXPECT_EQ(second.nodes()[0].parent, -1);
}

TEST(ScopedTimer, EachThreadHasItsOwnTree) {
  TimeTree tree;
  tree.start();
  {
    const ScopedTimer main_scope("main");
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 1000; ++i) {
          const ScopedTimer outer("outer");
          const ScopedTimer inner("inner");
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  tree.stop();
  EXPECT_EQ(tree.nodes().size(), 1u + 4 * 2);
  const auto nodes = by_path(tree);
  EXPECT_EQ(nodes.at("outer").count, 4000);
  EXPECT_EQ(nodes.at("outer/inner").count, 4000);
  EXPECT_EQ(nodes.at("main").inner_ns, 0);
}

TEST(ScopedTimer, WhatDoesNotFitBelongsToTheScopeAround) {
  TimeTree tree(2);
  tree.start();
  {
    const ScopedTimer a("a");
    const ScopedTimer b("a name that is longer than what a node holds");
    { const ScopedTimer c("c"); }
    wait(0.0002);
  }
  tree.stop();
  ASSERT_EQ(tree.nodes().size(), 2u);
  EXPECT_EQ(tree.dropped(), 1);
  EXPECT_EQ(tree.nodes()[1].name(), "a name that is longer t");
  EXPECT_GT(tree.nodes()[1].self_seconds(), 0.0002);
}

}  // namespace
}  // namespace snug
