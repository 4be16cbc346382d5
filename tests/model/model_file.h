#pragma once

// What a file of benchfs should hold: a file of the kernel's, in memory.
//
// Threading: any thread; who writes and who reads a range at the same time have to agree.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace benchfs::test {

class ModelFile {
 public:
  ModelFile();
  ~ModelFile();
  ModelFile(ModelFile&& other) noexcept;
  ModelFile& operator=(ModelFile&& other) noexcept;

  std::uint64_t size() const;
  void resize(std::uint64_t size_bytes);
  void write(std::span<const std::byte> bytes, std::uint64_t offset_bytes);

  /// `length_bytes` bytes; what lies behind the end is 0.
  std::vector<std::byte> read(std::uint64_t offset_bytes, std::size_t length_bytes) const;

 private:
  int fd_;
};

}  // namespace benchfs::test
