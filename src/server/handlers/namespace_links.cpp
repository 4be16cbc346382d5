// Symbolic links: made and read. Who follows them is the client.

#include <span>
#include <utility>

#include "server/handlers/namespace.h"

namespace benchfs::server {

NamespaceService::Handling<wire::FoundEntry> NamespaceService::symlink(Context context,
                                                                       wire::SymlinkRequest request,
                                                                       rpc::Request& carrier) {
  const std::size_t target_bytes = carrier.payload_bytes();
  if (target_bytes == 0 || target_bytes > wire::kLinkTargetBytesMax) {
    co_return fail(Errc::kProtocol, "symlink.target");
  }
  std::string target(target_bytes, '\0');
  const Bytes place = std::as_writable_bytes(std::span(target.data(), target.size()));
  BENCHFS_CO_CHECK(carrier.receive_payload(place));
  if (!wire::is_valid_link_target(target)) {
    co_return fail(Errc::kProtocol, "symlink.target");
  }
  BENCHFS_CO_CHECK_NOW(check_moves(request.moves));
  EntryLocks::Guard guard;
  Room room;
  BENCHFS_CO_CHECK(enter_to_change(request.key, guard, room, context.deadline_ns,
                                   kUnitBytesMax + meta::kLinkRowBytesMax));
  if (find_entry(request.key).has_value()) {
    co_return fail(Errc::kExists, "symlink");
  }
  BENCHFS_CO_CHECK_NOW(may_grow());
  if (meta_.find_entry(request.key).has_value()) {
    meta_.erase_entry(request.key, wall_ns());  // Stands for an inode that is no more.
  }
  const meta::NewInode owner{.uid = request.uid, .gid = request.gid};
  const InodeId link = meta_.create_link(request.key, owner, std::move(target), wall_ns());
  const wire::FoundEntry made = describe({.inode = link, .type = wire::FileType::kSymlink});
  keep(context, made);
  co_return made;
}

NamespaceService::Handling<wire::ReadLinkReply> NamespaceService::read_link(
    Context /*context*/, wire::ReadLinkRequest request) {
  if (const meta::Link* link = meta_.find_link(request.inode); link != nullptr) {
    co_return wire::ReadLinkReply{.target = link->target};
  }
  const bool is_other =
      meta_.find_file(request.inode) != nullptr || meta_.find_directory(request.inode) != nullptr;
  co_return fail(is_other ? Errc::kInvalid : Errc::kStale, "readlink");
}

}  // namespace benchfs::server
