#pragma once

// Going to the background: the program that was called returns when its child says so.
//
// Threading: the main thread, before there are others.

#include <string>

namespace benchfs::fuse {

class Background {
 public:
  /// The calling process waits for tell_ready() or fail() of its child, and ends with that: only
  /// the child returns from here. Call before anything that a fork would break. With `stay` nothing
  /// of it happens. False: there can be no child (errno).
  bool enter(bool stay);

  /// The caller of the program may go on.
  void tell_ready();

  /// Complains "benchfs: <sentence>". Returns the exit status, in the child and for the caller.
  int fail(const std::string& sentence);

 private:
  int pipe_ = -1;
};

}  // namespace benchfs::fuse
