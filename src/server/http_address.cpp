#include "server/http_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include "base/parse.h"

namespace benchfs::server {
namespace {

bool is_in_numbers(const std::string& host) {
  in6_addr address{};  // Large enough for either kind.
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

Result<HttpAddress> HttpAddress::parse(std::string_view text) {
  HttpAddress address{.host = "127.0.0.1", .port = 0};
  if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    std::string_view host = text.substr(0, colon);
    const bool in_brackets = host.size() > 2 && host.starts_with('[') && host.ends_with(']');
    if ((host.find(':') != std::string_view::npos) != in_brackets) {
      return fail(Errc::kInvalid, "http.address");
    }
    address.host = std::string(in_brackets ? host.substr(1, host.size() - 2) : host);
    text = text.substr(colon + 1);
  }
  const auto port = parse_count(text);
  if (!port.has_value() || *port > UINT16_MAX) {
    return fail(Errc::kInvalid, "http.port");
  }
  address.port = static_cast<std::uint16_t>(*port);
  if (!is_in_numbers(address.host)) {
    return fail(Errc::kInvalid, "http.address");
  }
  return address;
}

std::string HttpAddress::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

}  // namespace benchfs::server
