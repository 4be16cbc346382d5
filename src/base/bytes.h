#pragma once

#include <cstddef>
#include <span>

namespace benchfs {

using Bytes = std::span<std::byte>;
using ConstBytes = std::span<const std::byte>;

}  // namespace benchfs
