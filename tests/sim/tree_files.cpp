// Files in a tree: they hold what was written to them, under whatever name.

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "sim/file_model.h"
#include "sim/trees.h"

namespace benchfs::sim {

/// Whether the file's content is that of `thing`; false if it cannot be read.
coro::Task<bool> Tree::holds(User& user, User::FilePointer handle, Thing thing) {
  if (thing.size == 0) {
    co_return true;
  }
  std::vector<std::byte> bytes(thing.size);
  std::vector<std::byte> wanted(thing.size);
  fill_pattern(thing.tag, 0, wanted);
  std::vector<client::Extent> extents{{.offset_bytes = 0, .size_bytes = bytes.size()}};
  auto reading = user.read(handle, extents, bytes);
  const auto count = co_await reading;
  co_return count.has_value() && *count == bytes.size() && bytes == wanted;
}

coro::Task<std::optional<bool>> Tree::stands_at(User& user, std::string name, Thing thing) {
  const std::uint64_t cuts = cuts_;
  auto asking = user.stat(path_of(name), client::Follow::kNo);
  const auto attributes = co_await asking;
  if (user.dead() || cuts != cuts_ ||
      (!attributes.has_value() && attributes.error().code != Errc::kNotFound)) {
    co_return std::nullopt;
  }
  if (!attributes.has_value() || attributes->type != wire::FileType::kFile ||
      attributes->size_bytes != thing.size) {
    co_return false;
  }
  auto opening = user.open(path_of(name), wire::kOpenRead);
  const auto opened = co_await opening;
  if (!opened.has_value()) {
    co_return std::nullopt;
  }
  std::vector<std::byte> bytes(thing.size);
  std::vector<std::byte> wanted(thing.size);
  fill_pattern(thing.tag, 0, wanted);
  std::vector<client::Extent> extents{{.offset_bytes = 0, .size_bytes = bytes.size()}};
  auto reading = user.read(*opened, extents, bytes);
  const auto count = co_await reading;
  auto closing = user.close(*opened);
  const Status ignored = co_await closing;
  static_cast<void>(ignored);
  if (user.dead() || cuts != cuts_ || !count.has_value()) {
    co_return std::nullopt;
  }
  co_return *count == bytes.size() && bytes == wanted;
}

coro::Task<void> Tree::make_file(User& user, Chance& chance, std::string name) {
  const std::uint64_t cuts = cuts_;
  const Thing before = model_.at(name).thing();
  Thing made{.type = Type::kFile, .tag = last_tag_ += 2};
  made.size = chance.magnitude(std::min<std::uint64_t>(user.plan().io_bytes_max, 20'000));
  const wire::Layout layout{.chunk_bytes = user.plan().chunk_bytes};
  auto opening = user.open(
      path_of(name), wire::kOpenRead | wire::kOpenWrite | wire::kOpenCreate | wire::kOpenExclusive,
      layout);
  const auto opened = co_await opening;
  const Status status = opened.has_value() ? Status() : Status(fail(opened.error()));
  Thing empty = made;
  empty.size = 0;
  if (user.dead() || in_doubt(status)) {
    doubt(user, name, empty);
    co_return;
  }
  if (!status.has_value()) {
    const bool right = status.error().code == Errc::kExists && before.type != Type::kNone;
    if (!right && cuts == cuts_) {
      user.world().violate(
          fmt::format("{} cannot be made: {}", path_of(name), to_string(status.error())));
    }
    co_return;
  }
  if (before.type != Type::kNone && cuts == cuts_) {
    user.world().violate(fmt::format("{} was made, and had been there", path_of(name)));
    co_return;
  }
  if (cuts != cuts_) {
    co_return;  // It may be gone again.
  }
  model_.changed(name, empty);
  std::vector<std::byte> bytes(made.size);
  fill_pattern(made.tag, 0, bytes);
  std::vector<client::Extent> extents{{.offset_bytes = 0, .size_bytes = bytes.size()}};
  auto writing = user.write(*opened, extents, bytes);
  const Status written = co_await writing;
  bool synced = false;
  if (written.has_value() && chance.percent(user.plan().power_cut_ns > 0 ? 80 : 40)) {
    auto syncing = user.fsync(*opened);
    const Status fsynced = co_await syncing;
    synced = fsynced.has_value();
  }
  auto closing = user.close(*opened);
  const Status closed = co_await closing;
  if (cuts != cuts_) {
    co_return;
  }
  if (user.dead() || !written.has_value()) {
    co_return;  // Its content may be any part of what was to be written.
  }
  static_cast<void>(closed);  // The size is asked for at the data servers then.
  made.filled = true;
  model_.changed(name, made);
  if (synced) {
    model_.synced(name);
  }
}

coro::Task<void> Tree::read_file(User& user, std::string name) {
  const std::uint64_t cuts = cuts_;
  const Thing thing = model_.at(name).thing();
  auto opening = user.open(path_of(name), wire::kOpenRead);
  const auto opened = co_await opening;
  if (user.dead() || cuts != cuts_) {
    co_return;
  }
  if (!opened.has_value()) {
    const Errc code = opened.error().code;
    const bool right =
        (code == Errc::kNotFound && thing.type == Type::kNone) || in_doubt(fail(opened.error()));
    if (!right) {
      user.world().violate(
          fmt::format("{} cannot be opened: {}", path_of(name), to_string(opened.error())));
    }
    co_return;
  }
  if (thing.type != Type::kFile) {
    user.world().violate(fmt::format("{} can be opened, and is not there", path_of(name)));
    co_return;
  }
  if (thing.filled) {
    std::vector<std::byte> bytes(thing.size + 100);
    std::vector<std::byte> wanted(thing.size + 100);
    fill_pattern(thing.tag, 0, Bytes(wanted).first(thing.size));
    std::vector<client::Extent> extents{{.offset_bytes = 0, .size_bytes = bytes.size()}};
    auto reading = user.read(*opened, extents, bytes);
    const auto count = co_await reading;
    if (count.has_value() && !user.dead() && cuts == cuts_ &&
        (*count != thing.size || bytes != wanted)) {
      user.world().violate(fmt::format("{} holds {} bytes, and not the {} that were written",
                                       path_of(name), *count, thing.size));
    }
  }
  auto closing = user.close(*opened);
  const Status ignored = co_await closing;
  static_cast<void>(ignored);
}

/// A file that is unlinked while it is open keeps its content until it is closed.
coro::Task<void> Tree::read_unlinked(User& user, std::string name) {
  const std::uint64_t cuts = cuts_;
  const Thing thing = model_.at(name).thing();
  if (thing.type != Type::kFile || !thing.filled) {
    co_return;
  }
  auto opening = user.open(path_of(name), wire::kOpenRead);
  const auto opened = co_await opening;
  if (!opened.has_value() || user.dead()) {
    co_return;
  }
  auto unlinking = unlink(user, name);
  co_await unlinking;
  std::vector<std::byte> bytes(thing.size);
  std::vector<std::byte> wanted(thing.size);
  fill_pattern(thing.tag, 0, wanted);
  std::vector<client::Extent> extents{{.offset_bytes = 0, .size_bytes = bytes.size()}};
  const std::uint64_t began_ns = user.world().now_ns();
  auto reading = user.read(*opened, extents, bytes);
  const auto count = co_await reading;
  // Whoever was away for long has lost it.
  const bool in_time = user.world().now_ns() - began_ns < kNsPerSec;
  if (count.has_value() && !user.dead() && cuts == cuts_ && in_time && !user.plan().has_faults() &&
      (*count != thing.size || bytes != wanted)) {
    user.world().violate(
        fmt::format("{} has lost its content, and is open: {} bytes", path_of(name), *count));
  }
  if (count.has_value() && !user.dead() && cuts == cuts_ && *count == thing.size &&
      bytes != wanted) {
    user.world().violate(fmt::format("{}, unlinked and open, holds something else", path_of(name)));
  }
  auto closing = user.close(*opened);
  const Status ignored = co_await closing;
  static_cast<void>(ignored);
}

}  // namespace benchfs::sim
