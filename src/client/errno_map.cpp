#include "client/errno_map.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"

namespace benchfs::client {
namespace {

thread_local std::string t_sentence;

std::string seconds(std::uint64_t ns) {
  return ns % kNsPerSec == 0 ? fmt::format("{} s", ns / kNsPerSec)
                             : fmt::format("{} ms", ns / kNsPerMs);
}

/// Whether it helps the user to know which server said so: not for what is wrong with a name.
bool is_about_a_server(Errc code) noexcept {
  switch (code) {
    case Errc::kIo:
    case Errc::kCorrupt:
    case Errc::kOutOfSpace:
    case Errc::kOutOfMemory:
    case Errc::kProtocol:
    case Errc::kInvalid:
    case Errc::kAccess:
    case Errc::kStale:
    case Errc::kBusy:
    case Errc::kPermission:
    case Errc::kPowerLost:
      return true;
    default:
      return false;
  }
}

std::string errno_text(int posix_errno) {
  char buffer[128];
  return ::strerror_r(posix_errno, buffer, sizeof(buffer));
}

std::string cause_of(const Error& error) {
  switch (error.code) {
    case Errc::kIo:
      // Its drive, or that of a server that it has asked.
      return errno_text(EIO) + " (a drive has failed; servers.log says which, and how)";
    case Errc::kCorrupt:
      return "stored bytes are damaged";
    case Errc::kAccess:
      return "the session's secret or identity was refused";
    case Errc::kStale:
      return "what was meant is no more (another session, or removed meanwhile)";
    case Errc::kPowerLost:
      return "its node has been without power: writes that it acknowledged and that were not "
             "synced may be "
             "gone";
    default:
      return errno_text(to_errno(error.code));
  }
}

}  // namespace

std::string sentence_of(const Context& context, const Error& error, const ServerNames* names) {
  const std::string lead = context.subject.empty() ? "" : context.subject + ": ";
  if (!context.server.has_value() || names == nullptr) {
    return lead + errno_text(to_errno(error.code));
  }
  const std::string server =
      fmt::format("server {} ({})", to_integer(*context.server), names->host_of(*context.server));
  if (error.code == Errc::kTimedOut && context.is_answer) {
    return fmt::format(
        "{}{} waited for another server, or for another operation on the same names, for more than "
        "{}",
        lead, server, seconds(names->timeout_ns()));
  }
  if (error.code == Errc::kTimedOut) {
    return fmt::format("{}{} did not answer within {}", lead, server, seconds(names->timeout_ns()));
  }
  if (error.code == Errc::kPeerLost && context.is_answer) {
    return fmt::format("{}{} has lost another server that this needs, or is stopping", lead,
                       server);
  }
  if (error.code == Errc::kPeerLost) {
    return fmt::format("{}{} is gone", lead, server);
  }
  if (is_about_a_server(error.code)) {
    return fmt::format("{}{}: {}", lead, server, cause_of(error));
  }
  return lead + errno_text(to_errno(error.code));
}

int set_error(int posix_errno, std::string sentence) noexcept {
  t_sentence = std::move(sentence);
  errno = posix_errno;
  return -1;
}

int set_error(const Context& context, const Error& error, const ServerNames* names) noexcept {
  return set_error(to_errno(error.code), sentence_of(context, error, names));
}

const char* error_sentence() noexcept {
  return t_sentence.c_str();
}

}  // namespace benchfs::client
