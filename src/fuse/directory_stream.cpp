#include "fuse/directory_stream.h"

#include <algorithm>
#include <utility>

namespace benchfs::fuse {

DirectoryStream::DirectoryStream(client::Mount& mount, InodeId directory)
    : mount_(mount), directory_(directory) {
  restart();
}

void DirectoryStream::restart() {
  starts_.clear();
  pages_.clear();
  begin_ = 0;
  at_end_ = false;
  listing_ = std::make_unique<client::Listing>(mount_.servers(), directory_);
}

Status DirectoryStream::read_page() {
  PageStart start{.begin = end(), .mark = listing_->mark()};
  client::Context context;
  const Status filled = mount_.run(listing_->fill(context));
  if (!filled.has_value()) {
    // It was there when it was opened; that it is no more has its own errno.
    return filled.error().code == Errc::kStale ? fail(Errc::kNotFound, "fuse.readdir") : filled;
  }
  at_end_ = listing_->entries().empty();
  Page page{.begin = start.begin, .names = {}};
  page.names.reserve(listing_->entries().size());
  for (const wire::DirectoryEntry& entry : listing_->entries()) {
    if (!wire::is_valid_name(entry.name)) {
      return fail(Errc::kProtocol, "fuse.readdir.name");
    }
    page.names.push_back({.name = entry.name, .attributes = entry.entry.attributes});
  }
  if (!at_end_) {
    starts_.push_back(std::move(start));
    pages_.push_back(std::move(page));
    drop_oldest();
  }
  return {};
}

void DirectoryStream::drop_oldest() {
  // Two at least: the kernel may ask again for the last names of the page before.
  while (pages_.size() > 2 && pages_.back().end() - pages_.front().begin > kKeptNamesMax) {
    pages_.pop_front();
  }
}

void DirectoryStream::go_back(std::size_t position) {
  const auto after = std::upper_bound(
      starts_.begin(), starts_.end(), position,
      [](std::size_t wanted, const PageStart& start) { return wanted < start.begin; });
  // The first page begins at 0, so there is one before. It is read again, and all behind it: they
  // may have other lengths now.
  PageStart start = std::move(*std::prev(after));
  starts_.erase(std::prev(after), starts_.end());
  pages_.clear();
  begin_ = start.begin;
  at_end_ = false;
  listing_->go_to(std::move(start.mark));
}

Result<const DirectoryStream::Name*> DirectoryStream::at(std::size_t position) {
  if (!pages_.empty() && position < pages_.front().begin) {
    go_back(position);
  }
  while (position >= end() && !at_end_) {
    BENCHFS_CHECK(read_page());
  }
  if (position >= end()) {
    return nullptr;
  }
  const auto page = std::find_if(pages_.begin(), pages_.end(),
                                 [&](const Page& each) { return position < each.end(); });
  return &page->names[position - page->begin];
}

}  // namespace benchfs::fuse
