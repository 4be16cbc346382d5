#include "tools/mode_change.h"

namespace benchfs::tools {
namespace {

constexpr mode_t kSetIds = 06000;

std::optional<mode_t> octal(std::string_view text) {
  mode_t mode = 0;
  for (const char c : text) {
    if (c < '0' || c > '7' || mode > 07777) {
      return std::nullopt;
    }
    mode = mode * 8 + static_cast<mode_t>(c - '0');
  }
  return text.empty() || mode > 07777 ? std::nullopt : std::optional(mode);
}

/// Bits that a letter of "who" stands for; 0 if it is none.
mode_t who_bits(char letter) {
  switch (letter) {
    case 'u':
      return 04700;
    case 'g':
      return 02070;
    case 'o':
      return 01007;
    case 'a':
      return 07777;
    default:
      return 0;
  }
}

}  // namespace

std::optional<ModeChange> ModeChange::parse(std::string_view text, mode_t umask) {
  ModeChange change;
  if (const auto mode = octal(text); mode.has_value()) {
    change.steps_.push_back({.operation = '=',
                             .who = 07777,
                             .cleared = 07777,
                             .bits = *mode,
                             .copied_from = 0,
                             .search_too = false,
                             .kept_of_directory = text.size() < 5 ? kSetIds & ~*mode : 0});
    return change;
  }
  while (true) {
    const std::size_t comma = text.find(',');
    if (!parse_clause(text.substr(0, comma), umask, change.steps_)) {
      return std::nullopt;
    }
    if (comma == std::string_view::npos) {
      return change;
    }
    text.remove_prefix(comma + 1);
  }
}

bool ModeChange::parse_clause(std::string_view clause, mode_t umask, std::vector<Step>& steps) {
  std::size_t at = 0;
  mode_t who = 0;
  while (at < clause.size() && who_bits(clause[at]) != 0) {
    who |= who_bits(clause[at++]);
  }
  const bool names_somebody = who != 0;
  who = names_somebody ? who : 07777 & ~umask;
  if (at == clause.size()) {
    return false;
  }
  while (at < clause.size()) {
    Step step{.operation = clause[at++],
              .who = who,
              .cleared = names_somebody ? who : 07777,
              .bits = 0,
              .copied_from = 0,
              .search_too = false,
              .kept_of_directory = 0};
    if (step.operation != '+' && step.operation != '-' && step.operation != '=') {
      return false;
    }
    if (at < clause.size() && (clause[at] == 'u' || clause[at] == 'g' || clause[at] == 'o')) {
      step.copied_from = clause[at++];
    }
    for (; step.copied_from == 0 && at < clause.size(); ++at) {
      const char letter = clause[at];
      if (letter == 'r') {
        step.bits |= 0444;
      } else if (letter == 'w') {
        step.bits |= 0222;
      } else if (letter == 'x') {
        step.bits |= 0111;
      } else if (letter == 's') {
        step.bits |= kSetIds;
      } else if (letter == 't') {
        step.bits |= 01000;
      } else if (letter == 'X') {
        step.search_too = true;
      } else {
        break;
      }
    }
    if (step.operation == '=') {
      step.kept_of_directory = kSetIds & ~step.bits;
    }
    steps.push_back(step);
  }
  return true;
}

mode_t ModeChange::apply(mode_t mode, bool is_directory) const {
  mode &= 07777;
  for (const Step& step : steps_) {
    mode_t bits = step.bits;
    if (step.copied_from != 0) {
      const unsigned shift = step.copied_from == 'u' ? 6 : step.copied_from == 'g' ? 3 : 0;
      const mode_t three = (mode >> shift) & 7U;
      bits = three << 6U | three << 3U | three;
    }
    if (step.search_too && (is_directory || (mode & 0111) != 0)) {
      bits |= 0111;
    }
    const mode_t kept = is_directory ? step.kept_of_directory : 0;
    bits &= step.who & ~kept;
    mode = step.operation == '+'   ? mode | bits
           : step.operation == '-' ? mode & ~bits
                                   : (mode & ~(step.cleared & ~kept)) | bits;
  }
  return mode;
}

}  // namespace benchfs::tools
