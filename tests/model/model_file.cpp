#include "model/model_file.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace benchfs::test {
namespace {

/// The model has no excuse: without it nothing is known about benchfs.
void require(bool good, const char* what) {
  if (!good) {
    std::perror(what);
    std::abort();
  }
}

}  // namespace

ModelFile::ModelFile() : fd_(::memfd_create("model", MFD_CLOEXEC)) {
  require(fd_ >= 0, "model: memfd_create");
}

ModelFile::~ModelFile() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

ModelFile::ModelFile(ModelFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

ModelFile& ModelFile::operator=(ModelFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

std::uint64_t ModelFile::size() const {
  struct stat attributes {};
  require(::fstat(fd_, &attributes) == 0, "model: fstat");
  return static_cast<std::uint64_t>(attributes.st_size);
}

void ModelFile::resize(std::uint64_t size_bytes) {
  require(::ftruncate(fd_, static_cast<off_t>(size_bytes)) == 0, "model: ftruncate");
}

void ModelFile::write(std::span<const std::byte> bytes, std::uint64_t offset_bytes) {
  while (!bytes.empty()) {
    const ssize_t count =
        ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset_bytes));
    require(count > 0, "model: pwrite");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset_bytes += static_cast<std::uint64_t>(count);
  }
}

std::vector<std::byte> ModelFile::read(std::uint64_t offset_bytes, std::size_t length_bytes) const {
  std::vector<std::byte> bytes(length_bytes);
  for (std::size_t done = 0; done < length_bytes;) {
    const ssize_t count = ::pread(fd_, bytes.data() + done, length_bytes - done,
                                  static_cast<off_t>(offset_bytes + done));
    require(count >= 0, "model: pread");
    if (count == 0) {
      break;
    }
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

}  // namespace benchfs::test
