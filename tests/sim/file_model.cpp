#include "sim/file_model.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"

namespace benchfs::sim {
namespace {

/// A shorter piece may equal another write's by chance.
constexpr std::size_t kTellingBytes = 12;

std::uint64_t pattern_word(std::uint64_t write_id, std::uint64_t word) noexcept {
  return mix(write_id * 0xD1342543DE82EF95U ^ mix(word));
}

}  // namespace

std::byte pattern_byte(std::uint64_t write_id, std::uint64_t offset) noexcept {
  if (write_id == 0) {
    return std::byte{0};
  }
  return static_cast<std::byte>(pattern_word(write_id, offset / 8) >> (offset % 8 * 8));
}

void fill_pattern(std::uint64_t write_id, std::uint64_t offset, Bytes out) noexcept {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < out.size(); ++i, ++offset) {
    if (i == 0 || offset % 8 == 0) {
      word = write_id == 0 ? 0 : pattern_word(write_id, offset / 8);
    }
    out[i] = static_cast<std::byte>(word >> (offset % 8 * 8));
  }
}

namespace {

bool is_pattern(std::uint64_t write_id, std::uint64_t offset, ConstBytes data) noexcept {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < data.size(); ++i, ++offset) {
    if (i == 0 || offset % 8 == 0) {
      word = write_id == 0 ? 0 : pattern_word(write_id, offset / 8);
    }
    if (data[i] != static_cast<std::byte>(word >> (offset % 8 * 8))) {
      return false;
    }
  }
  return true;
}

std::string time_text(std::uint64_t ns) {
  return ns == kNever ? "-" : fmt::format("{:.6f}", static_cast<double>(ns) / 1e9);
}

}  // namespace

FileModel::FileModel(World& world, std::string name, placement::Striping striping, bool power_cuts)
    : world_(world), name_(std::move(name)), striping_(striping), power_cuts_(power_cuts) {
  segments_[0].push_back({.id = 0, .over_ns = 0, .definite = true});
}

// ---- Bytes
// ---------------------------------------------------------------------------------------

FileModel::Segments::iterator FileModel::split(std::uint64_t offset) {
  auto behind = segments_.upper_bound(offset);
  const auto holding = std::prev(behind);
  if (holding->first == offset) {
    return holding;
  }
  return segments_.emplace_hint(behind, offset, holding->second);
}

void FileModel::say(const std::string& text) const {
  if (world_.printing()) {
    world_.say(fmt::format("{}: {}; size {} to {}", name_, text, low_, high_));
  }
}

void FileModel::add_version(Segments::iterator from, std::uint64_t end, std::uint64_t id) {
  for (auto at = from; at != segments_.end() && at->first < end; ++at) {
    at->second.push_back({.id = id, .invoked_ns = world_.now_ns()});
  }
}

std::uint64_t FileModel::begin_write(std::uint64_t offset, std::uint64_t size) {
  BENCHFS_ASSERT(size > 0);
  world_.count("model.writes");
  const std::uint64_t id = 1 + world_.counts().find("model.writes")->second * 2;
  const std::uint64_t end = offset + size;
  split(offset);
  split(end);
  const std::uint64_t chunk = striping_.chunk_bytes;
  for (std::uint64_t border = (offset / chunk + 1) * chunk; border < end; border += chunk) {
    split(border);
  }
  add_version(segments_.find(offset), end, id);
  changes_.push_back({.id = id, .offset = offset, .end = end, .invoked_ns = world_.now_ns()});
  high_ = std::max(high_, end);
  sizes_changed();
  say(fmt::format("write {} of [{}, {})", id, offset, end));
  return id;
}

std::uint64_t FileModel::begin_truncate(std::uint64_t size) {
  world_.count("model.truncates");
  // Even numbers: their bytes are zeros.
  const std::uint64_t id = 2 + world_.counts().find("model.truncates")->second * 2;
  add_version(split(size), kNever, id);
  changes_.push_back(
      {.id = id, .truncate = true, .offset = size, .end = size, .invoked_ns = world_.now_ns()});
  low_ = std::min(low_, size);
  high_ = std::max(high_, size);
  sizes_changed();
  // Power may fail where the size is kept and nowhere else: then what is left of the data tells it,
  // until the next fsync.
  durable_low_ = 0;
  say(fmt::format("truncate {} to {}", id, size));
  return id;
}

void FileModel::supersede(Versions& versions, const Version& by) const {
  for (Version& version : versions) {
    if (version.over_ns < by.invoked_ns) {
      version.superseded_ns = std::min(version.superseded_ns, world_.now_ns());
    }
  }
}

std::uint64_t FileModel::oldest_look_ns() const {
  return looks_.empty() ? kNever : looks_.front().began_ns;
}

void FileModel::prune(Versions& versions) {
  std::uint64_t horizon_ns = std::min(oldest_look_ns(), world_.now_ns());
  if (power_cuts_) {
    horizon_ns = std::min(horizon_ns, synced_ns_);
  }
  std::erase_if(versions, [horizon_ns](const Version& version) {
    return version.superseded_ns < horizon_ns;
  });
}

void FileModel::end(std::uint64_t id, Ended how) {
  const auto change = std::find_if(changes_.begin(), changes_.end(),
                                   [id](const Change& item) { return item.id == id; });
  BENCHFS_ASSERT(change != changes_.end());
  const std::uint64_t now_ns = world_.now_ns();
  say(fmt::format("{} {}", id, how == Ended::kDone ? "done" : "perhaps"));
  change->over_ns = how == Ended::kDone ? now_ns : now_ns + kLateNs;
  const std::uint64_t end = change->truncate ? kNever : change->end;
  for (auto at = segments_.lower_bound(change->offset); at != segments_.end() && at->first < end;
       ++at) {
    Versions& versions = at->second;
    const auto found = std::find_if(versions.begin(), versions.end(),
                                    [id](const Version& version) { return version.id == id; });
    if (found == versions.end()) {
      continue;  // Newer ones have been seen in its place.
    }
    found->over_ns = std::min(found->over_ns, change->over_ns);
    if (how == Ended::kDone && !found->shaky) {
      found->definite = true;
      const Version by = *found;
      supersede(versions, by);
    }
    prune(versions);
  }
  if (how == Ended::kDone && !change->shaky) {
    settle_size(*change);
  }
  drop_old_changes();
}

FileModel::LookHandle FileModel::begin_look() {
  drop_old_changes();
  const bool quiet = std::none_of(changes_.begin(), changes_.end(), [this](const Change& change) {
    return change.over_ns >= world_.now_ns();
  });
  looks_.push_back({.began_ns = world_.now_ns(), .low = low_, .high = high_, .quiet = quiet});
  return std::prev(looks_.end());
}

bool FileModel::on_server(std::uint64_t begin, std::uint64_t end, ServerId server) const {
  if (striping_.file == kNoInode || end - begin > striping_.chunk_bytes) {
    return true;
  }
  return placement::chunk_server(striping_, begin / striping_.chunk_bytes) == server;
}

std::uint64_t FileModel::last_cut_ns(std::uint64_t begin, std::uint64_t end) const {
  std::uint64_t last_ns = 0;
  for (const auto& [server, ns] : cut_ns_) {
    if (on_server(begin, end, server)) {
      last_ns = std::max(last_ns, ns);
    }
  }
  return last_ns;
}

void FileModel::end_read(LookHandle look, std::uint64_t offset, ConstBytes data,
                         std::uint64_t count) {
  const std::uint64_t size = data.size();
  const auto clip = [offset, size](std::uint64_t end) {
    return end <= offset ? 0 : std::min(end - offset, size);
  };
  if (count < clip(look->low) || count > clip(look->high)) {
    world_.violate(fmt::format(
        "{}: a read of {} bytes at {} found {} below the end of the file, whose size is {} to {}",
        name_, size, offset, count, look->low, look->high));
  }
  const Look seen = *look;
  std::uint64_t at = offset;
  while (at < offset + size && !world_.failed()) {
    const auto segment = std::prev(segments_.upper_bound(at));
    const auto next = std::next(segment);
    std::uint64_t end = next == segments_.end() ? kNever : next->first;
    end = std::min({end, offset + size, (at / striping_.chunk_bytes + 1) * striping_.chunk_bytes});
    check_piece(seen, segment, at, data.subspan(at - offset, end - at));
    at = end;
  }
  looks_.erase(look);
}

void FileModel::check_piece(const Look& look, Segments::iterator segment, std::uint64_t begin,
                            ConstBytes data) {
  Versions& versions = segment->second;
  const auto allowed = [&look](const Version& version) {
    return version.superseded_ns >= look.began_ns;
  };
  const auto value_of = [](const Version& version) {
    return version.id % 2 == 0 ? 0 : version.id;  // Truncates leave zeros.
  };
  std::vector<std::uint64_t> matched;
  for (const Version& version : versions) {
    if (allowed(version) && is_pattern(value_of(version), begin, data)) {
      matched.push_back(version.id);
    }
  }
  if (matched.empty()) {
    for (std::size_t i = 0; i < data.size(); ++i) {
      const bool fine = std::any_of(versions.begin(), versions.end(), [&](const Version& version) {
        return allowed(version) && pattern_byte(value_of(version), begin + i) == data[i];
      });
      if (!fine) {
        world_.violate(fmt::format(
            "{}: byte {} of a read of [{}, {}) that began at {} is {:#04x}, which is none of {}",
            name_, begin + i, begin, begin + data.size(), time_text(look.began_ns),
            std::to_integer<unsigned>(data[i]), describe(begin + i)));
        return;
      }
    }
    return;
  }
  const bool one_left = std::count_if(versions.begin(), versions.end(), allowed) == 1 &&
                        versions.back().over_ns <= world_.now_ns();
  if (!one_left && data.size() >= kTellingBytes &&
      last_cut_ns(begin, begin + data.size()) < look.began_ns) {
    learn(look, begin, begin + data.size(), matched);
  }
}

/// While the read was under way the bytes were what one of `matched` makes them.
void FileModel::learn(const Look& look, std::uint64_t begin, std::uint64_t end,
                      const std::vector<std::uint64_t>& matched) {
  split(end);
  Versions& versions = split(begin)->second;
  const std::uint64_t now_ns = world_.now_ns();
  const auto is_matched = [&matched](const Version& version) {
    return std::find(matched.begin(), matched.end(), version.id) != matched.end();
  };
  for (Version& version : versions) {
    if (!is_matched(version) && version.over_ns < look.began_ns) {
      version.superseded_ns = std::min(version.superseded_ns, now_ns);
    }
  }
  if (matched.size() == 1) {
    const auto found = std::find_if(versions.begin(), versions.end(), is_matched);
    // Of what is shaky the client may not know, and ask for it again; and so it is with a truncate,
    // which has a step on each server and begins again at the first if one of them starts again.
    if (!found->shaky && found->id % 2 != 0) {
      found->over_ns = std::min(found->over_ns, now_ns);
    }
    if (!found->definite && !found->shaky && found->revived_ns == 0) {
      found->definite = true;
      const Version by = *found;
      supersede(versions, by);
    }
  }
  prune(versions);
}

// ---- Sizes
// ---------------------------------------------------------------------------------------

void FileModel::sizes_changed() {
  for (Look& look : looks_) {
    look.low = std::min(look.low, low_);
    look.high = std::max(look.high, high_);
    look.quiet = false;
  }
  durable_low_ = std::min(durable_low_, low_);
  durable_high_ = std::max(durable_high_, high_);
}

void FileModel::settle_size(const Change& change) {
  bool others_cut = false;
  std::uint64_t others_end = 0;
  for (const Change& other : changes_) {
    if (other.id != change.id && other.over_ns >= change.invoked_ns) {
      others_cut = others_cut || other.truncate;
      others_end = std::max(others_end, other.end);
    }
  }
  if (others_cut) {
    return;
  }
  if (change.truncate) {
    low_ = change.end;
    high_ = std::max(change.end, others_end);
  } else {
    low_ = std::max(low_, change.end);
  }
  sizes_changed();
}

void FileModel::drop_old_changes() {
  std::uint64_t oldest_ns = world_.now_ns();
  for (const Change& change : changes_) {
    if (change.over_ns > world_.now_ns()) {
      oldest_ns = std::min(oldest_ns, change.invoked_ns);
    }
  }
  std::erase_if(changes_, [oldest_ns](const Change& change) { return change.over_ns < oldest_ns; });
}

void FileModel::end_stat(LookHandle look, std::uint64_t size) {
  if (size < look->low || size > look->high) {
    world_.violate(fmt::format("{}: a stat that began at {} told the size {}, which was {} to {}",
                               name_, time_text(look->began_ns), size, look->low, look->high));
  }
  say(fmt::format("has size {}", size));
  if (look->quiet) {
    low_ = high_ = size;
  }
  looks_.erase(look);
}

void FileModel::end_fsync(LookHandle look, std::uint64_t told_ns) {
  const std::uint64_t began_ns = look->began_ns;
  BENCHFS_ASSERT(told_ns <= began_ns);
  say("synced");
  synced_ns_ = std::max(synced_ns_, began_ns);
  durable_low_ = look->low;
  durable_high_ = look->high;
  looks_.erase(look);
  for (auto& [offset, versions] : segments_) {
    for (Version& version : versions) {
      if (version.revived_ns > told_ns && version.superseded_before_ns < began_ns) {
        // The power failed, and the fsync has succeeded all the same: so nothing was lost.
        version.superseded_ns = version.superseded_before_ns;
        version.revived_ns = 0;
      }
    }
    prune(versions);
  }
}

/// `change` is under way, and the server forgets that it has done it, though readers may have seen
/// it: whoever asked for it asks again.
void FileModel::may_be_done_again(const Change& change, ServerId server) {
  const std::uint64_t end = change.truncate ? kNever : change.end;
  split(change.offset);
  if (end != kNever) {
    split(end);
  }
  for (auto at = segments_.find(change.offset); at != segments_.end() && at->first < end; ++at) {
    const auto next = std::next(at);
    if (!on_server(at->first, next == segments_.end() ? kNever : next->first, server)) {
      continue;
    }
    Versions& versions = at->second;
    auto found = std::find_if(versions.begin(), versions.end(), [&change](const Version& version) {
      return version.id == change.id;
    });
    if (found == versions.end()) {
      found = versions.insert(found, {.id = change.id, .invoked_ns = change.invoked_ns});
    }
    found->over_ns = change.over_ns;
    found->definite = false;
    found->shaky = true;
    found->superseded_ns = kNever;
  }
}

void FileModel::power_cut(ServerId server) {
  BENCHFS_ASSERT(power_cuts_);
  const std::uint64_t now_ns = world_.now_ns();
  cut_ns_[server] = now_ns;
  for (auto at = segments_.begin(); at != segments_.end(); ++at) {
    const auto next = std::next(at);
    if (!on_server(at->first, next == segments_.end() ? kNever : next->first, server)) {
      continue;
    }
    for (Version& version : at->second) {
      if (version.superseded_ns != kNever && version.superseded_ns >= synced_ns_) {
        version.superseded_before_ns = version.superseded_ns;
        version.superseded_ns = kNever;
        version.revived_ns = now_ns;
      }
    }
  }
  for (const Change& change : changes_) {
    if (change.over_ns > now_ns) {
      may_be_done_again(change, server);
    }
  }
  for (Change& change : changes_) {
    change.shaky = change.shaky || change.over_ns > now_ns;
  }
  low_ = std::min(low_, durable_low_);
  high_ = std::max(high_, durable_high_);
  sizes_changed();
}

std::optional<std::uint64_t> FileModel::certain_size() const {
  if (low_ != high_) {
    return std::nullopt;
  }
  return low_;
}

std::string FileModel::describe(std::uint64_t offset) const {
  const auto segment = std::prev(segments_.upper_bound(offset));
  std::string text;
  for (const Version& version : segment->second) {
    const std::uint64_t value = version.id % 2 == 0 ? 0 : version.id;
    text += fmt::format("{}{} {} ({:#04x}) from {} to {}{}{}{}", text.empty() ? "" : ", ",
                        version.id % 2 == 0 ? "zeros" : "write", version.id,
                        std::to_integer<unsigned>(pattern_byte(value, offset)),
                        time_text(version.invoked_ns), time_text(version.over_ns),
                        version.definite ? "" : " perhaps", version.shaky ? " shaky" : "",
                        version.superseded_ns == kNever
                            ? ""
                            : fmt::format(" replaced at {}", time_text(version.superseded_ns)));
  }
  return text;
}

}  // namespace benchfs::sim
