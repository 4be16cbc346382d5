#include "fuse/directory_stream.h"

namespace benchfs::fuse {

DirectoryStream::DirectoryStream(client::Mount& mount, InodeId directory)
    : mount_(mount), directory_(directory) {
  restart();
}

void DirectoryStream::restart() {
  names_.clear();
  at_end_ = false;
  listing_ = std::make_unique<client::Listing>(mount_.servers(), directory_);
}

Result<const DirectoryStream::Name*> DirectoryStream::at(std::size_t position) {
  while (position >= names_.size() && !at_end_) {
    client::Context context;
    const Status filled = mount_.run(listing_->fill(context));
    if (!filled.has_value()) {
      // It was there when it was opened; that it is no more has its own errno.
      return filled.error().code == Errc::kStale ? fail(Errc::kNotFound, "fuse.readdir")
                                                 : fail(filled.error());
    }
    at_end_ = listing_->entries().empty();
    for (const wire::DirectoryEntry& entry : listing_->entries()) {
      if (!wire::is_valid_name(entry.name)) {
        return fail(Errc::kProtocol, "fuse.readdir.name");
      }
      names_.push_back({.name = entry.name,
                        .inode = entry.entry.attributes.inode,
                        .type = entry.entry.attributes.type});
    }
  }
  return position < names_.size() ? &names_[position] : nullptr;
}

}  // namespace benchfs::fuse
