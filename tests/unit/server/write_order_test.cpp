// Goal: writes of one client to the same bytes take their turns in the order of arrival, and no
// other write waits for anybody. Method: coroutines that end when the test says so.

#include "server/write_order.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "coro/event.h"
#include "coro/scope.h"
#include "support/manual_clock.h"

namespace benchfs::server {
namespace {

struct Write {
  std::uint64_t client = 1;
  InodeId file{1};
  std::vector<store::Piece> pieces;
  coro::Event arrived;  ///< The test lets it ask for its turn.
  bool begun = false;
  coro::Event ended;
};

coro::Task<void> run(WriteOrder& order, Write& write) {
  WriteOrder::Place place(order, write.client, write.file, write.pieces);
  co_await write.arrived;
  co_await place;
  write.begun = true;
  co_await write.ended;
}

class WriteOrderTest : public testing::Test {
 protected:
  Write& start(std::uint64_t client, std::uint64_t file, std::vector<store::Piece> pieces) {
    Write& write = *writes_.emplace_back(std::make_unique<Write>());
    write.client = client;
    write.file = InodeId{file};
    write.pieces = std::move(pieces);
    scope_.spawn(run(order_, write));
    return write;
  }
  Write& start_at_once(std::uint64_t client, std::uint64_t file, std::vector<store::Piece> pieces) {
    Write& write = start(client, file, std::move(pieces));
    write.arrived.set();
    return write;
  }
  void end(Write& write) {
    write.ended.set();
    while (loop_.turn()) {
    }
  }
  ~WriteOrderTest() override {
    for (const auto& write : writes_) {
      write->arrived.set();
      end(*write);
    }
    EXPECT_EQ(scope_.child_count(), 0U);
  }

  test::ManualClock clock_;
  test::ManualSleeper sleeper_{clock_};
  loop::EventLoop loop_{clock_, sleeper_};
  WriteOrder order_{loop_};
  std::vector<std::unique_ptr<Write>> writes_;
  coro::Scope scope_;
};

TEST_F(WriteOrderTest, TheSecondWriteOfTheSameBytesWaitsForTheFirst) {
  Write& first = start_at_once(1, 1, {{0, 100}});
  Write& second = start_at_once(1, 1, {{99, 10}});
  EXPECT_TRUE(first.begun);
  EXPECT_FALSE(second.begun);
  end(first);
  EXPECT_TRUE(second.begun);
}

TEST_F(WriteOrderTest, TheOrderIsThatOfArrivalWhoeverIsReadyFirst) {
  Write& first = start(1, 1, {{0, 100}});
  Write& second = start_at_once(1, 1, {{0, 100}});
  EXPECT_FALSE(second.begun);
  first.arrived.set();
  EXPECT_TRUE(first.begun);
  EXPECT_FALSE(second.begun);
  end(first);
  EXPECT_TRUE(second.begun);
}

TEST_F(WriteOrderTest, AWriteWaitsForAllThatItTouches) {
  Write& left = start_at_once(1, 1, {{0, 10}});
  Write& right = start_at_once(1, 1, {{20, 10}});
  Write& across = start_at_once(1, 1, {{5, 20}});
  EXPECT_TRUE(right.begun);
  end(right);
  EXPECT_FALSE(across.begun);
  end(left);
  EXPECT_TRUE(across.begun);
}

TEST_F(WriteOrderTest, AChainGoesOnLinkByLink) {
  Write& first = start_at_once(1, 1, {{0, 10}});
  Write& second = start_at_once(1, 1, {{0, 10}});
  Write& third = start_at_once(1, 1, {{0, 10}});
  end(first);
  EXPECT_TRUE(second.begun);
  EXPECT_FALSE(third.begun);
  end(second);
  EXPECT_TRUE(third.begun);
}

TEST_F(WriteOrderTest, NeighboursOtherFilesAndOtherClientsDoNotWait) {
  start_at_once(1, 1, {{100, 100}});
  EXPECT_TRUE(start_at_once(1, 1, {{0, 100}}).begun);
  EXPECT_TRUE(start_at_once(1, 1, {{200, 100}}).begun);
  EXPECT_TRUE(start_at_once(1, 2, {{100, 100}}).begun);
  EXPECT_TRUE(start_at_once(2, 1, {{100, 100}}).begun);
  EXPECT_TRUE(start_at_once(257, 1, {{100, 100}}).begun);  // Of the same list as client 1.
}

TEST_F(WriteOrderTest, PiecesThatOnlyInterleaveDoNotWait) {
  start_at_once(1, 1, {{0, 10}, {20, 10}, {40, 10}});
  EXPECT_TRUE(start_at_once(1, 1, {{10, 10}, {30, 10}}).begun);
  EXPECT_FALSE(start_at_once(1, 1, {{12, 2}, {25, 1}}).begun);
}

}  // namespace
}  // namespace benchfs::server
