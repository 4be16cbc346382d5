#pragma once

// What the metrics endpoint answers: one page, to those who ask for it as HTTP/1 says. Pure.

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace benchfs::server {

/// A request that is longer is refused.
inline constexpr std::size_t kHttpRequestBytesMax = 4096;

/// The whole answer, after which the connection ends, to what a client has sent so far; nothing if
/// the request may still come to its end. `page` makes the text of /metrics, and is called only if
/// it is wanted. 200; 400 for what is no request, 404 for another path, 405 for another method than
/// GET and HEAD, 431 for a request that is too long.
std::optional<std::string> http_answer(std::string_view received,
                                       const std::function<std::string()>& page);

}  // namespace benchfs::server
