#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace benchfs::test {

/// A new directory that goes with its owner, by default below the working directory, which for
/// ctest is in the build directory: on a disk, where /tmp may be memory.
class TempDir {
 public:
  explicit TempDir(const std::filesystem::path& parent = std::filesystem::current_path()) {
    std::string name = (parent / "scratch.XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      std::perror(name.c_str());
      std::abort();
    }
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace benchfs::test
