#include "sim/world.h"

#include <cstdio>

#include <fmt/format.h>

namespace benchfs::sim {

void World::at(std::uint64_t due_ns, const char* what, std::uint64_t who, std::uint64_t detail,
               std::function<void()> action) {
  events_.emplace(std::pair(std::max(due_ns, now_ns_), next_sequence_++),
                  Event{.what = what, .who = who, .detail = detail, .action = std::move(action)});
}

bool World::step() {
  if (events_.empty()) {
    return false;
  }
  auto node = events_.extract(events_.begin());
  now_ns_ = node.key().first;
  Event& event = node.mapped();
  ++event_count_;
  note(event.what, event.who, event.detail);
  event.action();
  return true;
}

void World::note(std::string_view what, std::uint64_t who, std::uint64_t detail) {
  for (const char letter : what) {
    hash_ = (hash_ ^ static_cast<unsigned char>(letter)) * 0x100000001B3U;
  }
  hash_ = mix(hash_ ^ mix(now_ns_) ^ mix(who << 1U) ^ mix(detail + 3));
  if (printing_) {
    std::printf("%12.6f %-24.*s %4llu %llu\n",
                static_cast<double>(now_ns_) / static_cast<double>(kNsPerSec),
                static_cast<int>(what.size()), what.data(), static_cast<unsigned long long>(who),
                static_cast<unsigned long long>(detail));
  }
}

void World::say(const std::string& text) const {
  if (printing_) {
    std::printf("%12.6f # %s\n", static_cast<double>(now_ns_) / static_cast<double>(kNsPerSec),
                text.c_str());
  }
}

void World::violate(std::string text) {
  say("VIOLATION " + text);
  if (violation_.empty()) {
    violation_ = fmt::format("at {:.6f} s: {}",
                             static_cast<double>(now_ns_) / static_cast<double>(kNsPerSec), text);
  }
}

void World::count(std::string_view what, std::uint64_t by) {
  const auto found = counts_.find(what);
  if (found == counts_.end()) {
    counts_.emplace(std::string(what), by);
  } else {
    found->second += by;
  }
}

}  // namespace benchfs::sim
