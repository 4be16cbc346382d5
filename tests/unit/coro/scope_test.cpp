// Goal: a Scope knows exactly which of its children run, and whoever joins it goes on when nothing
// of them is left. Method: children that wait for Events which the test sets.

#include "coro/scope.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "coro/event.h"

namespace benchfs::coro {
namespace {

Task<void> wait_for(Event& event, int& ended) {
  co_await event;
  ++ended;
}

Task<void> end_at_once(int& ended) {
  ++ended;
  co_return;
}

Task<void> join_and_note(Scope& scope, bool& joined) {
  co_await scope.join();
  joined = true;
}

Task<void> hold([[maybe_unused]] std::shared_ptr<int> held, Event& event) {
  co_await event;
  co_return;
}

Task<void> join_and_look(Scope& scope, std::weak_ptr<int> held, bool& gone) {
  co_await scope.join();
  gone = held.expired();
}

Task<int> number_after(Event& event, int value) {
  co_await event;
  co_return value;
}

TEST(Scope, AChildRunsAtOnceUntilItsFirstSuspension) {
  Scope scope;
  int ended = 0;
  scope.spawn(end_at_once(ended));
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(scope.child_count(), 0U);
}

TEST(Scope, JoinOfAnEmptyScopeDoesNotWait) {
  Scope scope;
  bool joined = false;
  auto join = join_and_note(scope, joined);
  join.start();
  EXPECT_TRUE(joined);
}

TEST(Scope, JoinWaitsForTheLastChild) {
  Scope scope;
  Event first;
  Event second;
  int ended = 0;
  scope.spawn(wait_for(first, ended));
  scope.spawn(wait_for(second, ended));
  EXPECT_EQ(scope.child_count(), 2U);
  scope.close();
  EXPECT_TRUE(scope.closed());
  bool joined = false;
  auto join = join_and_note(scope, joined);
  join.start();
  second.set();
  EXPECT_EQ(ended, 1);
  EXPECT_FALSE(joined);
  first.set();
  EXPECT_EQ(ended, 2);
  EXPECT_TRUE(joined);
  EXPECT_EQ(scope.child_count(), 0U);
}

TEST(Scope, AChildsParametersAreGoneWhenTheJoinerGoesOn) {
  Scope scope;
  Event event;
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = held;
  scope.spawn(hold(std::move(held), event));
  bool gone = false;
  auto join = join_and_look(scope, watch, gone);
  join.start();
  event.set();
  EXPECT_TRUE(join.done());
  EXPECT_TRUE(gone);
}

TEST(Scope, TheJoinerMayDestroyTheScope) {
  auto scope = std::make_unique<Scope>();
  Event event;
  int ended = 0;
  scope->spawn(wait_for(event, ended));
  struct Destroyer {
    static Task<void> run(std::unique_ptr<Scope>& owned) {
      co_await owned->join();
      owned.reset();
    }
  };
  auto destroyer = Destroyer::run(scope);
  destroyer.start();
  event.set();
  EXPECT_EQ(scope, nullptr);
  EXPECT_EQ(ended, 1);
}

TEST(ScopeDeathTest, DyingWithAChildIsAProgrammersError) {
  EXPECT_DEATH(
      {
        Event event;
        int ended = 0;
        Scope scope;
        scope.spawn(wait_for(event, ended));
      },
      "child_count_ == 0");
}

TEST(ScopeDeathTest, SpawningIntoAClosedScopeIsAProgrammersError) {
  EXPECT_DEATH(
      {
        int ended = 0;
        Scope scope;
        scope.close();
        scope.spawn(end_at_once(ended));
      },
      "closed_");
}

TEST(WhenAll, ResultsStandInTheOrderOfTheTasks) {
  Event events[3];
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 3; ++i) {
    tasks.push_back(number_after(events[i], i));
  }
  auto all = when_all(std::move(tasks));
  all.start();
  events[2].set();
  events[0].set();
  EXPECT_FALSE(all.done());
  events[1].set();
  ASSERT_TRUE(all.done());
  EXPECT_EQ(all.take(), (std::vector<int>{0, 1, 2}));
}

TEST(WhenAll, OfNothingEndsAtOnce) {
  auto none = when_all(std::vector<Task<void>>());
  none.start();
  EXPECT_TRUE(none.done());
}

TEST(WhenAll, ManyChildrenThatEndAtOnceUseConstantStack) {
  constexpr int kCount = 200'000;
  int ended = 0;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < kCount; ++i) {
    tasks.push_back(end_at_once(ended));
  }
  auto all = when_all(std::move(tasks));
  all.start();
  EXPECT_TRUE(all.done());
  EXPECT_EQ(ended, kCount);
}

}  // namespace
}  // namespace benchfs::coro
