#include "compat/library.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace benchfs::compat {
namespace {

/// A variable of the environment; null if it is not set or empty.
const char* variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): as libbenchfs does.
  return value != nullptr && *value != '\0' ? value : nullptr;
}

/// Where `benchfs up` puts a session if nobody says where.
std::string default_session_directory() {
  if (const char* named = variable("BENCHFS_SESSION"); named != nullptr) {
    return named;
  }
  if (const char* runtime = variable("XDG_RUNTIME_DIR"); runtime != nullptr) {
    return std::string(runtime) + "/benchfs";
  }
  return "/tmp/benchfs-" + std::to_string(::geteuid());
}

}  // namespace

int Library::init(const char* session_directory) {
  const bool is_named = session_directory != nullptr && *session_directory != '\0';
  const std::lock_guard lock(mutex_);
  if (session_ == nullptr) {
    return join(is_named ? session_directory : default_session_directory().c_str());
  }
  if (is_named && session_->directory != session_directory) {
    errno = EBUSY;
    return complain(std::string(session_directory) + ": this process has joined the session " +
                    session_->directory + "; leave that first");
  }
  return 0;
}

int Library::join(const char* session_directory) {
  if (!read_chunk_size()) {
    return -1;
  }
  auto session = std::make_shared<Session>();
  session->directory = session_directory;
  session->mount = benchfs_mount_open(session_directory);
  if (session->mount == nullptr) {
    return complain(benchfs_error_text());
  }
  session_ = std::move(session);
  return 0;
}

bool Library::read_chunk_size() {
  chunk_size_from_environment_ = kNotSet;
  const char* text = variable(chunk_size_variable_);
  if (text == nullptr) {
    return true;
  }
  std::uint64_t value = 0;
  const std::string_view digits = text;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), value);
  if (error != std::errc() || end != digits.end() || value == 0) {
    errno = EINVAL;
    complain(std::string(chunk_size_variable_) + "=" + text +
             ": give the bytes per chunk, 1 or more, in digits alone");
    return false;
  }
  chunk_size_from_environment_ = value;
  return true;
}

int Library::complain(const std::string& sentence) const {
  const int saved = errno;
  std::fprintf(stderr, "%s: %s\n", name_, sentence.c_str());
  errno = saved;
  return -1;
}

int Library::term() {
  std::shared_ptr<Session> session;
  {
    const std::lock_guard lock(mutex_);
    session = std::move(session_);
  }
  if (session == nullptr) {
    return 0;
  }
  session->gate.shut();
  int first_error = 0;
  for (const auto& descriptor : session->descriptors.take_all()) {
    if (descriptor != nullptr && close_descriptor(*descriptor) != 0 && first_error == 0) {
      first_error = errno;
    }
  }
  if (benchfs_mount_close(session->mount) != 0 && first_error == 0) {
    first_error = errno;
  }
  if (first_error != 0) {
    errno = first_error;
    return -1;
  }
  return 0;
}

std::optional<std::uint64_t> Library::chunk_size() const noexcept {
  for (const auto& each : {&chunk_size_bytes_, &chunk_size_from_environment_}) {
    if (const std::uint64_t bytes = *each; bytes != kNotSet) {
      return bytes;
    }
  }
  return std::nullopt;
}

std::shared_ptr<Session> Library::enter() {
  const std::lock_guard lock(mutex_);
  if (session_ == nullptr || !session_->gate.enter()) {
    errno = ENOTCONN;
    return nullptr;
  }
  return session_;
}

}  // namespace benchfs::compat
