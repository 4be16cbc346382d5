#include "base/parse.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/units.h"

namespace benchfs {
namespace {

struct Unit {
  std::string_view suffix;
  std::uint64_t factor;
};

constexpr std::uint64_t kTiB = kMiB * kMiB;

constexpr std::array<Unit, 20> kSizeUnits = {{
    {"", 1},
    {"B", 1},
    {"K", kKiB},
    {"KB", kKiB},
    {"KIB", kKiB},
    {"M", kMiB},
    {"MB", kMiB},
    {"MIB", kMiB},
    {"G", kGiB},
    {"GB", kGiB},
    {"GIB", kGiB},
    {"T", kTiB},
    {"TB", kTiB},
    {"TIB", kTiB},
    {"P", kKiB* kTiB},
    {"PB", kKiB* kTiB},
    {"PIB", kKiB* kTiB},
    {"E", kMiB* kTiB},
    {"EB", kMiB* kTiB},
    {"EIB", kMiB* kTiB},
}};

constexpr std::array<Unit, 6> kDurationUnits = {{{"", kNsPerSec},
                                                 {"S", kNsPerSec},
                                                 {"MS", kNsPerMs},
                                                 {"US", kNsPerUs},
                                                 {"NS", 1},
                                                 {"M", 60 * kNsPerSec}}};

constexpr std::uint64_t kNumberMax = INT64_MAX;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

std::size_t count_digits(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) -
                                  text.begin());
}

/// `factor` times 0.`digits`; nothing if that is no whole number. Exact, where a double would
/// round: long multiplication, of which every digit behind the point must come out as zero.
std::optional<std::uint64_t> scale_fraction(std::string_view digits,
                                            std::uint64_t factor) noexcept {
  std::uint64_t carry = 0;  // Below `factor`, which is at most 2^60: ten of them fit.
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    const std::uint64_t product = static_cast<std::uint64_t>(*digit - '0') * factor + carry;
    if (product % 10 != 0) {
      return std::nullopt;
    }
    carry = product / 10;
  }
  return carry;
}

std::string to_upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return upper;
}

template <std::size_t N>
Result<std::uint64_t> parse_scaled(std::string_view text, const std::array<Unit, N>& units,
                                   const char* where) {
  std::uint64_t whole = 0;
  const std::size_t whole_digits = count_digits(text);
  if (whole_digits == 0) {
    return fail(Errc::kInvalid, where);
  }
  const auto parsed = std::from_chars(text.data(), text.data() + whole_digits, whole);
  text.remove_prefix(whole_digits);
  std::string_view fraction;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    fraction = text.substr(0, count_digits(text));
    text.remove_prefix(fraction.size());
    if (fraction.empty()) {
      return fail(Errc::kInvalid, where);
    }
  }
  const std::string suffix = to_upper(text);
  const auto unit = std::find_if(units.begin(), units.end(),
                                 [&](const Unit& one) { return one.suffix == suffix; });
  if (unit == units.end()) {
    return fail(Errc::kInvalid, where);
  }
  const auto scaled = scale_fraction(fraction, unit->factor);
  if (!scaled.has_value()) {
    return fail(Errc::kInvalid, where);
  }
  if (parsed.ec == std::errc::result_out_of_range ||
      whole > (kNumberMax - *scaled) / unit->factor) {
    return fail(Errc::kOutOfRange, where);
  }
  return whole * unit->factor + *scaled;
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  return parse_scaled(text, kSizeUnits, "parse.size");
}

Result<std::uint64_t> parse_duration_ns(std::string_view text) {
  return parse_scaled(text, kDurationUnits, "parse.duration");
}

Result<std::uint64_t> parse_count(std::string_view text) {
  constexpr std::array<Unit, 1> kPlain = {{{"", 1}}};
  if (text.find('.') != std::string_view::npos) {
    return fail(Errc::kInvalid, "parse.count");
  }
  return parse_scaled(text, kPlain, "parse.count");
}

std::string format_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 7> kNames = {"B",   "KiB", "MiB", "GiB",
                                                      "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  double value = static_cast<double>(bytes);
  while (value >= 1024 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kNames[unit]);
}

}  // namespace benchfs
