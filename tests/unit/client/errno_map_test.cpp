// Goal: an error reaches the user as the right errno and a sentence that names the path and the
// server. Method: sentences word by word for what the contract promises; threads do not see each
// other's.

#include "client/errno_map.h"

#include <cerrno>
#include <thread>

#include <gtest/gtest.h>

#include "base/units.h"

namespace benchfs::client {
namespace {

struct TwoHosts final : ServerNames {
  std::string_view host_of(ServerId server) const noexcept override {
    return to_integer(server) == 0 ? "n1" : "n3";
  }
  std::uint64_t timeout_ns() const noexcept override { return timeout; }
  std::uint64_t timeout = 10 * kNsPerSec;
};

std::string sentence(Errc code) {
  const TwoHosts hosts;
  const Context context{.subject = "/ckpt/a.h5", .server = ServerId{1}};
  return sentence_of(context, Error{.code = code}, &hosts);
}

TEST(ErrnoMap, NamesTheServerThatWasNotHeardOf) {
  EXPECT_EQ(sentence(Errc::kTimedOut), "/ckpt/a.h5: server 1 (n3) did not answer within 10 s");
  EXPECT_EQ(sentence(Errc::kPeerLost), "/ckpt/a.h5: server 1 (n3) is gone");
  TwoHosts hosts;
  hosts.timeout = 250 * kNsPerMs;
  const Context context{.subject = "ping", .server = ServerId{0}};
  EXPECT_EQ(sentence_of(context, Error{.code = Errc::kTimedOut}, &hosts),
            "ping: server 0 (n1) did not answer within 250 ms");
}

TEST(ErrnoMap, DoesNotCallAServerGoneThatAnswers) {
  const TwoHosts hosts;
  const Context context{.subject = "/a", .server = ServerId{0}, .is_answer = true};
  EXPECT_EQ(sentence_of(context, Error{.code = Errc::kPeerLost}, &hosts),
            "/a: server 0 (n1) has lost another server that this needs, or is stopping");
}

TEST(ErrnoMap, DoesNotCallAServerSilentThatHadToWait) {
  const TwoHosts hosts;
  const Context context{.subject = "/a", .server = ServerId{0}, .is_answer = true};
  EXPECT_EQ(sentence_of(context, Error{.code = Errc::kTimedOut}, &hosts),
            "/a: server 0 (n1) waited for another server, or for another operation on the same "
            "names, for more than 10 s");
}

TEST(ErrnoMap, NamesTheServerWhoseDriveFailed) {
  EXPECT_EQ(sentence(Errc::kIo),
            "/ckpt/a.h5: server 1 (n3): Input/output error (a drive has failed; servers.log says "
            "which, and how)");
  EXPECT_EQ(sentence(Errc::kOutOfSpace), "/ckpt/a.h5: server 1 (n3): No space left on device");
}

TEST(ErrnoMap, DoesNotBlameAServerForAName) {
  EXPECT_EQ(sentence(Errc::kNotFound), "/ckpt/a.h5: No such file or directory");
  EXPECT_EQ(sentence(Errc::kNotEmpty), "/ckpt/a.h5: Directory not empty");
}

TEST(ErrnoMap, HasASentenceWithoutAnyServer) {
  const Context context{.subject = "/a", .server = {}};
  EXPECT_EQ(sentence_of(context, Error{.code = Errc::kTimedOut}, nullptr),
            "/a: Input/output error");
}

TEST(ErrnoMap, SetsErrnoAsTheContractSays) {
  const Context context{.subject = "/a", .server = {}};
  const auto errno_for = [&](Errc code) {
    errno = 0;
    EXPECT_EQ(set_error(context, Error{.code = code}, nullptr), -1);
    return errno;
  };
  EXPECT_EQ(errno_for(Errc::kPeerLost), EHOSTDOWN);
  EXPECT_EQ(errno_for(Errc::kTimedOut), EIO);
  EXPECT_EQ(errno_for(Errc::kBadHandle), EBADF);
  EXPECT_EQ(errno_for(Errc::kUnsupported), ENOTSUP);
}

TEST(ErrnoMap, KeepsASentencePerThread) {
  set_error(EINVAL, "mine");
  std::thread other([] {
    EXPECT_STREQ(error_sentence(), "");
    set_error(EINVAL, "theirs");
    EXPECT_STREQ(error_sentence(), "theirs");
  });
  other.join();
  EXPECT_STREQ(error_sentence(), "mine");
}

}  // namespace
}  // namespace benchfs::client
