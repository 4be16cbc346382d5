#pragma once

// What a client library does with names, without its caches: each call asks the servers that the
// contract of wire/messages.h names.

#include <algorithm>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/fake_cluster.h"

namespace benchfs {

/// For GoogleTest. Errc{} stands for success.
inline void PrintTo(Errc code, std::ostream* out) {
  *out << (code == Errc{} ? std::string_view("ok") : name_of(code));
}

}  // namespace benchfs

namespace benchfs::test {

inline wire::EntryKey key_of(InodeId parent, std::string name) {
  return {.parent = parent, .name = std::move(name)};
}

/// Borrows cluster and client. Its tasks borrow it.
class FakeUser {
 public:
  FakeUser(FakeCluster& cluster, FakeClient& client) : cluster_(cluster), client_(client) {}

  template <typename Request>
  auto ask(ServerId server, Request request) {
    return client_.ask(server, std::move(request));
  }

  coro::Task<Result<wire::OpenReply>> open(wire::EntryKey key, std::uint32_t flags,
                                           wire::Layout layout = {}) {
    for (;;) {
      wire::OpenRequest request{
          .key = key, .flags = flags, .mode = 0640, .uid = 5, .gid = 6, .layout = layout};
      auto asking = client_.ask(cluster_.server_of(key), std::move(request));
      BENCHFS_CO_TRY(auto reply, asking);
      if (reply.entry.local || reply.entry.attributes.type != wire::FileType::kFile) {
        co_return reply;
      }
      const InodeId inode = reply.entry.attributes.inode;
      const wire::OpenInodeRequest by_inode{.inode = inode, .flags = flags};
      auto asking_home = client_.ask(home_of(inode), by_inode);
      auto opened = co_await asking_home;
      if (opened.has_value() || opened.error().code != Errc::kStale) {
        co_return opened;
      }
    }
  }
  coro::Task<Result<wire::FoundEntry>> lookup(wire::EntryKey key) {
    wire::LookupRequest request{.key = key};
    auto asking = client_.ask(cluster_.server_of(key), std::move(request));
    co_return co_await asking;
  }
  coro::Task<Result<wire::FoundEntry>> mkdir(wire::EntryKey key) {
    wire::MkdirRequest request{.key = key, .mode = 0750, .uid = 5, .gid = 6};
    auto asking = client_.ask(cluster_.server_of(key), std::move(request));
    co_return co_await asking;
  }
  coro::Task<Result<wire::FoundEntry>> symlink(wire::EntryKey key, std::string target) {
    wire::SymlinkRequest request{.key = key, .uid = 5, .gid = 6};
    const ConstBytes payload = std::as_bytes(std::span(target.data(), target.size()));
    auto asking = client_.ask(cluster_.server_of(key), std::move(request), kPatienceNs, payload);
    co_return co_await asking;
  }
  coro::Task<Result<wire::ReadLinkReply>> read_link(InodeId inode) {
    auto asking = client_.ask(home_of(inode), wire::ReadLinkRequest{.inode = inode});
    co_return co_await asking;
  }
  coro::Task<Result<wire::EmptyReply>> unlink(wire::EntryKey key) {
    wire::UnlinkRequest request{.key = key};
    auto asking = client_.ask(cluster_.server_of(key), std::move(request));
    co_return co_await asking;
  }
  coro::Task<Result<wire::EmptyReply>> rmdir(wire::EntryKey key) {
    wire::RmdirRequest request{.key = key};
    auto asking = client_.ask(cluster_.server_of(key), std::move(request));
    co_return co_await asking;
  }
  coro::Task<Result<wire::EmptyReply>> rename(wire::EntryKey from, wire::EntryKey to) {
    wire::RenameRequest request{.from = from, .to = to};
    auto asking = client_.ask(cluster_.server_of(from), std::move(request));
    co_return co_await asking;
  }
  coro::Task<Result<wire::Attributes>> stat(InodeId inode) {
    auto asking = client_.ask(home_of(inode), wire::GetAttrRequest{.inode = inode});
    co_return co_await asking;
  }
  coro::Task<Result<wire::EmptyReply>> truncate(InodeId inode, std::uint64_t size_bytes) {
    const wire::TruncateRequest request{.inode = inode, .size_bytes = size_bytes};
    auto asking = client_.ask(home_of(inode), request);
    co_return co_await asking;
  }
  /// Borrowed: nothing. `opened` is what open() gave.
  coro::Task<Result<wire::EmptyReply>> close(wire::OpenReply opened) {
    const InodeId inode = opened.entry.attributes.inode;
    const wire::CloseRequest request{.open_id = opened.open_id, .inode = inode};
    auto asking = client_.ask(home_of(inode), request);
    co_return co_await asking;
  }
  coro::Task<Result<wire::EmptyReply>> close_written(wire::OpenReply opened,
                                                     std::uint64_t end_bytes) {
    const InodeId inode = opened.entry.attributes.inode;
    const wire::CloseRequest request{.open_id = opened.open_id,
                                     .inode = inode,
                                     .wrote = true,
                                     .complete = true,
                                     .end_bytes = end_bytes,
                                     .truncate_epoch = opened.truncate_epoch};
    auto asking = client_.ask(home_of(inode), request);
    co_return co_await asking;
  }
  coro::Task<Result<wire::AppendReply>> append(wire::OpenReply opened, std::uint64_t length_bytes) {
    const InodeId inode = opened.entry.attributes.inode;
    const wire::AppendRequest request{
        .open_id = opened.open_id, .inode = inode, .length_bytes = length_bytes};
    auto asking = client_.ask(home_of(inode), request);
    co_return co_await asking;
  }

  /// Names in the directory, sorted; asks every server for pages of `entries_max`.
  coro::Task<Result<std::vector<std::string>>> list(InodeId directory,
                                                    std::uint32_t entries_max = 3) {
    std::vector<std::string> names;
    for (std::uint16_t i = 0; i < cluster_.server_count(); ++i) {
      std::uint64_t cookie = 0;
      for (bool at_end = false; !at_end;) {
        const wire::ReadDirRequest request{
            .directory = directory, .cookie = cookie, .entries_max = entries_max};
        auto asking = client_.ask(ServerId{i}, request);
        BENCHFS_CO_TRY(auto page, asking);
        for (wire::DirectoryEntry& item : page.entries) {
          names.push_back(std::move(item.name));
        }
        cookie = page.next_cookie;
        at_end = page.at_end;
      }
    }
    std::sort(names.begin(), names.end());
    co_return names;
  }

 private:
  FakeCluster& cluster_;
  FakeClient& client_;
};

}  // namespace benchfs::test
