#include "tools/stage_manifest.h"

#include <charconv>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <xxhash.h>

namespace benchfs::tools {
namespace {

constexpr std::size_t kSumDigits = 8;

std::uint32_t checksum(std::string_view text) {
  return static_cast<std::uint32_t>(XXH3_64bits(text.data(), text.size()));
}

std::string sealed(const std::string& text) {
  return fmt::format("{:08x} {}\n", checksum(text), text);
}

/// Without blanks, newlines and control bytes; every other byte is itself.
std::string escaped(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7F || byte == '%') {
      out += fmt::format("%{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

template <typename T>
std::optional<T> number(std::string_view text, int base) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty()
             ? std::optional<T>(value)
             : std::nullopt;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto byte = number<std::uint8_t>(text.substr(i + 1, 2), 16);
    if (!byte.has_value() || i + 2 >= text.size()) {
      return std::nullopt;
    }
    out += static_cast<char>(*byte);
    i += 2;
  }
  return out;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const std::size_t end = std::min(line.find(' '), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

std::string_view name_of(StageManifest::Direction direction) {
  return direction == StageManifest::Direction::kIn ? "in" : "out";
}

}  // namespace

bool StageManifest::read(std::string_view text, Direction direction) {
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      break;  // Torn.
    }
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    const auto sum = number<std::uint32_t>(line.substr(0, std::min(kSumDigits, line.size())), 16);
    const bool whole = line.size() > kSumDigits + 1 && line[kSumDigits] == ' ' && sum.has_value() &&
                       checksum(line.substr(kSumDigits + 1)) == *sum;
    if (first && (!whole || !line.substr(kSumDigits + 1).starts_with("run "))) {
      return false;
    }
    first = false;
    if (whole && !take(line.substr(kSumDigits + 1), direction)) {
      return false;
    }
  }
  return true;
}

bool StageManifest::take(std::string_view line, Direction direction) {
  const auto words = words_of(line);
  if (words[0] == "run" && words.size() == 4) {
    const auto run = number<std::uint64_t>(words[3], 16);
    if (words[1] != "1" || words[2] != name_of(direction) || !run.has_value()) {
      return false;
    }
    runs_.insert(*run);
  } else if (words[0] == "file" && words.size() == 6) {
    const auto size = number<std::uint64_t>(words[1], 10);
    const auto mtime_ns = number<std::uint64_t>(words[2], 10);
    const auto ctime_ns = number<std::uint64_t>(words[3], 10);
    const auto sum = number<std::uint64_t>(words[4], 16);
    const auto path = unescaped(words[5]);
    if (size && mtime_ns && ctime_ns && sum && path) {
      files_[*path] = {.size = *size, .mtime_ns = *mtime_ns, .ctime_ns = *ctime_ns, .sum = *sum};
    }
  } else if (words[0] == "lost" && words.size() == 2) {
    const auto path = unescaped(words[1]);
    if (path) {
      files_.erase(*path);
    }
  }
  return true;
}

const StagedFile* StageManifest::find(const std::string& relative) const {
  const auto found = files_.find(relative);
  return found == files_.end() ? nullptr : &found->second;
}

std::string StageManifest::line_of_run(Direction direction, std::uint64_t run) {
  return sealed(fmt::format("run 1 {} {:016x}", name_of(direction), run));
}

std::string StageManifest::line_of_file(const std::string& relative, const StagedFile& file) {
  return sealed(fmt::format("file {} {} {} {:016x} {}", file.size, file.mtime_ns, file.ctime_ns,
                            file.sum, escaped(relative)));
}

std::string StageManifest::line_of_loss(const std::string& relative) {
  return sealed(fmt::format("lost {}", escaped(relative)));
}

}  // namespace benchfs::tools
