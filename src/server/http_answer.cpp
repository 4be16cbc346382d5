#include "server/http_answer.h"

#include <algorithm>

#include <fmt/format.h>

namespace benchfs::server {
namespace {

constexpr std::string_view kPageType = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view kPlainType = "text/plain; charset=utf-8";

std::string answer(std::string_view status, std::string_view type, std::string_view body,
                   std::string_view more_fields = {}) {
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n{}",
      status, type, body.size(), more_fields, body);
}

std::string refusal(std::string_view status, std::string_view text,
                    std::string_view more_fields = {}) {
  return answer(status, kPlainType, text, more_fields);
}

bool is_method(std::string_view word) {
  return !word.empty() &&
         std::all_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

struct RequestLine {
  std::string_view method;
  std::string_view path;
};

std::optional<RequestLine> parse(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return std::nullopt;
  }
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  const bool plain =
      std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  const RequestLine request{.method = line.substr(0, first),
                            .path = target.substr(0, target.find('?'))};
  if (!is_method(request.method) || !plain || !target.starts_with('/') ||
      (version != "HTTP/1.1" && version != "HTTP/1.0")) {
    return std::nullopt;
  }
  return request;
}

}  // namespace

std::optional<std::string> http_answer(std::string_view received,
                                       const std::function<std::string()>& page) {
  const std::size_t end_of_line = received.find('\n');
  const bool is_whole = received.find("\r\n\r\n") != std::string_view::npos;
  if (!is_whole && received.size() > kHttpRequestBytesMax) {
    return refusal("431 Request Header Fields Too Large", "the request is too long\n");
  }
  if (end_of_line == std::string_view::npos) {
    return std::nullopt;
  }
  // A line without CR in front of its end is no HTTP, and there may be no other end to wait for.
  const std::string_view line = received.substr(0, end_of_line);
  const auto request = line.ends_with('\r') ? parse(line.substr(0, line.size() - 1)) : std::nullopt;
  if (!request.has_value()) {
    return refusal("400 Bad Request", "this is no request of HTTP/1\n");
  }
  if (!is_whole) {
    return std::nullopt;
  }
  if (request->path != "/metrics") {
    return refusal("404 Not Found", "there is nothing but /metrics\n");
  }
  if (request->method == "HEAD") {
    std::string whole = answer("200 OK", kPageType, page());
    whole.resize(whole.find("\r\n\r\n") + 4);
    return whole;
  }
  if (request->method != "GET") {
    return refusal("405 Method Not Allowed", "only GET and HEAD\n", "Allow: GET, HEAD\r\n");
  }
  return answer("200 OK", kPageType, page());
}

}  // namespace benchfs::server
