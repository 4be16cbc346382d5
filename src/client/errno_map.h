#pragma once

// The border between Errors and what an application sees: errno and one sentence per thread.
//
// Threading: any thread; each has its own sentence.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"

namespace benchfs::client {

/// What one operation is about, and which server's answer (or silence) made it fail. Belongs to the
/// operation; written by its coroutines.
struct Context {
  std::string subject;             ///< The path, or what else the user would call it.
  std::optional<ServerId> server;  ///< Set by Servers::call() when it fails.
  /// Set by Servers::call() when it succeeds: the connection over which the answer came was lost
  /// before anybody looked at the answer, and with it what the server keeps for a connection.
  bool answer_is_old = false;
  /// Set by Servers::call() when it succeeds: the server's incarnation that answered.
  std::uint64_t incarnation = 0;
  /// Set by Names::open(): the servers on which it depends that the name leads to the file.
  std::optional<std::vector<ServerId>> name_servers = {};
  /// Set by Servers::call() when it fails: the server has said so itself.
  bool is_answer = false;
  /// Given to Servers::call(), by an operation that may need many calls one after the other: none of
  /// them goes on after that time of the loop. 0: each has the time-out.
  std::uint64_t until_ns = 0;
  /// Given to Servers::call() in place of the mount's time-out, for what may take longer; 0: none.
  std::uint64_t timeout_ns = 0;
};

/// What the sentence needs to know of the session.
struct ServerNames {
  virtual ~ServerNames() = default;
  virtual std::string_view host_of(ServerId server) const noexcept = 0;
  virtual std::uint64_t timeout_ns() const noexcept = 0;
};

/// "/ckpt/a.h5: server 2 (n3) did not answer within 10 s". `names` may be null if no server is
/// named.
std::string sentence_of(const Context& context, const Error& error, const ServerNames* names);

/// Sets errno and the thread's sentence. Always returns -1, so that C functions can return it.
int set_error(int posix_errno, std::string sentence) noexcept;
int set_error(const Context& context, const Error& error, const ServerNames* names) noexcept;

/// The thread's sentence; "" before the first error.
const char* error_sentence() noexcept;

}  // namespace benchfs::client
