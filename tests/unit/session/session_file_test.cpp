// Goal: what publish writes is what read returns; everything else is refused with a reason that
// names the file. Method: round trips, every truncation, every flipped byte, wrong modes, wrong
// kinds of path.

#include "session/session_file.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace benchfs::session {
namespace {

class SessionFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "benchfs-session-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    ::chmod(directory_.c_str(), 0700);
    ::unlink((directory_ + "/session").c_str());
    ::unlink((directory_ + "/session.lock").c_str());
    ::rmdir(directory_.c_str());
  }

  static Session example() {
    Session session;
    session.session_id = 0x0123456789abcdef;
    session.epoch = 1;
    session.created_ns = 42;
    session.uid = ::geteuid();
    for (std::size_t i = 0; i < session.secret.size(); ++i) {
      session.secret[i] = static_cast<std::byte>(i * 5);
    }
    for (std::uint32_t i = 0; i < 3; ++i) {
      session.servers.push_back({.host = "n" + std::to_string(i),
                                 .pid = 100 + i,
                                 .address = std::vector<std::byte>(50 + i, std::byte{0}),
                                 .capacity_bytes = i,
                                 .store_directory = "/store",
                                 .incarnation = 1 + i,
                                 .started_ns = 7 + i});
    }
    return session;
  }

  /// What is told of server `index` once it has started again.
  static Session restarted(std::size_t index, std::uint64_t incarnation) {
    Session news = example();
    news.servers[index].incarnation = incarnation;
    news.servers[index].pid = static_cast<std::uint32_t>(1000 * incarnation + index);
    return news;
  }

  std::string directory_;
};

TEST_F(SessionFile, ReadReturnsWhatWasPublished) {
  ASSERT_TRUE(prepare_directory(directory_).has_value());
  ASSERT_TRUE(publish_session(directory_, example()).has_value());
  const auto read = read_session(directory_);
  ASSERT_TRUE(read.has_value()) << read.error().text;
  EXPECT_EQ(read->session_id, example().session_id);
  EXPECT_EQ(read->secret, example().secret);
  ASSERT_EQ(read->servers.size(), 3U);
  EXPECT_EQ(read->servers[2].host, "n2");
  EXPECT_EQ(read->servers[2].pid, 102U);
  EXPECT_EQ(read->servers[2].address.size(), 52U);
  EXPECT_EQ(read->servers[2].store_directory, "/store");
  EXPECT_EQ(read->servers[2].incarnation, 3U);
  EXPECT_EQ(read->servers[2].started_ns, 9U);
}

TEST_F(SessionFile, IsReadableForItsUserOnly) {
  ASSERT_TRUE(publish_session(directory_, example()).has_value());
  struct stat status {};
  ASSERT_EQ(::stat((directory_ + "/session").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(SessionFile, ASecondSessionIsRefusedAndTheFirstStays) {
  ASSERT_TRUE(publish_session(directory_, example()).has_value());
  const auto prepared = prepare_directory(directory_);
  ASSERT_FALSE(prepared.has_value());
  EXPECT_EQ(prepared.error().error.code, Errc::kExists);
  Session other = example();
  other.session_id = 1;
  EXPECT_FALSE(publish_session(directory_, other).has_value());
  EXPECT_EQ(read_session(directory_)->session_id, example().session_id);
}

TEST_F(SessionFile, WithdrawRemovesItsOwnSessionOnly) {
  ASSERT_TRUE(publish_session(directory_, example()).has_value());
  withdraw_session(directory_, 1);
  EXPECT_TRUE(read_session(directory_).has_value());
  withdraw_session(directory_, example().session_id);
  EXPECT_EQ(read_session(directory_).error().error.code, Errc::kNotFound);
}

TEST_F(SessionFile, MissingEmptyAndWrongKindsOfPathAreNamed) {
  EXPECT_EQ(read_session("").error().error.code, Errc::kInvalid);
  const auto missing = read_session(directory_ + "/nothing");
  EXPECT_EQ(missing.error().error.code, Errc::kNotFound);
  EXPECT_NE(missing.error().text.find(directory_ + "/nothing"), std::string::npos);
  ASSERT_TRUE(publish_session(directory_, example()).has_value());
  EXPECT_EQ(read_session(directory_ + "/session").error().error.code, Errc::kInvalid);
}

TEST_F(SessionFile, AFileOrDirectoryOpenToOthersIsRefused) {
  ASSERT_TRUE(publish_session(directory_, example()).has_value());
  ASSERT_EQ(::chmod((directory_ + "/session").c_str(), 0640), 0);
  EXPECT_EQ(read_session(directory_).error().error.code, Errc::kAccess);
  ASSERT_EQ(::chmod((directory_ + "/session").c_str(), 0600), 0);
  ASSERT_EQ(::chmod(directory_.c_str(), 0755), 0);
  EXPECT_EQ(read_session(directory_).error().error.code, Errc::kAccess);
}

TEST_F(SessionFile, NewsMergeToTheSameServersInWhateverOrderTheyCome) {
  std::vector<Session> news = {restarted(0, 5), restarted(1, 9), restarted(1, 4), restarted(2, 3),
                               restarted(2, 8)};
  news[3].epoch = 6;
  std::vector<std::size_t> order = {0, 1, 2, 3, 4};
  do {
    Session map = example();
    for (const std::size_t i : order) {
      merge(map, news[i]);
      EXPECT_FALSE(merge(map, news[i])) << "the same news changed it twice";
    }
    EXPECT_EQ(map.epoch, 6U);
    EXPECT_EQ(map.servers[0].pid, 5000U);
    EXPECT_EQ(map.servers[1].pid, 9001U);
    EXPECT_EQ(map.servers[2].pid, 8002U);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(SessionFile, NothingIsTakenFromOtherSessions) {
  Session map = example();
  Session other = restarted(0, 9);
  other.session_id = 1;
  EXPECT_FALSE(merge(map, other));
  Session shorter = restarted(0, 9);
  shorter.servers.pop_back();
  EXPECT_FALSE(merge(map, shorter));
  EXPECT_EQ(map.servers[0].incarnation, 1U);
}

TEST_F(SessionFile, AmendingKeepsWhatManyTellAtOnce) {
  ASSERT_TRUE(publish_session(directory_, example()).has_value());
  std::vector<std::thread> servers;
  for (std::size_t i = 0; i < 3; ++i) {
    servers.emplace_back([this, i] {
      for (std::uint64_t incarnation = 10; incarnation < 20; ++incarnation) {
        const auto amended = amend_session(directory_, restarted(i, incarnation));
        ASSERT_TRUE(amended.has_value()) << amended.error().text;
        EXPECT_EQ(amended->servers[i].incarnation, incarnation);
      }
    });
  }
  for (std::thread& server : servers) {
    server.join();
  }
  const auto read = read_session(directory_);
  ASSERT_TRUE(read.has_value()) << read.error().text;
  for (const Server& server : read->servers) {
    EXPECT_EQ(server.incarnation, 19U);
  }
  EXPECT_EQ(read->secret, example().secret);
}

TEST_F(SessionFile, AmendingMakesNoSessionAndTouchesNoOther) {
  EXPECT_EQ(amend_session(directory_, example()).error().error.code, Errc::kNotFound);
  Session other = example();
  other.session_id = 1;
  ASSERT_TRUE(publish_session(directory_, other).has_value());
  EXPECT_EQ(amend_session(directory_, restarted(1, 9)).error().error.code, Errc::kStale);
  EXPECT_EQ(read_session(directory_)->servers[1].incarnation, 2U);
}

TEST(SessionCodec, EveryTruncationAndEveryFlippedByteIsRefused) {
  Session session;
  session.session_id = 7;
  session.servers.push_back({.host = "a",
                             .pid = 1,
                             .address = {},
                             .capacity_bytes = 2,
                             .store_directory = "/s",
                             .incarnation = 1,
                             .started_ns = 0});
  const std::vector<std::byte> good = encode(session);
  ASSERT_TRUE(decode(good).has_value());
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode(ConstBytes(good).first(size)).has_value()) << "size " << size;
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    if (i >= 12 && i < 16) {
      continue;  // Reserved bytes of the envelope, which a reader ignores.
    }
    std::vector<std::byte> bad = good;
    bad[i] ^= std::byte{0x10};
    EXPECT_FALSE(decode(bad).has_value()) << "byte " << i;
  }
}

TEST(SessionCodec, ASessionWithoutServersIsRefused) {
  Session session;
  session.session_id = 7;
  EXPECT_FALSE(decode(encode(session)).has_value());
}

}  // namespace
}  // namespace benchfs::session
