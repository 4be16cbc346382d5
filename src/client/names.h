#pragma once

// Operations on names: each finds the directory by walking the path (walk.h), and asks the server
// that holds the entry. An answer of kStale means that a cached directory is no more: the path is
// forgotten and walked again.
//
// Threading: loop thread only. Coroutines borrow this object and `context` until they end.

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "client/errno_map.h"
#include "client/path.h"
#include "client/servers.h"
#include "client/walk.h"
#include "coro/task.h"
#include "placement/placement.h"
#include "wire/messages.h"

namespace benchfs::client {

/// How often a path is walked at the most, while others remove and make its directories again.
/// Walks that others have overtaken by moving directories, anywhere, do not count until the
/// time-out has passed.
inline constexpr int kWalksMax = 8;

/// Who owns what a client creates.
struct Owner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

/// Whether a symbolic link stands for what it leads to, if it is what a path names. Links on the
/// way always do, and so does one with a slash behind it.
enum class Follow : bool { kNo, kYes };

class Names {
 public:
  /// Borrows `servers`.
  Names(Servers& servers, Owner owner) noexcept
      : servers_(servers), owner_(owner), walker_(servers) {}
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

  /// An inode opened at its home: `flags` are wire::OpenFlags. kSymlinkLoop for a link that is not
  /// to be followed.
  coro::Task<Result<wire::OpenReply>> open(Context& context, Path path, std::uint32_t flags,
                                           std::uint32_t mode, wire::Layout layout,
                                           Follow follow = Follow::kYes);

  coro::Task<Result<wire::Attributes>> stat(Context& context, Path path,
                                            Follow follow = Follow::kYes);
  coro::Task<Status> truncate(Context& context, Path path, std::uint64_t size_bytes);
  /// `change.inode` is filled in.
  coro::Task<Status> set_attributes(Context& context, Path path, wire::SetAttrRequest change,
                                    Follow follow = Follow::kYes);
  coro::Task<Status> unlink(Context& context, Path path);
  coro::Task<Status> mkdir(Context& context, Path path, std::uint32_t mode);
  coro::Task<Status> rmdir(Context& context, Path path);
  coro::Task<Status> rename(Context& context, Path from, Path to);
  /// `target` is 1 to wire::kLinkTargetBytesMax bytes, none of them NUL.
  coro::Task<Status> symlink(Context& context, std::string target, Path path);
  /// kInvalid: not a link.
  coro::Task<Result<std::string>> read_link(Context& context, Path path);

  /// The directory at `path`. kNotFound, kNotDirectory.
  coro::Task<Result<InodeId>> find_directory(Context& context, Path path);

 private:
  /// Sends `request`, whose key it fills in, to the server of the entry `path`, which ends in a
  /// name, and whatever that stands for; with `payload`, which is borrowed.
  template <typename Request>
  coro::Task<Result<typename Request::Reply>> ask_entry(Context& context, const Path& path,
                                                        Request request, ConstBytes payload = {});

  /// Sends `request`, whose inode it fills in, to the home of what is at `path`.
  template <typename Request>
  coro::Task<Result<typename Request::Reply>> ask_inode(Context& context, const Path& path,
                                                        Request request, Follow follow);

  /// kNotDirectory if the path says that it is a directory, and it is a file or a link; kNotFound.
  coro::Task<Status> check_trailing_slash(Context& context, const Path& path);
  coro::Task<Result<wire::Attributes>> look_up(Context& context, const Path& path,
                                               Follow follow = Follow::kYes);
  coro::Task<Result<wire::Attributes>> look_up_once(Context& context, Walk& walk, Follow follow);
  coro::Task<Result<wire::OpenReply>> open_once(Context& context, Walk& walk,
                                                wire::OpenRequest request, Follow follow);
  coro::Task<Status> rename_once(Context& context, Walk& from, Walk& to);

  Servers& servers_;
  const Owner owner_;
  Walker walker_;
};

}  // namespace benchfs::client
