// What a client of the metrics endpoint sends: the answer is whole, says how long it is, and is
// what it was if more comes behind.
//
// Input: the bytes that a client has sent.

#include "server/http_answer.h"

#include <array>

#include "fuzz/fuzz.h"

namespace benchfs::fuzz {
namespace {

constexpr std::array<std::string_view, 5> kStatuses = {"200", "400", "404", "405", "431"};

/// The bytes behind the fields of an answer, and its status.
struct Parts {
  std::string_view status;
  std::string_view body;
};

Parts take_apart(std::string_view answer) {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  FUZZ_CHECK(answer.starts_with(kVersion));
  const std::size_t end = answer.find("\r\n\r\n");
  FUZZ_CHECK(end != std::string_view::npos);
  const Parts parts{.status = answer.substr(kVersion.size(), 3), .body = answer.substr(end + 4)};
  bool known = false;
  for (const std::string_view status : kStatuses) {
    known = known || status == parts.status;
  }
  FUZZ_CHECK(known);
  return parts;
}

}  // namespace

Verdict run_one(ConstBytes bytes) {
  const std::string received = to_text(bytes);
  int pages = 0;
  const auto page = [&pages] {
    ++pages;
    return std::string("page\n");
  };
  const AllocationMeter meter;
  const auto answer = server::http_answer(received, page);
  FUZZ_CHECK(meter.bytes() <= 4096);
  if (!answer.has_value()) {
    FUZZ_CHECK(received.size() <= server::kHttpRequestBytesMax && pages == 0);
    return Verdict::kRefused;
  }
  const Parts parts = take_apart(*answer);
  FUZZ_CHECK(pages == (parts.status == "200" ? 1 : 0));
  const bool head = received.starts_with("HEAD ") && parts.status == "200";
  FUZZ_CHECK(parts.body.empty() == head);
  FUZZ_CHECK(answer->find("Content-Length: " + std::to_string(head ? 5 : parts.body.size()) +
                          "\r\n") != std::string::npos);
  if (parts.status != "431") {
    FUZZ_CHECK(server::http_answer(received + "GET / HTTP/1.1\r\n\r\n", page) == answer);
  }
  return parts.status == "200" ? Verdict::kAccepted : Verdict::kRefused;
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  const auto add = [&out](const std::string& name, const std::string& text) {
    out.push_back({name, to_buffer(text)});
  };
  add("get", "GET /metrics HTTP/1.1\r\nHost: node:9400\r\nAccept: */*\r\n\r\n");
  add("head", "HEAD /metrics HTTP/1.0\r\n\r\n");
  add("query", "GET /metrics?name[]=x HTTP/1.1\r\n\r\n");
  return out;
}

}  // namespace benchfs::fuzz
