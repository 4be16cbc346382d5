#pragma once

// One pass over a directory's entries, which lie on all servers.
//
// Threading: loop thread only; one fill() at a time. Memory: one page of at most kListedServersMax
// servers.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "client/errno_map.h"
#include "client/servers.h"
#include "coro/task.h"
#include "wire/messages.h"

namespace benchfs::client {

/// Servers asked for a page at the same time.
inline constexpr std::size_t kListedServersMax = 16;

class Listing {
 public:
  /// A server that has more to tell, and from where on.
  struct Cursor {
    ServerId server{};
    std::uint64_t cookie = 0;
  };
  /// Where a listing stands.
  using Mark = std::vector<Cursor>;

  /// Borrows `servers`.
  Listing(Servers& servers, InodeId directory);

  /// Where the next fill() goes on.
  const Mark& mark() const noexcept { return open_; }
  /// Goes on there. Names that have neither come nor gone meanwhile are listed as they were.
  void go_to(Mark mark) { open_ = std::move(mark); }

  /// Replaces entries() by the next ones, with whole attributes. None: the end, all servers have
  /// told all they have. An error stays: what it kept from being listed would be missing at the
  /// end.
  coro::Task<Status> fill(Context& context);

  const std::vector<wire::DirectoryEntry>& entries() const noexcept { return entries_; }

 private:
  struct Page;

  coro::Task<void> ask(Page& page);
  coro::Task<Status> complete_at_home(Context& context, wire::FoundEntry& entry);
  coro::Task<void> complete(Page& page, std::size_t index);
  coro::Task<Status> ask_all(Context& context, std::vector<Page>& pages);

  Servers& servers_;
  const InodeId directory_;
  Mark open_;  ///< Servers that have more; the next to ask at the back.
  std::vector<wire::DirectoryEntry> entries_;
  Status failure_;
};

}  // namespace benchfs::client
