#include "fuse/nodes.h"

#include <deque>
#include <span>

#include "base/limits.h"
#include "coro/scope.h"
#include "placement/placement.h"

namespace benchfs::fuse {
namespace {

using client::Context;

constexpr std::uint32_t kAccessFlags = wire::kOpenRead | wire::kOpenWrite | wire::kOpenAppend;

/// How often a name is looked up at the most whose inode goes while it is asked for.
constexpr int kLookupsMax = 8;

/// A directory that is no more has no names: POSIX has ENOENT for that.
Error for_name(Error error) noexcept {
  if (error.code == Errc::kStale) {
    error.code = Errc::kNotFound;
  }
  return error;
}

/// The kernel lets longer names through.
Status check_name(const std::string& name) noexcept {
  return name.size() > kNameBytesMax ? fail(Errc::kNameTooLong, "fuse.name") : Status();
}

}  // namespace

template <typename Request>
coro::Task<Result<typename Request::Reply>> Nodes::ask_entry(Context& context, Request request,
                                                             ConstBytes payload) {
  BENCHFS_CO_CHECK_NOW(check_name(request.key.name));
  const ServerId server =
      placement::entry_server(request.key.parent, request.key.name, servers_.count());
  auto calling = servers_.call(context, server, std::move(request), payload);
  auto answer = co_await calling;
  if (!answer.has_value()) {
    co_return fail(for_name(answer.error()));
  }
  co_return std::move(answer->reply);
}

// ---- Names
// ---------------------------------------------------------------------------------------------

/// The attributes that the entry's server does not have, or not as they are now.
coro::Task<Result<wire::Attributes>> Nodes::complete(Context& context,
                                                     const wire::FoundEntry& found) {
  const bool is_known =
      found.local &&
      (found.attributes.type == wire::FileType::kSymlink ||
       (found.attributes.type == wire::FileType::kDirectory && detail_ == Detail::kEnough));
  if (is_known) {
    co_return found.attributes;
  }
  auto asking = attributes(context, found.attributes.inode);
  co_return co_await asking;
}

coro::Task<Result<wire::Attributes>> Nodes::look_up(Context& context, InodeId directory,
                                                    std::string name) {
  for (int round = 1;; ++round) {
    wire::LookupRequest request{.key = {.parent = directory, .name = name}};
    auto asking = ask_entry(context, std::move(request));
    BENCHFS_CO_TRY(const wire::FoundEntry found, asking);
    auto completing = complete(context, found);
    const auto attributes = co_await completing;
    if (attributes.has_value()) {
      co_return attributes;
    }
    // Stale: removed, or replaced by a rename, since it was looked up. What is there now?
    if (attributes.error().code != Errc::kStale || round == kLookupsMax) {
      co_return fail(for_name(attributes.error()));
    }
  }
}

coro::Task<Result<Opened>> Nodes::create(Context& context, InodeId directory, std::string name,
                                         std::uint32_t flags, std::uint32_t mode,
                                         client::Owner owner) {
  wire::OpenRequest request{.key = {.parent = directory, .name = std::move(name)},
                            .flags = flags | wire::kOpenCreate,
                            .mode = mode,
                            .uid = owner.uid,
                            .gid = owner.gid,
                            .layout = {}};
  auto asking = ask_entry(context, std::move(request));
  BENCHFS_CO_TRY(wire::OpenReply opened, asking);
  if (opened.entry.attributes.type != wire::FileType::kFile) {
    co_return fail(Errc::kStale, "fuse.create");  // Told, not opened.
  }
  if (!opened.entry.local) {
    const wire::OpenInodeRequest opening{
        .inode = opened.entry.attributes.inode,
        .flags = flags & ~(wire::kOpenCreate | wire::kOpenExclusive)};
    auto calling = servers_.call(context, home_of(opening.inode), opening);
    BENCHFS_CO_TRY(auto answer, calling);
    opened = std::move(answer.reply);
  }
  Opened out;
  BENCHFS_CO_TRY_NOW(out.file, to_file(context, opened, flags));
  out.attributes = opened.entry.attributes;
  if (!opened.created) {
    auto looking = attributes(context, out.attributes.inode);
    const auto now = co_await looking;
    if (now.has_value()) {
      out.attributes = *now;
    }
  }
  co_return std::move(out);
}

coro::Task<Result<wire::Attributes>> Nodes::make_directory(Context& context, InodeId directory,
                                                           std::string name, std::uint32_t mode,
                                                           client::Owner owner) {
  wire::MkdirRequest request{.key = {.parent = directory, .name = std::move(name)},
                             .mode = mode,
                             .uid = owner.uid,
                             .gid = owner.gid};
  auto asking = ask_entry(context, std::move(request));
  BENCHFS_CO_TRY(const wire::FoundEntry made, asking);
  co_return made.attributes;
}

coro::Task<Result<wire::Attributes>> Nodes::make_link(Context& context, InodeId directory,
                                                      std::string name, std::string target,
                                                      client::Owner owner) {
  if (!wire::is_valid_link_target(target)) {
    co_return fail(target.empty() ? Errc::kNotFound : Errc::kNameTooLong, "fuse.symlink");
  }
  wire::SymlinkRequest request{
      .key = {.parent = directory, .name = std::move(name)}, .uid = owner.uid, .gid = owner.gid};
  const ConstBytes payload = std::as_bytes(std::span(target.data(), target.size()));
  auto asking = ask_entry(context, std::move(request), payload);
  BENCHFS_CO_TRY(const wire::FoundEntry made, asking);
  co_return made.attributes;
}

coro::Task<Status> Nodes::remove_file(Context& context, InodeId directory, std::string name) {
  wire::UnlinkRequest request{.key = {.parent = directory, .name = std::move(name)}};
  auto asking = ask_entry(context, std::move(request));
  BENCHFS_CO_CHECK(asking);
  co_return Status();
}

coro::Task<Status> Nodes::remove_directory(Context& context, InodeId directory, std::string name) {
  wire::RmdirRequest request{.key = {.parent = directory, .name = std::move(name)}};
  auto asking = ask_entry(context, std::move(request));
  BENCHFS_CO_CHECK(asking);
  co_return Status();
}

coro::Task<Status> Nodes::rename(Context& context, InodeId from, std::string from_name, InodeId to,
                                 std::string to_name) {
  BENCHFS_CO_CHECK_NOW(check_name(from_name));
  BENCHFS_CO_CHECK_NOW(check_name(to_name));
  wire::RenameRequest request{.from = {.parent = from, .name = std::move(from_name)},
                              .to = {.parent = to, .name = std::move(to_name)}};
  const ServerId server =
      placement::entry_server(request.from.parent, request.from.name, servers_.count());
  auto calling = servers_.call(context, server, std::move(request));
  const auto answer = co_await calling;
  if (!answer.has_value()) {
    co_return fail(for_name(answer.error()));
  }
  co_return Status();
}

// ---- Inodes
// --------------------------------------------------------------------------------------------

coro::Task<Result<wire::Attributes>> Nodes::attributes(Context& context, InodeId node) {
  auto calling = servers_.call(context, home_of(node), wire::GetAttrRequest{.inode = node});
  const auto answer = co_await calling;
  if (!answer.has_value()) {
    co_return fail(answer.error());
  }
  co_return answer->reply;
}

coro::Task<Status> Nodes::set_attributes(Context& context, wire::SetAttrRequest change) {
  auto calling = servers_.call(context, home_of(change.inode), change);
  BENCHFS_CO_CHECK(calling);
  co_return Status();
}

coro::Task<Status> Nodes::truncate(Context& context, InodeId node, std::uint64_t size_bytes) {
  const wire::TruncateRequest request{.inode = node, .size_bytes = size_bytes};
  auto calling = servers_.call(context, home_of(node), request);
  BENCHFS_CO_CHECK(calling);
  co_return Status();
}

coro::Task<Result<std::string>> Nodes::read_link(Context& context, InodeId node) {
  auto calling = servers_.call(context, home_of(node), wire::ReadLinkRequest{.inode = node});
  BENCHFS_CO_TRY(auto answer, calling);
  co_return std::move(answer.reply.target);
}

coro::Task<Result<std::unique_ptr<client::File>>> Nodes::open(Context& context, InodeId node,
                                                              std::uint32_t flags) {
  const wire::OpenInodeRequest request{.inode = node, .flags = flags};
  auto calling = servers_.call(context, home_of(node), request);
  BENCHFS_CO_TRY(const auto answer, calling);
  co_return to_file(context, answer.reply, flags);
}

Result<std::unique_ptr<client::File>> Nodes::to_file(const Context& context,
                                                     const wire::OpenReply& opened,
                                                     std::uint32_t flags) {
  const wire::Attributes& attributes = opened.entry.attributes;
  const client::File::Identity identity{.inode = attributes.inode,
                                        .layout = attributes.layout,
                                        .flags = flags & kAccessFlags,
                                        .open_id = opened.open_id,
                                        .truncate_epoch = opened.truncate_epoch,
                                        .is_old = context.answer_is_old,
                                        .name_servers = all_servers()};
  if (!client::File::is_sound(identity, servers_.count())) {
    return fail(Errc::kProtocol, "fuse.open");
  }
  return std::make_unique<client::File>(servers_, context.subject, identity,
                                        client::File::Origin::kOpened);
}

// ---- Sync
// ----------------------------------------------------------------------------------------------

std::vector<ServerId> Nodes::all_servers() const {
  std::vector<ServerId> servers;
  for (std::uint16_t i = 0; i < servers_.count(); ++i) {
    servers.push_back(ServerId{i});
  }
  return servers;
}

coro::Task<void> Nodes::sync_one(ServerId server, Context& context, Status& status) {
  Context own;
  auto calling = servers_.call(own, server, wire::FsyncRequest{.inode = kRootInode});
  const auto answer = co_await calling;
  if (!answer.has_value() && status.has_value()) {
    status = fail(answer.error());
    context.server = server;
  }
}

coro::Task<Status> Nodes::sync(Context& context) {
  Status status;
  coro::Scope scope;
  for (const ServerId server : all_servers()) {
    scope.spawn(sync_one(server, context, status));
  }
  co_await scope.join();
  co_return status;
}

}  // namespace benchfs::fuse
