#include "tools/find_expression.h"

#include <utility>

#include "base/parse.h"
#include "tools/console.h"
#include "tools/find_tests.h"

namespace benchfs::tools {
namespace {

/// expression := list; list := or {',' or}; or := and {'-o' and}; and := not {['-a'] not};
/// not := '!' not | '(' list ')' | test
class Parser {
 public:
  Parser(const std::vector<std::string>& words, FindState& state, std::string& error)
      : words_(words), state_(state), error_(error) {}

  std::optional<FindExpression> parse() {
    if (words_.empty()) {
      expression_.test = [](Candidate&) { return true; };
      return std::move(expression_);
    }
    expression_.test = parse_list();
    if (expression_.test != nullptr && at_ < words_.size()) {
      fail(words_[at_] == ")" ? "')' without '('"
                              : "expected an operator or a test, not " + in_quotes(words_[at_]));
    }
    return error_.empty() ? std::optional(std::move(expression_)) : std::nullopt;
  }

 private:
  FindTest fail(std::string text) {
    if (error_.empty()) {
      error_ = std::move(text);
    }
    return nullptr;
  }

  bool accept(std::string_view word, std::string_view other = {}) {
    if (at_ < words_.size() && (words_[at_] == word || (!other.empty() && words_[at_] == other))) {
      ++at_;
      return true;
    }
    return false;
  }

  FindTest parse_list() {
    FindTest left = parse_or();
    while (left != nullptr && accept(",")) {
      FindTest right = parse_or();
      if (right == nullptr) {
        return nullptr;
      }
      left = [a = std::move(left), b = std::move(right)](Candidate& it) {
        a(it);
        return b(it);
      };
    }
    return left;
  }

  FindTest parse_or() {
    FindTest left = parse_and();
    while (left != nullptr && accept("-o", "-or")) {
      FindTest right = parse_and();
      if (right == nullptr) {
        return nullptr;
      }
      left = [a = std::move(left), b = std::move(right)](Candidate& it) { return a(it) || b(it); };
    }
    return left;
  }

  bool another_follows() const {
    return at_ < words_.size() && words_[at_] != ")" && words_[at_] != "," && words_[at_] != "-o" &&
           words_[at_] != "-or";
  }

  FindTest parse_and() {
    FindTest left = parse_not();
    while (left != nullptr && (accept("-a", "-and") || another_follows())) {
      FindTest right = parse_not();
      if (right == nullptr) {
        return nullptr;
      }
      left = [a = std::move(left), b = std::move(right)](Candidate& it) { return a(it) && b(it); };
    }
    return left;
  }

  FindTest parse_not() {
    // Many in a row, or many parentheses, must not use up the stack.
    if (++nesting_ > kNestingMax) {
      return fail("the expression is nested too deeply");
    }
    FindTest test;
    if (accept("!", "-not")) {
      FindTest inner = parse_not();
      test =
          inner == nullptr ? FindTest() : [a = std::move(inner)](Candidate& it) { return !a(it); };
    } else if (accept("(")) {
      test = parse_list();
      if (test != nullptr && !accept(")")) {
        test = fail("'(' without ')'");
      }
    } else {
      test = parse_primary();
    }
    --nesting_;
    return test;
  }

  FindTest parse_primary() {
    if (at_ == words_.size()) {
      return fail("a test is missing at the end of the expression");
    }
    const std::string& word = words_[at_];
    if (!begins_find_expression(word)) {
      return fail("paths must come before the expression: " + in_quotes(word));
    }
    if (word == ")" || word == "," || word == "-o" || word == "-or" || word == "-a" ||
        word == "-and") {
      return fail("a test is missing before " + in_quotes(word));
    }
    ++at_;
    if (const auto global = parse_global(word); global.has_value()) {
      return *global ? [](Candidate&) { return true; } : FindTest();
    }
    const FindPrimary* const primary = find_primary(word);
    if (primary == nullptr) {
      return fail("unknown test " + in_quotes(word));
    }
    std::string argument;
    if (primary->argument_count == 1) {
      if (at_ == words_.size()) {
        return fail("missing argument to " + in_quotes(word));
      }
      argument = words_[at_++];
    }
    expression_.has_action = expression_.has_action || primary->is_action;
    expression_.contents_first = expression_.contents_first || word == "-delete";
    return primary->make(primary->name, argument, state_, error_);
  }

  /// Options that hold for the whole search. Nothing if the word is none; false after a mistake.
  std::optional<bool> parse_global(const std::string& word) {
    if (word == "-depth") {
      expression_.contents_first = true;
      return true;
    }
    if (word == "-mount" || word == "-xdev" || word == "-noleaf") {
      return true;  // There is one file system, and no directory's links are counted.
    }
    if (word != "-maxdepth" && word != "-mindepth") {
      return std::nullopt;
    }
    if (at_ == words_.size()) {
      fail("missing argument to " + in_quotes(word));
      return false;
    }
    const auto depth = parse_count(words_[at_]);
    if (!depth.has_value() || *depth > UINT32_MAX) {
      fail(in_quotes(words_[at_]) + " is not a depth for " + word);
      return false;
    }
    ++at_;
    (word == "-maxdepth" ? expression_.depth_max : expression_.depth_min) =
        static_cast<std::uint32_t>(*depth);
    return true;
  }

  static constexpr unsigned kNestingMax = 1000;

  const std::vector<std::string>& words_;
  FindState& state_;
  std::string& error_;
  FindExpression expression_;
  std::size_t at_ = 0;
  unsigned nesting_ = 0;
};

}  // namespace

std::string Candidate::name() const {
  return last_name(shown);
}

std::string Candidate::relative() const {
  std::string_view rest = std::string_view(shown).substr(start_length);
  while (!rest.empty() && rest.front() == '/') {
    rest.remove_prefix(1);
  }
  return std::string(rest);
}

bool begins_find_expression(std::string_view word) {
  return word == "(" || word == ")" || word == "!" || word == "," ||
         (word.size() > 1 && word.front() == '-');
}

std::optional<FindExpression> parse_find_expression(const std::vector<std::string>& words,
                                                    FindState& state, std::string& error) {
  error.clear();
  return Parser(words, state, error).parse();
}

}  // namespace benchfs::tools
