// Goal: the metrics endpoint answers what HTTP says to what comes, good and bad, is never held up
// by a client, and gives every connection back in time. Method: the answers as a function of what
// has come; then a real endpoint on a real loop, with clients that send in pieces, too much, or
// nothing.

#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/http_answer.h"
#include "server/http_endpoint.h"
#include "support/manual_clock.h"

namespace benchfs::server {
namespace {

const std::function<std::string()> kPage = [] { return std::string("a 1\n"); };

std::string status_of(std::string_view request) {
  const auto answer = http_answer(request, kPage);
  return answer.has_value() ? answer->substr(9, 3) : "more";
}

TEST(HttpAnswer, ThePageIsAtOnePathOnly) {
  const auto answer = http_answer("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", kPage);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(*answer,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
            "Content-Length: 4\r\nConnection: close\r\n\r\na 1\n");
  EXPECT_EQ(status_of("GET /metrics?x=y HTTP/1.0\r\n\r\n"), "200");
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), "404");
  EXPECT_EQ(status_of("GET /metrics/../x HTTP/1.1\r\n\r\n"), "404");
}

TEST(HttpAnswer, HeadIsThePageWithoutIt) {
  const auto answer = http_answer("HEAD /metrics HTTP/1.1\r\n\r\n", kPage);
  ASSERT_TRUE(answer.has_value());
  EXPECT_NE(answer->find("Content-Length: 4\r\n"), std::string::npos);
  EXPECT_TRUE(answer->ends_with("\r\n\r\n"));
}

TEST(HttpAnswer, OtherMethodsAreRefusedWithThoseThatThereAre) {
  const auto answer = http_answer("POST /metrics HTTP/1.1\r\n\r\n", kPage);
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->starts_with("HTTP/1.1 405 "));
  EXPECT_NE(answer->find("Allow: GET, HEAD\r\n"), std::string::npos);
}

TEST(HttpAnswer, WhatIsNoRequestIsRefusedAtTheEndOfItsFirstLine) {
  for (const char* const line :
       {"\r\n", "GET\r\n", "GET /metrics\r\n", "get /metrics HTTP/1.1\r\n",
        "GET metrics HTTP/1.1\r\n", "GET /metrics HTTP/2\r\n", "GET /metrics HTTP/1.1\n",
        "GET /a b HTTP/1.1\r\n", "GET /\x01 HTTP/1.1\r\n", "\x16\x03\x01\n", "GET  HTTP/1.1\r\n"}) {
    EXPECT_EQ(status_of(line), "400") << line;
  }
}

TEST(HttpAnswer, WaitsForTheEndOfARequestAndNotForEver) {
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  for (std::size_t size = 0; size < request.size(); ++size) {
    EXPECT_EQ(status_of(request.substr(0, size)), "more") << size;
  }
  EXPECT_EQ(status_of("GET /" + std::string(kHttpRequestBytesMax, 'a')), "431");
  EXPECT_EQ(status_of("GET /metrics HTTP/1.1\r\nX: " + std::string(kHttpRequestBytesMax, 'a')),
            "431");
}

TEST(HttpAddress, TakesAPortOrAnAddressWithOne) {
  const auto text_of = [](std::string_view text) {
    const auto address = HttpAddress::parse(text);
    return address.has_value() ? address->text() : "refused";
  };
  EXPECT_EQ(text_of("9400"), "127.0.0.1:9400");
  EXPECT_EQ(text_of("0"), "127.0.0.1:0");
  EXPECT_EQ(text_of("10.0.0.7:9400"), "10.0.0.7:9400");
  EXPECT_EQ(text_of("[::1]:80"), "[::1]:80");
  for (const char* const text : {"", ":", "x", "65536", "-1", "localhost:1", "::1:80", "[::1]",
                                 "1.2.3:80", ":9400", "1.2.3.4:", "[]:1", "9400 "}) {
    EXPECT_EQ(text_of(text), "refused") << text;
  }
}

class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int result = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    EXPECT_TRUE(result == 0 || errno == EINPROGRESS) << std::strerror(errno);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view text) {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  /// Takes what there is; true once the other side has ended.
  bool receive() {
    char bytes[65536];
    ssize_t count = 0;
    while ((count = ::recv(fd_, bytes, sizeof(bytes), 0)) > 0) {
      received_.append(bytes, static_cast<std::size_t>(count));
    }
    return count == 0 || errno == ECONNRESET;
  }
  const std::string& received() const { return received_; }

 private:
  const int fd_;
  std::string received_;
};

class Endpoint : public testing::Test {
 protected:
  void SetUp() override {
    auto endpoint = HttpEndpoint::open(loop_, {.host = "127.0.0.1", .port = 0}, [this] {
      ++pages_;
      return page_;
    });
    ASSERT_TRUE(endpoint.has_value());
    endpoint_ = std::move(*endpoint);
    ASSERT_NE(port(), 0);
  }
  std::uint16_t port() const { return endpoint_->address().port; }

  /// Turns of a busy loop until it is true; they are bounded, as time is manual.
  bool comes_true(const std::function<bool()>& question) {
    for (int i = 0; i < 2'000'000; ++i) {
      if (question()) {
        return true;
      }
      loop_.turn();
    }
    return false;
  }
  bool ends(Client& client) {
    return comes_true([&] { return client.receive(); });
  }

  test::ManualClock clock_;
  loop::PollSleeper sleeper_;
  loop::EventLoop loop_{clock_, sleeper_};
  std::string page_ = "a 1\n";
  int pages_ = 0;
  std::unique_ptr<HttpEndpoint> endpoint_;
};

TEST_F(Endpoint, AnswersARequestThatComesInPieces) {
  Client client(port());
  for (const char c : std::string_view("GET /metrics HTTP/1.1\r\n\r")) {
    client.send({&c, 1});
    for (int i = 0; i < 100; ++i) {
      loop_.turn();
    }
    ASSERT_FALSE(client.receive());
  }
  EXPECT_EQ(pages_, 0);
  client.send("\n");
  ASSERT_TRUE(ends(client));
  EXPECT_TRUE(client.received().starts_with("HTTP/1.1 200 OK\r\n")) << client.received();
  EXPECT_TRUE(client.received().ends_with("\r\n\r\na 1\n"));
  EXPECT_EQ(pages_, 1);
}

TEST_F(Endpoint, ALongPageArrivesWholeAtASlowReader) {
  page_ = std::string(8 << 20, 'x');
  Client client(port());
  client.send("GET /metrics HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(comes_true([&] { return pages_ == 1; }));
  ASSERT_TRUE(ends(client));
  EXPECT_EQ(client.received().size() - client.received().find("\r\n\r\n") - 4, page_.size());
}

TEST_F(Endpoint, OneThatSendsTooMuchStillGetsItsAnswer) {
  Client client(port());
  client.send("GET /metrics HTTP/1.1\r\nX: " + std::string(60'000, 'a'));
  ASSERT_TRUE(comes_true([&] {
    client.receive();
    return client.received().ends_with("too long\n");
  }));
  EXPECT_TRUE(client.received().starts_with("HTTP/1.1 431 "));
}

TEST_F(Endpoint, ThoseThatSayNothingHoldNobodyUpForLongerThanTheirTime) {
  std::vector<std::unique_ptr<Client>> silent;
  for (std::size_t i = 0; i < kHttpConnectionsMax; ++i) {
    silent.push_back(std::make_unique<Client>(port()));
  }
  ASSERT_TRUE(comes_true([&] { return loop_.timers().size() == kHttpConnectionsMax; }));
  Client next(port());
  next.send("GET /metrics HTTP/1.1\r\n\r\n");
  for (int i = 0; i < 10'000; ++i) {
    loop_.turn();
    ASSERT_FALSE(next.receive());
  }
  clock_.advance(kHttpConnectionNsMax);
  ASSERT_TRUE(ends(next));
  EXPECT_TRUE(next.received().starts_with("HTTP/1.1 200 OK\r\n"));
  for (const auto& client : silent) {
    EXPECT_TRUE(ends(*client));
    EXPECT_EQ(client->received(), "");
  }
  EXPECT_LE(loop_.timers().size(), 1U);
}

TEST_F(Endpoint, AClientThatIsThereAtOnceWakesALoopThatSleeps) {
  EXPECT_TRUE(endpoint_->arm());
  Client client(port());
  client.send("GET /metrics HTTP/1.1\r\n\r\n");
  EXPECT_FALSE(endpoint_->arm());
  EXPECT_TRUE(endpoint_->progress()) << "the first turn after a sleep looks";
}

TEST_F(Endpoint, APortThatIsTakenIsAnError) {
  const auto second = HttpEndpoint::open(loop_, endpoint_->address(), kPage);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().os_code, EADDRINUSE);
}

}  // namespace
}  // namespace benchfs::server
