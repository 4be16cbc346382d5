#pragma once

// The client's operations against real servers on a network in memory: everything but the engine,
// the transport and the process. Time is manual.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "client/errno_map.h"
#include "client/file.h"
#include "client/listing.h"
#include "client/names.h"
#include "client/path.h"
#include "client/servers.h"
#include "server/handlers/data.h"
#include "support/fake_cluster.h"

namespace benchfs::test {

inline constexpr std::uint64_t kFakeTimeoutNs = 10 * kNsPerSec;

/// One client process of the session.
class FakeMount {
 public:
  FakeMount(FakeCluster& cluster, FakeClient& peer)
      : cluster_(cluster),
        servers(cluster.loop, *peer.peers, peer.id, hosts(cluster.server_count()), kFakeTimeoutNs),
        names(servers, client::Owner{.uid = 10, .gid = 20}) {}

  static client::Path path(const std::string& text) { return std::move(*client::parse_path(text)); }

  /// Runs one operation; `context` tells afterwards where it failed.
  template <typename T>
  T run(coro::Task<T> task) {
    return cluster_.run(std::move(task));
  }

  Status mkdir(const std::string& at) { return run(names.mkdir(fresh(at), path(at), 0755)); }
  Status rmdir(const std::string& at) { return run(names.rmdir(fresh(at), path(at))); }
  Status unlink(const std::string& at) { return run(names.unlink(fresh(at), path(at))); }
  Status rename(const std::string& from, const std::string& to) {
    return run(names.rename(fresh(from), path(from), path(to)));
  }
  Status symlink(const std::string& target, const std::string& at) {
    return run(names.symlink(fresh(at), target, path(at)));
  }
  Result<std::string> read_link(const std::string& at) {
    return run(names.read_link(fresh(at), path(at)));
  }
  Result<wire::Attributes> lstat(const std::string& at) {
    return run(names.stat(fresh(at), path(at), client::Follow::kNo));
  }
  Result<wire::Attributes> stat(const std::string& at) {
    return run(names.stat(fresh(at), path(at)));
  }

  /// A file, opened; closed by close().
  Result<std::unique_ptr<client::File>> open(const std::string& at, std::uint32_t flags,
                                             wire::Layout layout = {}) {
    auto opened = run(names.open(fresh(at), path(at), flags, 0644, layout));
    if (!opened.has_value()) {
      return fail(opened.error());
    }
    return make_file(at, *opened, flags);
  }
  std::unique_ptr<client::File> make_file(const std::string& at, const wire::OpenReply& opened,
                                          std::uint32_t flags) {
    const client::File::Identity identity{.inode = opened.entry.attributes.inode,
                                          .layout = opened.entry.attributes.layout,
                                          .flags = flags,
                                          .open_id = opened.open_id,
                                          .truncate_epoch = opened.truncate_epoch};
    BENCHFS_ASSERT(client::File::is_sound(identity, servers.count()));
    return std::make_unique<client::File>(servers, at, identity, client::File::Origin::kOpened);
  }
  /// Another process's handle on an open file.
  std::unique_ptr<client::File> attach(const client::File& exported) {
    client::File::Identity identity = exported.identity();
    identity.counter = exported.counter();
    return std::make_unique<client::File>(servers, "attached", identity,
                                          client::File::Origin::kAttached);
  }
  Status close(client::File& file) { return run(file.close(fresh(file.name()))); }

  Result<std::uint64_t> write(client::File& file, std::vector<char>& data, std::uint64_t offset) {
    const iovec memory{.iov_base = data.data(), .iov_len = data.size()};
    const client::Extent extent{.offset_bytes = offset, .size_bytes = data.size()};
    return run(file.write(fresh(file.name()), std::span(&memory, 1), std::span(&extent, 1)));
  }
  Result<std::uint64_t> read(client::File& file, std::vector<char>& data, std::uint64_t offset) {
    const iovec memory{.iov_base = data.data(), .iov_len = data.size()};
    const client::Extent extent{.offset_bytes = offset, .size_bytes = data.size()};
    return run(file.read(fresh(file.name()), std::span(&memory, 1), std::span(&extent, 1)));
  }

  Result<std::uint64_t> lock(client::File& file, std::uint64_t begin, std::uint64_t end,
                             bool shared = false) {
    return run(file.lock(fresh(file.name()), {begin, end - begin}, shared));
  }
  Status unlock(client::File& file, std::uint64_t number) {
    return run(file.unlock(fresh(file.name()), number));
  }
  Result<std::uint64_t> count(client::File& file, std::uint64_t value, bool set = false) {
    return run(file.count(fresh(file.name()), value, set));
  }

  client::Context& fresh(const std::string& subject) {
    context = client::Context{.subject = subject, .server = {}};
    return context;
  }

  client::Context context;

 private:
  static std::vector<std::string> hosts(std::uint16_t count) {
    std::vector<std::string> all;
    for (std::uint16_t i = 0; i < count; ++i) {
      all.push_back("n" + std::to_string(i));
    }
    return all;
  }
  FakeCluster& cluster_;

 public:
  client::Servers servers;
  client::Names names;
};

/// Servers that keep data too, and mounts.
class FakeSession {
 public:
  explicit FakeSession(std::uint16_t server_count, std::size_t client_count = 1,
                       std::uint64_t seed = 1)
      : cluster(server_count, client_count, seed) {
    for (const auto& server : cluster.servers) {
      data.push_back(std::make_unique<server::DataService>(
          server->dispatcher, *server->pool, server->store, &server->exchange->outcomes()));
    }
    for (const auto& client : cluster.clients) {
      mounts.push_back(std::make_unique<FakeMount>(cluster, *client));
    }
  }

  FakeMount& mount(std::size_t i = 0) { return *mounts[i]; }

  /// How often the servers were asked for this.
  std::uint64_t asked(wire::Op op) const {
    std::uint64_t count = 0;
    for (const auto& server : cluster.servers) {
      count += server->dispatcher.counters(op).count;
    }
    return count;
  }

  FakeCluster cluster;
  std::vector<std::unique_ptr<server::DataService>> data;
  std::vector<std::unique_ptr<FakeMount>> mounts;
};

}  // namespace benchfs::test
