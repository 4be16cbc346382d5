#pragma once

// How a file command is declared to CLI11: its options live as long as the action that uses them.
// Throws what CLI11 throws.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/commands.h"
#include "tools/file_commands.h"

namespace benchfs::tools {

/// Of the file commands, in --help.
inline constexpr char kGroup[] = "Files";

template <typename Options>
struct Command {
  CLI::App* app;
  std::shared_ptr<Options> options;

  CLI::Option* add_paths(const char* name, const char* help, int count_min) const {
    CLI::Option* option = add_words(name, &Options::paths, help);
    // Not the root, which an empty variable of a script would otherwise mean.
    option->check(
        [](const std::string& path) {
          return path.empty() ? std::string("an empty path names nothing") : std::string();
        },
        "");
    return count_min > 0 ? option->required() : option;
  }
  /// Any number of words, as they are: to CLI11 "{}" would be an empty list.
  CLI::Option* add_words(const char* name, std::vector<std::string> Options::*member,
                         const char* help) const {
    return app
        ->add_option(
            name,
            [kept = options, member](const CLI::results_t& words) {
              for (const std::string& word : words) {
                ((*kept).*member).push_back(as_written(word));
              }
              return true;
            },
            help)
        ->expected(1, INT32_MAX)
        ->allow_extra_args();
  }
  void add_flag(const char* names, bool Options::*member, const char* help) const {
    app->add_flag(names, (*options).*member, help);
  }
  /// A flag that sets a member to something else than true.
  template <typename Value>
  void add_choice(const char* names, Value Options::*member, Value value, const char* help) const {
    app->add_flag_callback(
        names, [kept = options, member, value] { (*kept).*member = value; }, help);
  }
  void add_text(const char* names, std::string Options::*member, const char* shape,
                const char* help) const {
    add_parsed(names, shape, help,
               [member](Options& kept, const std::string& text) { kept.*member = text; });
  }
  /// An option whose text `read` takes, or throws CLI::ValidationError.
  template <typename Read>
  CLI::Option* add_parsed(const char* names, const char* shape, const char* help, Read read) const {
    return app
        ->add_option_function<std::string>(
            names,
            [kept = options, read](const std::string& text) { read(*kept, as_written(text)); },
            help)
        ->type_name(shape);
  }
  void add_json() const {
    app->add_flag_callback(
        "--json", [kept = options] { kept->format = Format::kJson; }, "Say it as JSON");
  }
};

class Declaration {
 public:
  Declaration(CLI::App& app, std::string& session, Action& chosen)
      : app_(app), session_(session), chosen_(chosen) {}

  template <typename Options>
  Command<Options> add(const char* name, const char* help,
                       int (*function)(const std::string&, const Options&)) {
    CLI::App* command = app_.add_subcommand(name, help)->group(kGroup);
    auto options = std::make_shared<Options>();
    add_session_option(*command, session_);
    command->callback([this_session = &session_, chosen = &chosen_, options, function] {
      *chosen = [this_session, options, function] { return function(*this_session, *options); };
    });
    return {.app = command, .options = std::move(options)};
  }

 private:
  CLI::App& app_;
  std::string& session_;
  Action& chosen_;
};

/// Commands that look, that change names and attributes, that deal with contents, and that stage.
void declare_looking(Declaration& declaration);
void declare_names(Declaration& declaration);
void declare_attributes(Declaration& declaration);
void declare_contents(Declaration& declaration);
void declare_staging(Declaration& declaration);

}  // namespace benchfs::tools
