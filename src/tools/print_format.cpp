#include "tools/print_format.h"

namespace benchfs::tools {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Reads a number of at most six digits.
std::size_t read_number(std::string_view text, std::size_t& at) {
  std::size_t number = 0;
  for (std::size_t digits = 0; at < text.size() && is_digit(text[at]) && digits < 6; ++digits) {
    number = number * 10 + static_cast<std::size_t>(text[at++] - '0');
  }
  return number;
}

/// What the escape at `at`, behind the backslash, stands for. Moves behind it.
std::string read_escape(std::string_view text, std::size_t& at) {
  if (at == text.size()) {
    return "\\";
  }
  if (text[at] >= '0' && text[at] <= '7') {
    unsigned value = 0;
    for (int digits = 0; digits < 3 && at < text.size() && text[at] >= '0' && text[at] <= '7';
         ++digits) {
      value = value * 8 + static_cast<unsigned>(text[at++] - '0');
    }
    return std::string(1, static_cast<char>(value & 0xffU));
  }
  constexpr std::string_view kLetters = "abfnrtv\\";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\";
  const char letter = text[at++];
  const std::size_t index = kLetters.find(letter);
  return index != std::string_view::npos ? std::string(1, kMeanings[index])
                                         : std::string("\\") + letter;
}

}  // namespace

std::optional<PrintFormat> PrintFormat::parse(std::string_view text, const Rules& rules,
                                              std::string& error) {
  PrintFormat format;
  Part part;
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at++];
    if (c == '\\' && rules.escapes) {
      part.literal += read_escape(text, at);
      continue;
    }
    if (c != '%') {
      part.literal += c;
      continue;
    }
    const std::size_t begin = at - 1;
    if (at < text.size() && text[at] == '%') {
      part.literal += text[at++];
      continue;
    }
    Directive& directive = part.directive;
    while (at < text.size() && std::string_view("#-+ 0").find(text[at]) != std::string_view::npos) {
      directive.flags += text[at++];
    }
    directive.width = read_number(text, at);
    if (at < text.size() && text[at] == '.') {
      directive.precision = read_number(text, ++at);
    }
    directive.letter = at < text.size() ? text[at++] : '\0';
    const bool takes_more = directive.letter != 0 &&
                            rules.with_argument.find(directive.letter) != std::string_view::npos;
    if (takes_more) {
      directive.argument = at < text.size() ? text[at++] : '\0';
    }
    if (directive.letter == 0 || rules.letters.find(directive.letter) == std::string_view::npos ||
        (takes_more && directive.argument == 0)) {
      error = text.substr(begin, at - begin);
      return std::nullopt;
    }
    directive.has_decimals = rules.with_decimals.find(directive.letter) != std::string_view::npos;
    format.parts_.push_back(std::move(part));
    part = {};
  }
  format.parts_.push_back(std::move(part));
  return format;
}

std::string PrintFormat::expand(const std::function<std::string(const Directive&)>& value) const {
  std::string text;
  for (const Part& part : parts_) {
    text += part.literal;
    if (part.directive.letter == 0) {
      continue;
    }
    std::string shown = value(part.directive);
    if (!part.directive.has_decimals && part.directive.precision.has_value() &&
        shown.size() > *part.directive.precision) {
      shown.resize(*part.directive.precision);
    }
    const std::size_t missing =
        part.directive.width > shown.size() ? part.directive.width - shown.size() : 0;
    const bool left = part.directive.flags.find('-') != std::string::npos;
    const bool zeros = !left && part.directive.flags.find('0') != std::string::npos;
    text +=
        left ? shown + std::string(missing, ' ') : std::string(missing, zeros ? '0' : ' ') + shown;
  }
  return text;
}

}  // namespace benchfs::tools
