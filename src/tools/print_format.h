#pragma once

// Formats such as `stat --format` and `find -printf` take: text with %-directives. Pure.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace benchfs::tools {

class PrintFormat {
 public:
  struct Directive {
    char letter = 0;
    char argument = 0;  ///< The second letter of those that have one ("%T@"); else 0.
    std::string flags;  ///< Of "#-+ 0".
    std::size_t width = 0;
    std::optional<std::size_t> precision;  ///< Characters at most; of some, decimals.
    bool has_decimals = false;
  };

  struct Rules {
    std::string_view letters;        ///< The directives that there are.
    std::string_view with_argument;  ///< Those of them that a second letter follows.
    std::string_view with_decimals;  ///< Those whose precision is a number of decimals.
    bool escapes = false;            ///< Whether "\n" and the like mean something.
  };

  /// Nothing if the text has a directive that is none of the rules'; then `error` names it.
  static std::optional<PrintFormat> parse(std::string_view text, const Rules& rules,
                                          std::string& error);

  /// `value` gives what a directive stands for, which is padded here as its width says.
  std::string expand(const std::function<std::string(const Directive&)>& value) const;

 private:
  struct Part {
    std::string literal;  ///< Before the directive.
    Directive directive;  ///< Letter 0: none, at the end.
  };
  std::vector<Part> parts_;
};

}  // namespace benchfs::tools
