#include "tools/time_argument.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <string>
#include <utility>

#include <absl/strings/numbers.h>
#include <absl/time/time.h>

namespace benchfs::tools {
namespace {

constexpr std::int64_t kYearMax = 9999;

std::optional<timespec> parse_seconds(std::string_view text) {
  const std::size_t point = text.find('.');
  std::int64_t seconds = 0;
  if (!absl::SimpleAtoi(absl::string_view(text.data(), std::min(point, text.size())), &seconds)) {
    return std::nullopt;
  }
  std::int64_t nanoseconds = 0;
  if (point != std::string_view::npos) {
    std::string digits(text.substr(point + 1));
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) {
      return std::nullopt;
    }
    digits.resize(9, '0');
    nanoseconds = std::stoll(digits);
  }
  if (text.front() == '-' && nanoseconds != 0) {
    --seconds;
    nanoseconds = 1'000'000'000 - nanoseconds;
  }
  return timespec{.tv_sec = seconds, .tv_nsec = nanoseconds};
}

/// "3 days ago", "-2 hours", "+1 week": seconds from now.
std::optional<std::int64_t> parse_step(std::string text) {
  bool back = false;
  if (text.size() > 4 && text.substr(text.size() - 4) == " ago") {
    back = true;
    text.resize(text.size() - 4);
  }
  std::size_t digits = text.find_first_not_of("+-0123456789");
  std::int64_t count = 0;
  if (digits == std::string::npos || digits == 0 ||
      !absl::SimpleAtoi(text.substr(0, digits), &count)) {
    return std::nullopt;
  }
  digits = text.find_first_not_of(' ', digits);
  std::string unit = digits == std::string::npos ? "" : text.substr(digits);
  if (unit.size() > 3 && unit.back() == 's') {
    unit.pop_back();
  }
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 8> kUnits = {
      {{"sec", 1},
       {"second", 1},
       {"min", 60},
       {"minute", 60},
       {"hour", 3'600},
       {"day", 86'400},
       {"week", 604'800},
       {"fortnight", 1'209'600}}};
  for (const auto& [name, seconds] : kUnits) {
    constexpr std::int64_t kCountMax = 1'000'000'000'000;
    if (unit == name && count < kCountMax && count > -kCountMax) {
      return count * seconds * (back ? -1 : 1);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<timespec> parse_time(std::string_view text, const timespec& now) {
  if (text.size() > 1 && text.front() == '@') {
    return parse_seconds(text.substr(1));
  }
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (lower == "now" || lower == "today") {
    return now;
  }
  if (lower == "yesterday" || lower == "tomorrow") {
    lower = lower == "yesterday" ? "-1 day" : "+1 day";
  }
  if (const auto step = parse_step(lower); step.has_value()) {
    return timespec{.tv_sec = now.tv_sec + *step, .tv_nsec = now.tv_nsec};
  }
  constexpr std::array<const char*, 10> kFormats = {"%Y-%m-%d",
                                                    "%Y-%m-%d %H:%M",
                                                    "%Y-%m-%d %H:%M:%E*S",
                                                    "%Y-%m-%dT%H:%M",
                                                    "%Y-%m-%dT%H:%M:%E*S",
                                                    "%Y-%m-%d %H:%M %Ez",
                                                    "%Y-%m-%d %H:%M:%E*S %Ez",
                                                    "%Y-%m-%dT%H:%M%Ez",
                                                    "%Y-%m-%dT%H:%M:%E*S%Ez",
                                                    "%Y-%m-%d %H:%M:%E*S%Ez"};
  if (text.empty() || std::isdigit(static_cast<unsigned char>(text.front())) == 0) {
    return std::nullopt;  // The library knows words such as "infinite-past" too.
  }
  for (const char* const format : kFormats) {
    absl::Time time;
    std::string error;
    if (absl::ParseTime(format, absl::string_view(text.data(), text.size()), absl::LocalTimeZone(),
                        &time, &error)) {
      return absl::ToTimespec(time);
    }
  }
  return std::nullopt;
}

std::optional<timespec> parse_time_stamp(std::string_view text, const timespec& now) {
  std::string digits(text);
  int second = 0;
  if (digits.size() > 3 && digits[digits.size() - 3] == '.') {
    if (!absl::SimpleAtoi(digits.substr(digits.size() - 2), &second)) {
      return std::nullopt;
    }
    digits.resize(digits.size() - 3);
  }
  if ((digits.size() != 8 && digits.size() != 10 && digits.size() != 12) ||
      digits.find_first_not_of("0123456789") != std::string::npos) {
    return std::nullopt;
  }
  const absl::TimeZone zone = absl::LocalTimeZone();
  std::int64_t year = zone.At(absl::TimeFromTimespec(now)).cs.year();
  if (digits.size() == 12) {
    year = std::stoi(digits.substr(0, 4));
  } else if (digits.size() == 10) {
    const int two = std::stoi(digits.substr(0, 2));
    year = two < 69 ? 2000 + two : 1900 + two;
  }
  const std::string rest = digits.substr(digits.size() - 8);
  const auto field = [&rest](std::size_t index) { return std::stoi(rest.substr(index * 2, 2)); };
  const absl::CivilSecond civil(year, field(0), field(1), field(2), field(3), second);
  // A day such as the 31st of June is moved to another by the library.
  const bool as_written = year <= kYearMax && civil.month() == field(0) &&
                          civil.day() == field(1) && civil.hour() == field(2) &&
                          civil.minute() == field(3) && civil.second() == second;
  return as_written ? std::optional(absl::ToTimespec(absl::FromCivil(civil, zone))) : std::nullopt;
}

}  // namespace benchfs::tools
