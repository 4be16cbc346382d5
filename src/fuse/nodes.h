#pragma once

// The file system by ids instead of paths: a node is an inode of benchfs, a name is a (directory,
// name) pair. No id is ever used again, so a node that somebody remembers is the same file under
// whatever name, or none (kStale).
//
// Threading: loop thread only. Coroutines borrow this object and `context` until they end.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "client/errno_map.h"
#include "client/file.h"
#include "client/names.h"
#include "client/servers.h"
#include "coro/task.h"
#include "wire/messages.h"

namespace benchfs::fuse {

/// How much lookups and creations ask for.
enum class Detail {
  /// Size and times of a directory may be out of date: the kernel asks again before it uses them.
  kEnough,
  kAll,
};

/// A new or known file that was opened, and what it is.
struct Opened {
  std::unique_ptr<client::File> file;
  wire::Attributes attributes;
};

class Nodes {
 public:
  /// Borrows `servers`.
  Nodes(client::Servers& servers, Detail detail) noexcept : servers_(servers), detail_(detail) {}
  Nodes(const Nodes&) = delete;
  Nodes& operator=(const Nodes&) = delete;

  // kNotFound also if the directory itself is no more.

  coro::Task<Result<wire::Attributes>> look_up(client::Context& context, InodeId directory,
                                               std::string name);
  /// `flags` are wire::OpenFlags. kStale: what is there is no file (the kernel looks again).
  coro::Task<Result<Opened>> create(client::Context& context, InodeId directory, std::string name,
                                    std::uint32_t flags, std::uint32_t mode, client::Owner owner);
  coro::Task<Result<wire::Attributes>> make_directory(client::Context& context, InodeId directory,
                                                      std::string name, std::uint32_t mode,
                                                      client::Owner owner);
  coro::Task<Result<wire::Attributes>> make_link(client::Context& context, InodeId directory,
                                                 std::string name, std::string target,
                                                 client::Owner owner);
  coro::Task<Status> remove_file(client::Context& context, InodeId directory, std::string name);
  coro::Task<Status> remove_directory(client::Context& context, InodeId directory,
                                      std::string name);
  coro::Task<Status> rename(client::Context& context, InodeId from, std::string from_name,
                            InodeId to, std::string to_name);

  coro::Task<Result<wire::Attributes>> attributes(client::Context& context, InodeId node);
  coro::Task<Status> set_attributes(client::Context& context, wire::SetAttrRequest change);
  coro::Task<Status> truncate(client::Context& context, InodeId node, std::uint64_t size_bytes);
  coro::Task<Result<std::string>> read_link(client::Context& context, InodeId node);
  /// `flags`: kOpenRead, kOpenWrite, kOpenAppend, kOpenTruncate.
  coro::Task<Result<std::unique_ptr<client::File>>> open(client::Context& context, InodeId node,
                                                         std::uint32_t flags);
  /// All that the servers have acknowledged is on their drives.
  coro::Task<Status> sync(client::Context& context);

 private:
  template <typename Request>
  coro::Task<Result<typename Request::Reply>> ask_entry(client::Context& context, Request request,
                                                        ConstBytes payload = {});
  coro::Task<Result<wire::Attributes>> complete(client::Context& context,
                                                const wire::FoundEntry& found);
  coro::Task<void> sync_one(ServerId server, client::Context& context, Status& status);
  Result<std::unique_ptr<client::File>> to_file(const client::Context& context,
                                                const wire::OpenReply& opened, std::uint32_t flags);
  /// Everybody who may keep a part of a file's path: a node does not know its own.
  std::vector<ServerId> all_servers() const;

  client::Servers& servers_;
  const Detail detail_;
};

}  // namespace benchfs::fuse
