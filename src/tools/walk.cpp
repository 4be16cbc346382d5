#include "tools/walk.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "tools/workers.h"

namespace benchfs::tools {
namespace {

/// What is read ahead stops at this many names that nobody has taken yet: about 50 MB.
constexpr std::size_t kNamesAheadMax = 200'000;

Listing read_listing(benchfs_mount* mount, const std::string& path) {
  Listing listing;
  if (!read_directory(mount, path, listing.entries)) {
    listing.failure = last_failure();
  }
  return listing;
}

}  // namespace

struct DirectoryReader::Wish {
  enum class Stage { kWaiting, kReading, kRead, kTaken };

  std::string path;
  Stage stage = Stage::kWaiting;
  Listing listing;
};

struct DirectoryReader::State {
  benchfs_mount* mount;
  unsigned thread_count_max;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Ticket> waiting;  ///< The next one is the last. Some may have been taken since.
  std::size_t names_ahead = 0;
  bool ending = false;
  std::vector<std::thread> threads;

  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock,
                   [this] { return ending || (!waiting.empty() && names_ahead < kNamesAheadMax); });
      if (ending) {
        return;
      }
      const Ticket wish = std::move(waiting.back());
      waiting.pop_back();
      if (wish->stage != Wish::Stage::kWaiting) {
        continue;
      }
      wish->stage = Wish::Stage::kReading;
      lock.unlock();
      Listing listing = read_listing(mount, wish->path);
      lock.lock();
      if (wish->stage == Wish::Stage::kReading) {
        names_ahead += listing.entries.size();
        wish->listing = std::move(listing);
        wish->stage = Wish::Stage::kRead;
      }
      changed.notify_all();
    }
  }
};

DirectoryReader::DirectoryReader(benchfs_mount* mount, unsigned thread_count)
    : state_(std::make_unique<State>()) {
  state_->mount = mount;
  state_->thread_count_max = thread_count == 0 ? Workers::kCountDefault : thread_count;
}

DirectoryReader::~DirectoryReader() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->changed.notify_all();
  for (std::thread& thread : state_->threads) {
    thread.join();
  }
}

std::vector<DirectoryReader::Ticket> DirectoryReader::expect(std::vector<std::string> paths) {
  std::vector<Ticket> tickets;
  for (std::string& path : paths) {
    tickets.push_back(std::make_shared<Wish>());
    tickets.back()->path = std::move(path);
  }
  {
    const std::lock_guard lock(state_->mutex);
    state_->waiting.insert(state_->waiting.end(), tickets.rbegin(), tickets.rend());
    while (state_->threads.size() <
           std::min<std::size_t>(state_->thread_count_max, state_->waiting.size())) {
      state_->threads.emplace_back([state = state_.get()] { state->run(); });
    }
  }
  state_->changed.notify_all();
  return tickets;
}

Listing DirectoryReader::take(const Ticket& ticket) {
  std::unique_lock lock(state_->mutex);
  if (ticket->stage == Wish::Stage::kWaiting) {
    ticket->stage = Wish::Stage::kTaken;
    lock.unlock();
    return read_listing(state_->mount, ticket->path);
  }
  state_->changed.wait(lock, [&] { return ticket->stage != Wish::Stage::kReading; });
  ticket->stage = Wish::Stage::kTaken;
  Listing listing = std::move(ticket->listing);
  state_->names_ahead -= listing.entries.size();
  lock.unlock();
  state_->changed.notify_all();
  return listing;
}

void DirectoryReader::forget(const Ticket& ticket) {
  {
    const std::lock_guard lock(state_->mutex);
    if (ticket->stage == Wish::Stage::kRead) {
      state_->names_ahead -= ticket->listing.entries.size();
    }
    ticket->stage = Wish::Stage::kTaken;
    ticket->listing = {};
  }
  state_->changed.notify_all();
}

Listing& Visited::listing() {
  if (listing_ == nullptr) {
    if (ticket_ == nullptr) {
      ticket_ = reader_.expect({path}).front();
    }
    listing_ = std::make_unique<Listing>(reader_.take(ticket_));
    ticket_ = nullptr;
  }
  return *listing_;
}

void Visited::skip() {
  if (ticket_ != nullptr) {
    reader_.forget(ticket_);
    ticket_ = nullptr;
  }
}

Walk::Walk(benchfs_mount* mount, Visitor& visitor, unsigned depth_max, unsigned thread_count)
    : mount_(mount), visitor_(visitor), depth_max_(depth_max), reader_(mount, thread_count) {}

bool Walk::run(const std::string& path, const std::string& name) {
  Entry entry{.name = name, .attributes = {}};
  if (benchfs_lstat(mount_, path.c_str(), &entry.attributes) != 0) {
    complain_failure("cannot access", path);
    return false;
  }
  DirectoryReader::Ticket ticket;
  if (S_ISDIR(entry.attributes.st_mode) && depth_max_ > 0) {
    ticket = reader_.expect({path}).front();
  }
  Visited first(reader_, path, std::move(entry), 0, std::move(ticket));
  visit(first);
  return true;
}

void Walk::visit(Visited& at) {
  const bool goes_down = visitor_.enter(at) && at.is_directory() && at.depth < depth_max_;
  if (!goes_down) {
    if (!stops()) {
      visitor_.leave(at);
    }
    at.skip();
    return;
  }
  Listing& listing = at.listing();
  if (listing.failure.error != 0) {
    complain_failure("cannot read directory", at.path, listing.failure);
    fine_ = false;
  }
  std::vector<std::string> below;
  const bool reads_below = at.depth + 1 < depth_max_;
  for (const Entry& entry : listing.entries) {
    if (reads_below && S_ISDIR(entry.attributes.st_mode)) {
      below.push_back(joined_path(at.path, entry.name));
    }
  }
  const auto tickets = reader_.expect(std::move(below));
  auto ticket = tickets.begin();
  for (Entry& entry : listing.entries) {
    std::string path = joined_path(at.path, entry.name);
    const bool is_expected = reads_below && S_ISDIR(entry.attributes.st_mode);
    Visited next(reader_, std::move(path), std::move(entry), at.depth + 1,
                 is_expected ? *ticket++ : nullptr);
    if (stops()) {
      return;
    }
    visit(next);
  }
  if (!stops()) {
    visitor_.leave(at);
  }
}

}  // namespace benchfs::tools
