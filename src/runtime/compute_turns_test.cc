// Runs that share a machine: one computes at a time, the oldest first, and who waits can be cancelled.
#include "runtime/compute_turns.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/stopwatch.h"

namespace snug {
namespace {

void wait_until_awaited(const ComputeTurns& turns, int64_t before) {
  while (!turns.awaited_before(before)) std::this_thread::yield();
}

TEST(ComputeTurns, OneAtATimeHoweverManyWant) {
  ComputeTurns turns;
  const Cancellation never;
  std::atomic<int> inside = 0, most = 0;
  std::vector<std::thread> threads;
  for (int64_t order = 0; order < 4; ++order) {
    threads.emplace_back([&, order] {
      ComputeTurn turn(turns, order, never);
      for (int piece = 0; piece < 500; ++piece) {
        turn.take();
        most = std::max(most.load(), ++inside);
        --inside;
        if (piece % 7 == 0) turn.give();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most, 1);
}

TEST(ComputeTurns, TheOldestThatWaitsIsNextAndAYoungerOneHandsOverBetweenPieces) {
  ComputeTurns turns;
  const Cancellation never;
  std::vector<int64_t> went;  // who holds the turn writes
  ComputeTurn youngest(turns, 9, never);
  youngest.take();
  const auto want = [&](int64_t order) {
    return std::thread([&, order] {
      ComputeTurn turn(turns, order, never);
      turn.take();
      went.push_back(order);
    });
  };
  std::thread middle = want(5);
  wait_until_awaited(turns, 6);
  std::thread oldest = want(2);
  wait_until_awaited(turns, 3);
  EXPECT_TRUE(went.empty()) << "nobody is interrupted in a piece of work";
  youngest.take();
  oldest.join();
  middle.join();
  EXPECT_EQ(went, (std::vector<int64_t>{2, 5}));
  EXPECT_GT(youngest.waited_seconds(), 0);
}

TEST(ComputeTurns, AnOlderRunKeepsItsTurnWhileYoungerOnesWait) {
  ComputeTurns turns;
  const Cancellation never;
  ComputeTurn older(turns, 1, never);
  older.take();
  std::atomic<bool> went = false;
  std::thread younger([&] {
    ComputeTurn turn(turns, 2, never);
    turn.take();
    went = true;
  });
  wait_until_awaited(turns, 3);
  EXPECT_EQ(older.take(), 0);
  EXPECT_FALSE(went);
  older.give();
  younger.join();
  EXPECT_TRUE(went);
}

TEST(ComputeTurns, ARunKnowsWhetherItWasAlone) {
  ComputeTurns turns;
  const Cancellation never;
  const ComputeTurn first(turns, 1, never);
  EXPECT_TRUE(first.was_alone());
  { EXPECT_FALSE(ComputeTurn(turns, 2, never).was_alone()); }
  EXPECT_FALSE(first.was_alone()) << "there was another meanwhile";
}

TEST(ComputeTurns, AYoungerRunGivesWayBeforeWhatTakesLongAndTheOldestKeepsItsTurn) {
  ComputeTurns turns;
  const Cancellation never;
  ComputeTurn older(turns, 1, never), younger(turns, 2, never);
  younger.take();
  younger.give_to_older();
  EXPECT_LT(older.take(), 1) << "nobody has the turn";
  older.give_to_older();
  Cancellation cancelled;
  cancelled.request();
  ComputeTurn third(turns, 3, cancelled);
  EXPECT_THROW(third.take(), Error) << "the oldest still has it";
}

TEST(ComputeTurns, WhoWaitsForItsTurnCanBeCancelledAndHoldsUpNobody) {
  ComputeTurns turns;
  const Cancellation never;
  Cancellation cancellation;
  ComputeTurn holder(turns, 5, never);
  holder.take();
  std::thread waits([&] {
    ComputeTurn turn(turns, 1, cancellation);
    EXPECT_THROW(turn.take(), Error);
  });
  wait_until_awaited(turns, 2);
  const Stopwatch watch;
  cancellation.request();
  waits.join();
  EXPECT_LT(watch.seconds(), 0.2);
  EXPECT_EQ(holder.take(), 0) << "nobody older waits any more";
}

}  // namespace
}  // namespace snug
