#pragma once

// What libchfs and libfinchfs have in common: one joined session per process, its descriptors, and
// the chunk size of new files.
//
// Threading: any thread. Ownership: one Library per shared library, for as long as the process
// lives.

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <benchfs/benchfs.h>

#include "compat/descriptor.h"
#include "compat/gate.h"

namespace benchfs::compat {

/// A session that is joined. Its mount is closed by Library::term().
struct Session {
  Gate gate;  ///< Entered by every call; who ends the session waits.
  benchfs_mount* mount = nullptr;
  std::string directory;
  Descriptors descriptors;
};

class Library {
 public:
  /// `name` begins its messages; `chunk_size_variable` is read from the environment. Both static.
  Library(const char* name, const char* chunk_size_variable) noexcept
      : name_(name), chunk_size_variable_(chunk_size_variable) {}

  /// What `chfs_init` and `finchfs_init` promise.
  int init(const char* session_directory);

  /// What `chfs_term` and `finchfs_term` promise.
  int term();

  /// For new files from now on; what it is worth is judged when one is created.
  void set_chunk_size(std::uint64_t chunk_size_bytes) noexcept {
    chunk_size_bytes_ = chunk_size_bytes;
  }

  /// Nothing: the session's default.
  std::optional<std::uint64_t> chunk_size() const noexcept;

  /// Enters the session's gate; null with ENOTCONN if none is joined.
  std::shared_ptr<Session> enter();

 private:
  int join(const char* session_directory);
  bool read_chunk_size();
  int complain(const std::string& sentence) const;

  static constexpr std::uint64_t kNotSet = UINT64_MAX;

  const char* const name_;
  const char* const chunk_size_variable_;
  std::atomic<std::uint64_t> chunk_size_bytes_ = kNotSet;
  std::atomic<std::uint64_t> chunk_size_from_environment_ = kNotSet;
  std::mutex mutex_;
  std::shared_ptr<Session> session_;
};

/// Is inside the joined session for as long as it lives.
class Visit {
 public:
  explicit Visit(Library& library) : session_(library.enter()) {}
  ~Visit() {
    if (session_ != nullptr) {
      session_->gate.leave();
    }
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  explicit operator bool() const noexcept { return session_ != nullptr; }
  Session* operator->() const noexcept { return session_.get(); }

 private:
  std::shared_ptr<Session> session_;
};

/// Is inside what a descriptor stands for; false with EBADF.
class DescriptorUse {
 public:
  DescriptorUse(const Visit& visit, int number) : descriptor_(visit->descriptors.find(number)) {
    if (descriptor_ != nullptr && !descriptor_->gate.enter()) {
      descriptor_ = nullptr;
    }
    if (descriptor_ == nullptr) {
      errno = EBADF;
    }
  }
  ~DescriptorUse() {
    if (descriptor_ != nullptr) {
      descriptor_->gate.leave();
    }
  }
  DescriptorUse(const DescriptorUse&) = delete;
  DescriptorUse& operator=(const DescriptorUse&) = delete;

  explicit operator bool() const noexcept { return descriptor_ != nullptr; }
  Descriptor* operator->() const noexcept { return descriptor_.get(); }

 private:
  std::shared_ptr<Descriptor> descriptor_;
};

}  // namespace benchfs::compat
