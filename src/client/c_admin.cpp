// benchfs.h: what servers tell of themselves, and their orderly end.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>

#include "client/c_handles.h"
#include "client/cluster.h"
#include "wire/codec.h"

using namespace benchfs;          // NOLINT(google-build-using-namespace)
using namespace benchfs::client;  // NOLINT(google-build-using-namespace)

namespace {

/// Checks the arguments that both calls share; sets the error if they are wrong.
bool check_server(const benchfs_mount* mount, int server) {
  if (!check(mount)) {
    return false;
  }
  if (server < 0 || server >= mount->mount->server_count()) {
    set_error(EINVAL,
              fmt::format("no server {}: there are {}", server, mount->mount->server_count()));
    return false;
  }
  return true;
}

/// Cuts what does not fit; always ends with NUL.
void copy_text(std::span<char> to, std::string_view text) {
  const std::size_t length = std::min(text.size(), to.size() - 1);
  std::memcpy(to.data(), text.data(), length);
  to[length] = '\0';
}

}  // namespace

int benchfs_server_status_get(benchfs_mount* mount, int server, benchfs_server_status* out) {
  if (!check_server(mount, server)) {
    return -1;
  }
  if (out == nullptr) {
    return set_error(EINVAL, "nowhere to put the answer");
  }
  Context context{.subject = "status", .server = {}};
  const auto result = mount->mount->run(
      ask_status(mount->mount->servers(), context, ServerId{static_cast<std::uint16_t>(server)}));
  if (!result.has_value()) {
    return set_error(context, result.error(), &mount->mount->server_names());
  }
  *out = {};
  out->server = server;
  out->pid = result->pid;
  copy_text(out->host, result->host);
  copy_text(out->version, result->version);
  copy_text(out->disk_backend, result->disk_backend);
  copy_text(out->store_directory, result->store_directory);
  out->direct_io = result->direct_io ? 1 : 0;
  out->uptime_ns = result->uptime_ns;
  out->capacity = result->capacity_bytes;
  out->used = result->used_bytes;
  out->inode_count = result->inode_count;
  out->open_count = result->open_count;
  out->client_count = result->client_count;
  out->written_bytes = result->written_bytes;
  out->read_bytes = result->read_bytes;
  out->cpu_ns = result->cpu_ns;
  out->memory_bytes = result->memory_bytes;
  out->memory_peak_bytes = result->memory_peak_bytes;
  out->pool_bytes = result->pool_bytes;
  out->pool_used_bytes = result->pool_used_bytes;
  out->read_only = result->read_only ? 1 : 0;
  return 0;
}

ssize_t benchfs_server_metrics_get(benchfs_mount* mount, int server, void* buffer, size_t size) {
  if (!check_server(mount, server)) {
    return -1;
  }
  if (buffer == nullptr) {
    return set_error(EINVAL, "nowhere to put the answer");
  }
  Context context{.subject = "metrics", .server = {}};
  const auto result = mount->mount->run(
      ask_metrics(mount->mount->servers(), context, ServerId{static_cast<std::uint16_t>(server)}));
  if (!result.has_value()) {
    return set_error(context, result.error(), &mount->mount->server_names());
  }
  wire::Encoder encoder(Bytes(static_cast<std::byte*>(buffer), size));
  encoder&* result;
  if (!encoder.ok()) {
    return set_error(ERANGE, fmt::format("the metrics take more than {} bytes", size));
  }
  return static_cast<ssize_t>(encoder.size());
}

int benchfs_server_shutdown(benchfs_mount* mount, int server, int keep_store) {
  if (!check_server(mount, server)) {
    return -1;
  }
  Context context{.subject = "shutdown", .server = {}};
  const auto result = mount->mount->run(ask_shutdown(mount->mount->servers(), context,
                                                     ServerId{static_cast<std::uint16_t>(server)},
                                                     keep_store != 0));
  return static_cast<int>(to_c(*mount->mount, context, result));
}
