#include "client/names.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/assert.h"

namespace benchfs::client {
namespace {

bool is_stale(const Error& error) noexcept {
  return error.code == Errc::kStale;
}

bool names_something(const Path& path) noexcept {
  return path.last == LastComponent::kName && !path.is_root();
}

/// How often one operation walks its path.
class Tries {
 public:
  explicit Tries(const Servers& servers) noexcept
      : servers_(servers), until_ns_(servers.now_ns() + servers.timeout_ns()) {}

  bool are_over() const noexcept { return count_ == kWalksMax; }

  /// One more. While others move directories, each walk that fails is one of theirs that is done.
  void count(bool directories_moved) noexcept {
    count_ += directories_moved && servers_.now_ns() < until_ns_ ? 0 : 1;
  }

 private:
  const Servers& servers_;
  const std::uint64_t until_ns_;
  int count_ = 1;
};

}  // namespace

// ---- Asking
// --------------------------------------------------------------------------------------------

template <typename Request>
coro::Task<Result<typename Request::Reply>> Names::ask_entry(Context& context, const Path& path,
                                                             Request request, ConstBytes payload) {
  BENCHFS_ASSERT(names_something(path));
  for (Tries tries(servers_);;) {
    Walk walk = walker_.begin(path);
    const auto walked = co_await walker_.advance(context, walk);
    Error error{.code = Errc::kStale, .where = "client.walk"};
    if (walked.has_value()) {
      request.key = walk.key();
      request.moves = walk.moves();
      const ServerId server =
          placement::entry_server(request.key.parent, request.key.name, servers_.count());
      auto calling = servers_.call(context, server, request, payload);
      auto answer = co_await calling;
      if (answer.has_value()) {
        if constexpr (std::is_same_v<Request, wire::RmdirRequest>) {
          walker_.forget(request.key);  // Spares us an answer of kStale if the name is used again.
        }
        co_return std::move(answer->reply);
      }
      error = answer.error();
    } else {
      error = walked.error();
    }
    if (!is_stale(error) || tries.are_over()) {
      co_return fail(error);
    }
    const bool moved = co_await walker_.forget(context, walk);
    tries.count(moved);
  }
}

coro::Task<Result<wire::Attributes>> Names::look_up_once(Context& context, Walk& walk,
                                                         Follow follow) {
  for (;;) {
    BENCHFS_CO_CHECK(walker_.advance(context, walk));
    if (walk.name().empty()) {
      wire::Attributes here;
      here.inode = walk.directory();
      here.type = wire::FileType::kDirectory;
      co_return here;
    }
    wire::LookupRequest request{.key = walk.key(), .moves = walk.moves()};
    const ServerId server =
        placement::entry_server(request.key.parent, request.key.name, servers_.count());
    auto calling = servers_.call(context, server, std::move(request));
    BENCHFS_CO_TRY(const auto answer, calling);
    const wire::Attributes& found = answer.reply.attributes;
    const bool follows = follow == Follow::kYes || walk.must_be_directory();
    if (found.type == wire::FileType::kSymlink && follows) {
      BENCHFS_CO_CHECK(walker_.follow(context, walk, found.inode));
      continue;
    }
    if (walk.must_be_directory() && found.type != wire::FileType::kDirectory) {
      co_return fail(Errc::kNotDirectory, "client.look_up");
    }
    co_return found;
  }
}

coro::Task<Result<wire::Attributes>> Names::look_up(Context& context, const Path& path,
                                                    Follow follow) {
  for (Tries tries(servers_);;) {
    Walk walk = walker_.begin(path);
    auto looking = look_up_once(context, walk, follow);
    auto found = co_await looking;
    if (found.has_value() || !is_stale(found.error()) || tries.are_over()) {
      co_return found;
    }
    const bool moved = co_await walker_.forget(context, walk);
    tries.count(moved);
  }
}

template <typename Request>
coro::Task<Result<typename Request::Reply>> Names::ask_inode(Context& context, const Path& path,
                                                             Request request, Follow follow) {
  for (Tries tries(servers_);;) {
    Walk walk = walker_.begin(path);
    auto looking = look_up_once(context, walk, follow);
    const auto found = co_await looking;
    Error error{.code = Errc::kStale, .where = "client.inode"};
    if (found.has_value()) {
      request.inode = found->inode;
      auto calling = servers_.call(context, home_of(request.inode), request);
      auto answer = co_await calling;
      if (answer.has_value()) {
        co_return std::move(answer->reply);
      }
      error = answer.error();
    } else {
      error = found.error();
    }
    // Stale: removed, or replaced by a rename, since it was looked up. What is there now?
    if (!is_stale(error) || tries.are_over()) {
      co_return fail(error);
    }
    const bool moved = co_await walker_.forget(context, walk);
    tries.count(moved);
  }
}

coro::Task<Status> Names::check_trailing_slash(Context& context, const Path& path) {
  if (!path.must_be_directory) {
    co_return Status();
  }
  auto asking = ask_entry(context, path, wire::LookupRequest());
  BENCHFS_CO_TRY(const auto found, asking);
  co_return found.attributes.type == wire::FileType::kDirectory
      ? Status()
      : fail(Errc::kNotDirectory, "client.slash");
}

coro::Task<Result<InodeId>> Names::find_directory(Context& context, Path path) {
  path.must_be_directory = true;
  auto looking = look_up(context, path);
  BENCHFS_CO_TRY(const auto found, looking);
  co_return found.inode;
}

// ---- Opening
// -------------------------------------------------------------------------------------------

coro::Task<Result<wire::OpenReply>> Names::open_once(Context& context, Walk& walk,
                                                     wire::OpenRequest request, Follow follow) {
  const std::uint32_t flags = request.flags;
  for (;;) {
    BENCHFS_CO_CHECK(walker_.advance(context, walk));
    if (walk.name().empty()) {
      co_return fail(Errc::kIsDirectory, "client.open");
    }
    if (walk.must_be_directory()) {
      if ((flags & wire::kOpenCreate) != 0) {
        co_return fail(Errc::kIsDirectory, "client.open");
      }
      request.flags = flags | wire::kOpenDirectory;
    }
    request.key = walk.key();
    request.moves = walk.moves();
    const ServerId server =
        placement::entry_server(request.key.parent, request.key.name, servers_.count());
    auto calling = servers_.call(context, server, request);
    BENCHFS_CO_TRY(auto answer, calling);
    const wire::FoundEntry& found = answer.reply.entry;
    if (found.attributes.type == wire::FileType::kSymlink) {
      if (follow == Follow::kNo && !walk.must_be_directory()) {
        const bool wants_directory = (flags & wire::kOpenDirectory) != 0;
        co_return fail(wants_directory ? Errc::kNotDirectory : Errc::kSymlinkLoop, "client.open");
      }
      BENCHFS_CO_CHECK(walker_.follow(context, walk, found.attributes.inode));
      continue;
    }
    if (found.attributes.type != wire::FileType::kFile) {
      co_return fail(Errc::kIsDirectory, "client.open");  // Told, not opened: nothing to close.
    }
    if (found.local) {
      co_return std::move(answer.reply);
    }
    const wire::OpenInodeRequest opening{
        .inode = found.attributes.inode,
        .flags = request.flags & ~(wire::kOpenCreate | wire::kOpenExclusive)};
    auto calling_home = servers_.call(context, home_of(opening.inode), opening);
    BENCHFS_CO_TRY(auto opened, calling_home);
    co_return std::move(opened.reply);
  }
}

coro::Task<Result<wire::OpenReply>> Names::open(Context& context, Path path, std::uint32_t flags,
                                                std::uint32_t mode, wire::Layout layout,
                                                Follow follow) {
  if (path.is_root() || (path.must_be_directory && (flags & wire::kOpenCreate) != 0)) {
    co_return fail(Errc::kIsDirectory, "client.open");
  }
  context.name_servers.emplace();
  wire::OpenRequest request{.key = {},
                            .flags = flags,
                            .mode = mode,
                            .uid = owner_.uid,
                            .gid = owner_.gid,
                            .layout = layout};
  for (Tries tries(servers_);;) {
    Walk walk = walker_.begin(path);
    auto opening = open_once(context, walk, request, follow);
    auto opened = co_await opening;
    // Stale: the inode went between the answers of the entry's server and of its home.
    if (opened.has_value() || !is_stale(opened.error()) || tries.are_over()) {
      co_return std::move(opened);
    }
    const bool moved = co_await walker_.forget(context, walk);
    tries.count(moved);
  }
}

// ---- Attributes
// ----------------------------------------------------------------------------------------

coro::Task<Result<wire::Attributes>> Names::stat(Context& context, Path path, Follow follow) {
  // Always asked of the home, which knows the size while somebody writes.
  auto asking = ask_inode(context, path, wire::GetAttrRequest(), follow);
  co_return co_await asking;
}

coro::Task<Status> Names::truncate(Context& context, Path path, std::uint64_t size_bytes) {
  const wire::TruncateRequest request{.inode = kNoInode, .size_bytes = size_bytes};
  auto asking = ask_inode(context, path, request, Follow::kYes);
  BENCHFS_CO_CHECK(asking);
  co_return Status();
}

coro::Task<Status> Names::set_attributes(Context& context, Path path, wire::SetAttrRequest change,
                                         Follow follow) {
  auto asking = ask_inode(context, path, change, follow);
  BENCHFS_CO_CHECK(asking);
  co_return Status();
}

// ---- Changing names
// ------------------------------------------------------------------------------------

coro::Task<Status> Names::unlink(Context& context, Path path) {
  if (!names_something(path)) {
    auto looking = look_up(context, path);
    BENCHFS_CO_CHECK(looking);
    co_return fail(Errc::kIsDirectory, "client.unlink");
  }
  BENCHFS_CO_CHECK(check_trailing_slash(context, path));
  auto asking = ask_entry(context, path, wire::UnlinkRequest());
  BENCHFS_CO_CHECK(asking);
  co_return Status();
}

coro::Task<Status> Names::mkdir(Context& context, Path path, std::uint32_t mode) {
  if (!names_something(path)) {
    // What the dots stand in must be there, and then it is there.
    auto looking = look_up(context, path);
    BENCHFS_CO_CHECK(looking);
    co_return fail(Errc::kExists, "client.mkdir");
  }
  wire::MkdirRequest request{.key = {}, .mode = mode, .uid = owner_.uid, .gid = owner_.gid};
  auto asking = ask_entry(context, path, std::move(request));
  BENCHFS_CO_CHECK(asking);
  co_return Status();
}

coro::Task<Status> Names::rmdir(Context& context, Path path) {
  if (path.is_root()) {
    co_return fail(Errc::kBusy, "client.rmdir");
  }
  if (!names_something(path)) {
    auto looking = look_up(context, path);
    BENCHFS_CO_CHECK(looking);
    // Not what the dots stand for: ".." holds at least the directory that it leads from.
    co_return fail(path.last == LastComponent::kDot ? Errc::kInvalid : Errc::kNotEmpty,
                   "client.rmdir");
  }
  auto asking = ask_entry(context, path, wire::RmdirRequest());
  BENCHFS_CO_CHECK(asking);
  co_return Status();
}

coro::Task<Status> Names::symlink(Context& context, std::string target, Path path) {
  BENCHFS_ASSERT(wire::is_valid_link_target(target));
  if (!names_something(path)) {
    auto looking = look_up(context, path);
    BENCHFS_CO_CHECK(looking);
    co_return fail(Errc::kExists, "client.symlink");
  }
  if (path.must_be_directory) {
    // A link is no directory, so there is no such name to be made.
    auto asking = ask_entry(context, path, wire::LookupRequest());
    BENCHFS_CO_CHECK(asking);
    co_return fail(Errc::kExists, "client.symlink");
  }
  wire::SymlinkRequest request{.key = {}, .uid = owner_.uid, .gid = owner_.gid};
  const ConstBytes payload = std::as_bytes(std::span(target.data(), target.size()));
  auto asking = ask_entry(context, path, std::move(request), payload);
  BENCHFS_CO_CHECK(asking);
  co_return Status();
}

coro::Task<Result<std::string>> Names::read_link(Context& context, Path path) {
  auto asking = ask_inode(context, path, wire::ReadLinkRequest(), Follow::kNo);
  BENCHFS_CO_TRY(auto answer, asking);
  co_return std::move(answer.target);
}

coro::Task<Status> Names::rename_once(Context& context, Walk& from, Walk& to) {
  BENCHFS_CO_CHECK(walker_.advance(context, from));
  BENCHFS_CO_CHECK(walker_.advance(context, to));
  wire::RenameRequest request{
      .from = from.key(), .to = to.key(), .moves = std::min(from.moves(), to.moves())};
  const ServerId server =
      placement::entry_server(request.from.parent, request.from.name, servers_.count());
  auto calling = servers_.call(context, server, request);
  BENCHFS_CO_CHECK(calling);
  walker_.forget(request.from);
  walker_.forget(request.to);
  co_return Status();
}

coro::Task<Status> Names::rename(Context& context, Path from, Path to) {
  if (from.is_root() || to.is_root()) {
    co_return fail(Errc::kBusy, "client.rename");
  }
  if (!names_something(from) || !names_something(to)) {
    // The dots have to stand in a directory that is there.
    auto looking = look_up(context, names_something(from) ? to : from);
    BENCHFS_CO_CHECK(looking);
    co_return fail(Errc::kBusy, "client.rename");
  }
  if (from.must_be_directory || to.must_be_directory) {
    from.must_be_directory = true;
    BENCHFS_CO_CHECK(check_trailing_slash(context, from));
  }
  for (Tries tries(servers_);;) {
    Walk from_walk = walker_.begin(from);
    Walk to_walk = walker_.begin(to);
    const auto renamed = co_await rename_once(context, from_walk, to_walk);
    if (renamed.has_value() || !is_stale(renamed.error()) || tries.are_over()) {
      co_return renamed;
    }
    const bool moved_from = co_await walker_.forget(context, from_walk);
    const bool moved_to = co_await walker_.forget(context, to_walk);
    tries.count(moved_from || moved_to);
  }
}

}  // namespace benchfs::client
