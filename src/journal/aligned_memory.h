#pragma once

// Memory that direct I/O takes: aligned to a block.

#include <cstdlib>
#include <memory>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/units.h"

namespace benchfs::journal {

class AlignedMemory {
 public:
  AlignedMemory() = default;
  /// Of `size_bytes`, rounded up to whole blocks; what it holds at first is not said.
  explicit AlignedMemory(std::size_t size_bytes)
      : size_(round_up(size_bytes, kBlockBytes)),
        data_(static_cast<std::byte*>(std::aligned_alloc(kBlockBytes, size_))) {
    BENCHFS_ASSERT(data_ != nullptr);
  }

  Bytes bytes() const noexcept { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* data) const noexcept { std::free(data); }
  };
  std::size_t size_ = 0;
  std::unique_ptr<std::byte, Free> data_;
};

}  // namespace benchfs::journal
