#include "client/listing.h"

#include <algorithm>
#include <utility>

#include "coro/scope.h"

namespace benchfs::client {

/// What one server is asked for and answers.
struct Listing::Page {
  Cursor cursor;
  wire::ReadDirReply reply;
  std::vector<bool> gone;  ///< By entry: its inode went between the two answers.
  Status status;
  Context context;  ///< Of the first failure.
};

Listing::Listing(Servers& servers, InodeId directory) : servers_(servers), directory_(directory) {
  for (std::uint16_t i = servers.count(); i > 0; --i) {
    open_.push_back({.server = ServerId{static_cast<std::uint16_t>(i - 1)}, .cookie = 0});
  }
}

/// Asks the home of an entry's inode for its attributes, which the entry's server does not have.
coro::Task<Status> Listing::complete_at_home(Context& context, wire::FoundEntry& entry) {
  const wire::GetAttrRequest request{.inode = entry.attributes.inode};
  const ServerId home = home_of(request.inode);
  if (to_integer(home) >= servers_.count()) {
    co_return fail(Errc::kProtocol, "client.list");
  }
  auto& slots = servers_.slots(home).requests;
  auto acquiring = slots.acquire(1);
  co_await acquiring;
  auto calling = servers_.call(context, home, request);
  const auto answer = co_await calling;
  slots.release(1);
  if (!answer.has_value()) {
    co_return fail(answer.error());
  }
  entry.attributes = answer->reply;
  co_return Status();
}

/// The same until it is done: an inode that is no more by then may have been replaced by a rename,
/// and the name has been there all the time.
coro::Task<void> Listing::complete(Page& page, std::size_t index) {
  wire::DirectoryEntry& entry = page.reply.entries[index];
  const std::uint64_t until_ns = servers_.now_ns() + servers_.timeout_ns();
  Context own;
  own.server = page.cursor.server;
  Status status;
  while (!entry.entry.local) {
    auto completing = complete_at_home(own, entry.entry);
    status = co_await completing;
    if (status.has_value() || status.error().code != Errc::kStale ||
        servers_.now_ns() >= until_ns) {
      break;
    }
    auto& slots = servers_.slots(page.cursor.server).requests;
    auto acquiring = slots.acquire(1);
    co_await acquiring;
    wire::LookupRequest request{.key = {.parent = directory_, .name = entry.name}};
    auto calling = servers_.call(own, page.cursor.server, std::move(request));
    const auto answer = co_await calling;
    slots.release(1);
    if (!answer.has_value()) {
      status = fail(answer.error());
      page.gone[index] =
          answer.error().code == Errc::kNotFound || answer.error().code == Errc::kStale;
      break;
    }
    if (answer->reply.attributes.inode == entry.entry.attributes.inode) {
      page.gone[index] = true;  // It is being unlinked, and the name goes last.
      break;
    }
    entry.entry = answer->reply;
    status = Status();
  }
  if (page.gone[index]) {
    co_return;
  }
  if (!status.has_value() && status.error().code == Errc::kStale) {
    status = fail(Errc::kTimedOut, "client.list.replaced");  // Again and again.
  }
  if (!status.has_value() && page.status.has_value()) {
    page.status = status;
    page.context = own;
  }
}

coro::Task<void> Listing::ask(Page& page) {
  wire::ReadDirRequest request{.directory = directory_,
                               .cookie = page.cursor.cookie,
                               .entries_max = wire::kReadDirEntriesMax};
  auto calling = servers_.call(page.context, page.cursor.server, request);
  auto answer = co_await calling;
  if (!answer.has_value()) {
    page.status = fail(answer.error());
    co_return;
  }
  page.reply = std::move(answer->reply);
  if (!page.reply.at_end && page.reply.next_cookie <= page.cursor.cookie) {
    // A page that does not move on would list for ever.
    page.status = fail(Errc::kProtocol, "client.list.cookie");
    page.context.server = page.cursor.server;
    co_return;
  }
  page.gone.resize(page.reply.entries.size());
  coro::Scope scope;
  for (std::size_t i = 0; i < page.reply.entries.size(); ++i) {
    if (!page.reply.entries[i].entry.local) {
      scope.spawn(complete(page, i));
    }
  }
  co_await scope.join();
}

coro::Task<Status> Listing::ask_all(Context& context, std::vector<Page>& pages) {
  coro::Scope scope;
  for (Page& page : pages) {
    scope.spawn(ask(page));
  }
  co_await scope.join();
  for (const Page& page : pages) {
    if (!page.status.has_value()) {
      context.server = page.context.server;
      co_return page.status;
    }
  }
  co_return Status();
}

coro::Task<Status> Listing::fill(Context& context) {
  entries_.clear();
  while (failure_.has_value() && entries_.empty() && !open_.empty()) {
    std::vector<Page> pages(std::min(open_.size(), kListedServersMax));
    for (Page& page : pages) {
      page.cursor = open_.back();
      open_.pop_back();
    }
    auto asking = ask_all(context, pages);
    failure_ = co_await asking;
    if (!failure_.has_value()) {
      break;
    }
    // Backwards, so that the servers that are being listed stay the next to be asked, in their
    // order.
    for (auto page = pages.rbegin(); page != pages.rend(); ++page) {
      if (!page->reply.at_end) {
        open_.push_back({.server = page->cursor.server, .cookie = page->reply.next_cookie});
      }
      for (std::size_t i = 0; i < page->reply.entries.size(); ++i) {
        if (!page->gone[i]) {
          entries_.push_back(std::move(page->reply.entries[i]));
        }
      }
    }
  }
  co_return failure_;
}

}  // namespace benchfs::client
