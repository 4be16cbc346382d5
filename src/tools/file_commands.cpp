#include "tools/file_commands.h"

#include <algorithm>
#include <utility>

#include <CLI/CLI.hpp>

#include "base/parse.h"
#include "tools/declaration.h"
#include "tools/find_tests.h"

namespace benchfs::tools {
namespace {

using Words = std::vector<std::string>;

/// `find`: our own options first, then "--", then where to begin and the expression.
void arrange_find(Words& words) {
  Words ours = {words.front()};
  Words theirs;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    const FindPrimary* const before = theirs.empty() ? nullptr : find_primary(theirs.back());
    const bool is_argument = before != nullptr && before->argument_count > 0;
    const std::string name = word.substr(0, word.find('='));
    const bool takes_value = name == "--session" || name == "--jobs";
    if (is_argument || (!takes_value && word != "--json" && word != "--help")) {
      theirs.push_back(word);
      continue;
    }
    ours.push_back(word);
    if (takes_value && name == word && i + 1 < words.size()) {
      ours.push_back(words[++i]);
    }
  }
  ours.emplace_back("--");
  ours.insert(ours.end(), theirs.begin(), theirs.end());
  words = std::move(ours);
}

/// `chmod -w file`: a mode, not options.
void arrange_chmod(Words& words) {
  const auto is_mode = [](const std::string& word) {
    return word.size() > 1 && word.front() == '-' &&
           word.find_first_not_of("rwxXstugoa+=,-", 1) == std::string::npos && word != "--" &&
           word[1] != '-';
  };
  const auto found = std::find_if(words.begin(), words.end(), [&](const std::string& word) {
    return is_mode(word) || word == "--";
  });
  if (found != words.end() && *found != "--") {
    words.insert(found, "--");
  }
}

/// `tail -5 file`: five lines.
void arrange_tail(Words& words) {
  const bool has_number = words.size() > 1 && words[1].size() > 1 && words[1].front() == '-' &&
                          words[1].find_first_not_of("0123456789", 1) == std::string::npos;
  if (has_number) {
    words[1].replace(0, 1, "--lines=");
  }
}

}  // namespace

void add_session_option(CLI::App& command, std::string& session) {
  command
      .add_option_function<std::string>(
          "--session", [&session](const std::string& text) { session = as_written(text); },
          "Directory of the session (default: $BENCHFS_SESSION)")
      ->type_name("DIR");
}

std::uint64_t size_argument(const std::string& option, const std::string& text) {
  const auto size = parse_size(text);
  if (!size.has_value()) {
    throw CLI::ValidationError(option, "'" + text + "' is not a size such as 4096, 64M or 1.5G");
  }
  return *size;
}

void arrange_words(const CLI::App& app, std::vector<std::string>& words) {
  const auto named = app.get_subcommands([&words](const CLI::App* command) {
    return !words.empty() && command->get_name() == words.front();
  });
  if (named.empty() || named.front()->get_group() != kGroup) {
    return;
  }
  if (words.front() == "find") {
    arrange_find(words);
  } else if (words.front() == "chmod") {
    arrange_chmod(words);
  } else if (words.front() == "tail") {
    arrange_tail(words);
  }
  for (std::string& word : words) {
    if (!word.empty() && word.front() == '[' && word.back() == ']') {
      word += '\0';
    }
  }
}

std::string as_written(std::string word) {
  if (!word.empty() && word.back() == '\0') {
    word.pop_back();
  }
  return word;
}

void declare_file_commands(CLI::App& app, std::string& session, Action& chosen) {
  Declaration declaration(app, session, chosen);
  declare_looking(declaration);
  declare_names(declaration);
  declare_attributes(declaration);
  declare_contents(declaration);
  declare_staging(declaration);
}

}  // namespace benchfs::tools
