// Operations on names.

#include <fcntl.h>
#include <sys/stat.h>

#include "fuse/open_flags.h"
#include "fuse/request.h"

namespace benchfs::fuse {
namespace {

constexpr unsigned kPermissionBits = 07777;

/// Who owns what the request makes.
client::Owner owner_of(fuse_req_t request) {
  const fuse_ctx* const context = fuse_req_ctx(request);
  return {.uid = context->uid, .gid = context->gid};
}

void look_up(fuse_req_t request, fuse_ino_t parent, const char* name) {
  client::Context context;
  reply_entry(request, run(request, file_system_of(request).nodes().look_up(
                                        context, to_inode(parent), name)));
}

void forget(fuse_req_t request, fuse_ino_t /*node*/, std::uint64_t /*count*/) {
  fuse_reply_none(request);  // Nothing is kept for a node.
}

void forget_many(fuse_req_t request, std::size_t /*count*/, fuse_forget_data* /*nodes*/) {
  fuse_reply_none(request);
}

void make_node(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode,
               dev_t /*device*/) {
  if (!S_ISREG(mode)) {
    fuse_reply_err(request, EPERM);  // No devices, pipes and sockets.
    return;
  }
  FileSystem& file_system = file_system_of(request);
  client::Context context;
  client::Owner owner = owner_of(request);
  file_system.inherit(to_inode(parent), false, owner, mode);
  auto created = run(request, file_system.nodes().create(context, to_inode(parent), name,
                                                         wire::kOpenWrite | wire::kOpenExclusive,
                                                         mode & kPermissionBits, owner));
  if (!created.has_value()) {
    reply(request, created.error());
    return;
  }
  client::Context closing;
  const Status closed = run(request, created->file->close(closing));
  if (!closed.has_value()) {
    reply(request, closed.error());
    return;
  }
  reply_entry(request, created->attributes);
}

void make_directory(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  FileSystem& file_system = file_system_of(request);
  client::Context context;
  client::Owner owner = owner_of(request);
  file_system.inherit(to_inode(parent), true, owner, mode);
  reply_entry(request,
              run(request, file_system.nodes().make_directory(context, to_inode(parent), name,
                                                              mode & kPermissionBits, owner)));
}

void make_link(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name) {
  FileSystem& file_system = file_system_of(request);
  client::Context context;
  client::Owner owner = owner_of(request);
  mode_t mode = 0;
  file_system.inherit(to_inode(parent), false, owner, mode);
  reply_entry(request, run(request, file_system.nodes().make_link(context, to_inode(parent), name,
                                                                  target, owner)));
}

void make_hard_link(fuse_req_t request, fuse_ino_t /*node*/, fuse_ino_t /*parent*/,
                    const char* /*name*/) {
  fuse_reply_err(request, EPERM);  // As link(2) says for file systems without.
}

void read_link(fuse_req_t request, fuse_ino_t node) {
  client::Context context;
  const auto target =
      run(request, file_system_of(request).nodes().read_link(context, to_inode(node)));
  if (!target.has_value()) {
    reply(request, target.error());
    return;
  }
  fuse_reply_readlink(request, target->c_str());
}

void remove_file(fuse_req_t request, fuse_ino_t parent, const char* name) {
  client::Context context;
  reply(request,
        run(request, file_system_of(request).nodes().remove_file(context, to_inode(parent), name)));
}

void remove_directory(fuse_req_t request, fuse_ino_t parent, const char* name) {
  client::Context context;
  reply(request, run(request, file_system_of(request).nodes().remove_directory(
                                  context, to_inode(parent), name)));
}

void rename_node(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
                 const char* new_name, unsigned flags) {
  if (flags != 0) {
    fuse_reply_err(request,
                   EINVAL);  // RENAME_NOREPLACE, RENAME_EXCHANGE: the servers have neither.
    return;
  }
  client::Context context;
  reply(request,
        run(request, file_system_of(request).nodes().rename(context, to_inode(parent), name,
                                                            to_inode(new_parent), new_name)));
}

void create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode,
            fuse_file_info* info) {
  FileSystem& file_system = file_system_of(request);
  client::Context context;
  client::Owner owner = owner_of(request);
  file_system.inherit(to_inode(parent), false, owner, mode);
  auto created = run(request, file_system.nodes().create(context, to_inode(parent), name,
                                                         to_wire_flags(info->flags),
                                                         mode & kPermissionBits, owner));
  if (!created.has_value()) {
    reply(request, created.error());
    return;
  }
  const fuse_entry_param entry = to_entry(request, created->attributes);
  OpenFile* const open = file_system.add(std::move(created->file));
  info->fh = reinterpret_cast<std::uintptr_t>(open);
  info->direct_io = 1;
  if (fuse_reply_create(request, &entry, info) != 0) {
    // The caller has been interrupted, and the kernel closes nothing.
    static_cast<void>(file_system.close(open));
  }
}

}  // namespace

void add_name_operations(fuse_lowlevel_ops& table) {
  table.lookup = look_up;
  table.forget = forget;
  table.forget_multi = forget_many;
  table.mknod = make_node;
  table.mkdir = make_directory;
  table.symlink = make_link;
  table.link = make_hard_link;
  table.readlink = read_link;
  table.unlink = remove_file;
  table.rmdir = remove_directory;
  table.rename = rename_node;
  table.create = create;
}

fuse_lowlevel_ops operations() {
  fuse_lowlevel_ops table{};
  add_name_operations(table);
  add_attribute_operations(table);
  add_data_operations(table);
  add_directory_operations(table);
  add_lock_operations(table);
  return table;
}

}  // namespace benchfs::fuse
