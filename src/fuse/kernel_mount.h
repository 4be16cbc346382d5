#pragma once

// A file system in the kernel's tree: made, served, and taken away again.
//
// Threading: the main thread; serve() has threads of its own.

#include <memory>
#include <string>

#include <tl/expected.hpp>

#include "fuse/arguments.h"
#include "fuse/file_system.h"

struct fuse_session;

namespace benchfs::fuse {

/// Why nothing can be mounted at `directory`, in a sentence; empty if there is no reason to see.
std::string why_not_mountable(const std::string& directory);

class KernelMount {
 public:
  /// Mounts. Borrows `file_system`. The error is a sentence.
  static tl::expected<std::unique_ptr<KernelMount>, std::string> create(
      const Arguments& arguments, const std::string& session_directory, FileSystem& file_system);
  /// Unmounts, if it is still there.
  ~KernelMount();
  KernelMount(const KernelMount&) = delete;
  KernelMount& operator=(const KernelMount&) = delete;

  /// Answers requests until somebody unmounts, or SIGTERM, SIGINT or SIGHUP comes; these must be
  /// blocked in all threads, and are let in here. False: it could not.
  bool serve();

 private:
  KernelMount() = default;

  fuse_session* session_ = nullptr;
  bool mounted_ = false;
  bool handles_signals_ = false;
};

}  // namespace benchfs::fuse
