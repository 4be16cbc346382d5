// Sizes, times and counts as people write them: accepted exactly if the text is a number with a
// known unit that comes out whole and below 2^63, and then with exactly that value.
//
// Input: choice 1 (modulo 3: size, time, count), text.

#include <map>
#include <optional>

#include "base/parse.h"
#include "fuzz/fuzz.h"

namespace benchfs::fuzz {
namespace {

enum class What : std::uint8_t { kSize, kTime, kCount };

std::optional<std::uint64_t> unit_of(What what, std::string_view suffix) {
  std::string upper(suffix);
  for (char& c : upper) {
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  }
  if (what == What::kCount) {
    return upper.empty() ? std::optional<std::uint64_t>(1) : std::nullopt;
  }
  if (what == What::kTime) {
    static const std::map<std::string, std::uint64_t> units = {
        {"", 1'000'000'000}, {"S", 1'000'000'000}, {"MS", 1'000'000}, {"US", 1'000},
        {"NS", 1},           {"M", 60'000'000'000}};
    const auto found = units.find(upper);
    return found == units.end() ? std::nullopt : std::optional(found->second);
  }
  if (upper.empty() || upper == "B") {
    return 1;
  }
  const std::size_t power = std::string_view("KMGTPE").find(upper.front());
  const std::string behind = upper.substr(1);
  if (power == std::string_view::npos || !(behind.empty() || behind == "B" || behind == "IB")) {
    return std::nullopt;
  }
  return std::uint64_t{1} << (10 * (power + 1));
}

std::size_t count_digits(std::string_view text) {
  const std::size_t end = text.find_first_not_of("0123456789");
  return end == std::string_view::npos ? text.size() : end;
}

/// A number of decimal digits, the last first, times a factor: long multiplication, never inexact.
std::string multiply(std::string_view digits, std::uint64_t factor) {
  std::string out;
  std::uint64_t carry = 0;  // No unit is above 2^60: nine of them and the rest of ten fit.
  for (auto digit = digits.rbegin(); digit != digits.rend() || carry != 0;) {
    if (digit != digits.rend()) {
      carry += static_cast<std::uint64_t>(*digit++ - '0') * factor;
    }
    out.insert(out.begin(), static_cast<char>('0' + static_cast<int>(carry % 10)));
    carry /= 10;
  }
  return out;
}

/// What `text` is worth by the rules of parse.h; nothing if it must be refused.
std::optional<std::uint64_t> worth(What what, std::string_view text) {
  const std::size_t whole_digits = count_digits(text);
  if (whole_digits == 0) {
    return std::nullopt;
  }
  std::string digits(text.substr(0, whole_digits));
  text.remove_prefix(whole_digits);
  std::size_t fraction_digits = 0;
  if (!text.empty() && text.front() == '.' && what != What::kCount) {
    fraction_digits = count_digits(text.substr(1));
    if (fraction_digits == 0) {
      return std::nullopt;
    }
    digits += text.substr(1, fraction_digits);
    text.remove_prefix(1 + fraction_digits);
  }
  const auto unit = unit_of(what, text);
  if (!unit.has_value()) {
    return std::nullopt;
  }
  std::string product = multiply(digits, *unit);
  product.insert(0, fraction_digits, '0');
  const std::string fraction = product.substr(product.size() - fraction_digits);
  product.resize(product.size() - fraction_digits);
  if (fraction.find_first_not_of('0') != std::string::npos) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  for (const char digit : product) {
    const auto number = static_cast<std::uint64_t>(digit - '0');
    if (value > (std::uint64_t{INT64_MAX} - number) / 10) {
      return std::nullopt;
    }
    value = 10 * value + number;
  }
  return value;
}

Result<std::uint64_t> parse(What what, std::string_view text) {
  switch (what) {
    case What::kSize:
      return parse_size(text);
    case What::kTime:
      return parse_duration_ns(text);
    case What::kCount:
      break;
  }
  return parse_count(text);
}

}  // namespace

Verdict run_one(ConstBytes bytes) {
  Input input(bytes);
  const auto what = static_cast<What>(input.take_byte() % 3);
  const std::string text = to_text(input.rest());
  if (text.size() > 4096) {
    return Verdict::kRefused;  // The model is slow.
  }
  const auto parsed = parse(what, text);
  const auto expected = worth(what, text);
  FUZZ_CHECK(parsed.has_value() == expected.has_value());
  if (!parsed.has_value()) {
    const Errc code = parsed.error().code;
    FUZZ_CHECK(code == Errc::kInvalid || code == Errc::kOutOfRange);
    return Verdict::kRefused;
  }
  FUZZ_CHECK(*parsed == *expected);
  FUZZ_CHECK(format_size(*parsed).size() < 32);
  return Verdict::kAccepted;
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  const auto add = [&out](What what, const std::string& text) {
    out.push_back({std::to_string(static_cast<int>(what)) + "_" + text,
                   with_choice(static_cast<std::uint8_t>(what), to_buffer(text))});
  };
  for (const char* text : {"0", "4096", "64K", "1MiB", "1.5G", "2TB", "7E", "12.25p"}) {
    add(What::kSize, text);
  }
  for (const char* text : {"10", "10s", "250ms", "20us", "5m", "0.5s", "1ns"}) {
    add(What::kTime, text);
  }
  add(What::kCount, "17");
  add(What::kCount, "9223372036854775807");
  return out;
}

}  // namespace benchfs::fuzz
