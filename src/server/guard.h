#pragma once

// The process between mpirun and a server. mpirun ends every rank when one dies by a signal; so a
// server is not the rank itself but its child, and the rank only waits. A server that crashes after
// the session was ready is started again on its store. One that is killed leaves the others
// running: the guard stays until the session ends, and then reports the death.
//
// Threading: call first thing in main, before any thread exists.

#include "base/ids.h"
#include "server/config.h"

namespace benchfs::server {

/// What the server's side of the fork gets.
class Guard {
 public:
  /// Forks. Returns in the child only; the parent is the guard and exits by itself:
  ///  - with the server's status if the server exits (with another one than 0 only when the session
  ///  ends, if it was ready), or if it dies before it was ready;
  ///  - with 1, when SIGTERM, SIGINT or SIGHUP comes or the session file is gone, if the server was
  ///  killed after it was ready, or when its job is over and nobody has ended it (job_watch.h): it
  ///  gets SIGTERM then, and SIGKILL if that does not end it within 30 s. With `temporary` what is
  ///  left of the session on this node goes as well.
  /// A server that crashes after it was ready (SIGABRT, SIGSEGV and their like) is started again.
  /// Signals to stop that the guard gets go on to the server. If the guard dies, the server gets
  /// SIGTERM; if mpirun dies, the guard does. If fork fails the server runs unguarded, and says so.
  static Guard enter(int argc, char** argv, const Config& config);

  /// From now on the death of this server, which is `server` of its session, is not the end of the
  /// other ranks.
  void server_is_ready(ServerId server) noexcept;

 private:
  explicit Guard(int ready_fd) noexcept : ready_fd_(ready_fd) {}
  int ready_fd_;
};

}  // namespace benchfs::server
