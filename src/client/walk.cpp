#include "client/walk.h"

#include <algorithm>

#include "base/assert.h"
#include "placement/placement.h"

namespace benchfs::client {
namespace {

/// For an open: the name depends on what the server keeps.
void note(Context& context, ServerId server) {
  if (context.name_servers.has_value()) {
    std::vector<ServerId>& servers = *context.name_servers;
    if (std::find(servers.begin(), servers.end(), server) == servers.end()) {
      servers.push_back(server);
    }
  }
}

}  // namespace

Walk::Walk(const Path& path, std::uint64_t moves) : moves_(moves) {
  go_on(path);
}

void Walk::go_on(const Path& path) {
  if (path.is_absolute) {
    trail_.clear();
  }
  if (pending_.empty()) {
    must_be_directory_ = must_be_directory_ || path.must_be_directory;
  }
  pending_.insert(pending_.end(), path.components.rbegin(), path.components.rend());
  name_.clear();
}

/// A power failure may have taken a directory that another server holds entries of: that one goes
/// on with it, and does not say kStale. So nothing is believed that was heard before a restart.
std::optional<InodeId> Walker::cached(InodeId parent, const std::string& name) {
  if (restarts_ != servers_.restart_count()) {
    restarts_ = servers_.restart_count();
    directories_.clear();
  }
  return directories_.find(parent, name, servers_.now_ns());
}

coro::Task<Status> Walker::advance(Context& context, Walk& walk) {
  while (!walk.pending_.empty()) {
    std::string name = std::move(walk.pending_.back());
    walk.pending_.pop_back();
    if (name == "..") {
      if (!walk.trail_.empty()) {
        walk.trail_.pop_back();
      }
      continue;
    }
    const InodeId parent = walk.directory();
    const ServerId server = placement::entry_server(parent, name, servers_.count());
    note(context, home_of(parent));
    note(context, server);
    if (walk.pending_.empty()) {
      walk.name_ = std::move(name);
      co_return Status();
    }
    if (const auto directory = cached(parent, name)) {
      walk.used_.emplace_back(parent, std::move(name));
      walk.trail_.push_back(*directory);
      continue;
    }
    wire::LookupRequest request{.key = {.parent = parent, .name = name}, .moves = walk.moves_};
    auto calling = servers_.call(context, server, std::move(request));
    BENCHFS_CO_TRY(const auto answer, calling);
    const wire::Attributes& found = answer.reply.attributes;
    if (found.type == wire::FileType::kSymlink) {
      BENCHFS_CO_CHECK(follow(context, walk, found.inode));
      continue;
    }
    if (found.type != wire::FileType::kDirectory) {
      co_return fail(Errc::kNotDirectory, "client.walk");
    }
    if (walk.moves_ == moves_) {
      directories_.put(parent, name, found.inode, servers_.now_ns());
    }
    walk.used_.emplace_back(parent, std::move(name));
    walk.trail_.push_back(found.inode);
  }
  co_return Status();
}

coro::Task<Status> Walker::follow(Context& context, Walk& walk, InodeId link) {
  if (walk.links_followed_ == kLinksFollowedMax) {
    co_return fail(Errc::kSymlinkLoop, "client.follow");
  }
  ++walk.links_followed_;
  note(context, home_of(link));
  const wire::ReadLinkRequest request{.inode = link};
  auto calling = servers_.call(context, home_of(link), request);
  BENCHFS_CO_TRY(const auto answer, calling);
  BENCHFS_CO_TRY_NOW(const Path target, parse_link_target(answer.reply.target));
  walk.go_on(target);
  co_return Status();
}

coro::Task<bool> Walker::forget(Context& context, const Walk& walk) {
  for (const auto& [parent, name] : walk.used_) {
    directories_.forget(parent, name);
  }
  if (!context.server.has_value()) {
    co_return false;
  }
  auto calling = servers_.call(context, *context.server, wire::MovesRequest());
  const auto answer = co_await calling;
  if (answer.has_value() && answer->reply.number > moves_) {
    moves_ = answer->reply.number;
    directories_.clear();
  }
  co_return moves_ > walk.moves();
}

}  // namespace benchfs::client
