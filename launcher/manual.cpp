#include "launcher/manual.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/console.h"

namespace benchfs::launcher {
namespace {

/// Text as roff takes it: nothing in it is a request or an escape.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool begins_line = out.empty() || out.back() == '\n';
    if (begins_line && (c == '.' || c == '\'')) {
      out += "\\&";
    }
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

/// Descriptions of a list have no full stop; in a page they are sentences.
std::string sentence(const std::string& text) {
  return text.empty() || text.back() == '.' ? text : text + ".";
}

/// What an option takes: "DIR"; empty for a flag.
std::string shape_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) {
    return "";
  }
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

bool is_positional(const CLI::Option& option) {
  return option.get_lnames().empty() && option.get_snames().empty();
}

std::vector<const CLI::Option*> options_of(const CLI::App& app, bool positional) {
  return app.get_options([positional](const CLI::Option* option) {
    return is_positional(*option) == positional && !option->get_group().empty();
  });
}

std::vector<const CLI::App*> commands_of(const CLI::App& program) {
  return program.get_subcommands([](const CLI::App* app) { return !app->get_group().empty(); });
}

std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) {
    names.push_back("-" + name);
  }
  for (const std::string& name : option.get_lnames()) {
    names.push_back("--" + name);
  }
  return names;
}

void add_options(std::ostream& page, const CLI::App& app) {
  page << ".SH OPTIONS\n";
  for (const CLI::Option* option : options_of(app, false)) {
    std::string names;
    for (const std::string& name : names_of(*option)) {
      names += (names.empty() ? "\\fB" : ", \\fB") + roff(name) + "\\fR";
    }
    const std::string shape = shape_of(*option);
    page << ".TP\n"
         << names << (shape.empty() ? "" : " \\fI" + roff(shape) + "\\fR") << '\n'
         << roff(sentence(option->get_description())) << '\n';
  }
}

void add_positionals(std::ostream& page, const CLI::App& app) {
  const auto positionals = options_of(app, true);
  if (positionals.empty()) {
    return;
  }
  page << ".SH ARGUMENTS\n";
  for (const CLI::Option* option : positionals) {
    page << ".TP\n\\fI" << roff(option->get_name(true)) << "\\fR\n"
         << roff(sentence(option->get_description())) << '\n';
  }
}

/// A footer keeps its lines.
void add_footer(std::ostream& page, const CLI::App& app) {
  if (const std::string footer = app.get_footer(); !footer.empty()) {
    page << ".SH NOTES\n.nf\n" << roff(footer) << "\n.fi\n";
  }
}

void add_common_sections(std::ostream& page) {
  page << ".SH EXIT STATUS\n"
          ".TP\n0\nEverything was done.\n"
          ".TP\n1\nSomething was not; standard error says what.\n"
          ".TP\n2\nThe command line makes no sense, or for ls: something named is not there.\n"
          ".TP\n130\nInterrupted.\n"
          ".SH ENVIRONMENT\n"
          ".TP\n\\fBBENCHFS_SESSION\\fR\nThe directory of the session, unless "
          "\\fB\\-\\-session\\fR names one.\n"
          ".TP\n\\fBBENCHFS_TIMEOUT\\fR\nHow long a server may take to answer one request, "
          "such as 10s.\n";
}

std::string page_head(const std::string& name, const std::string& summary) {
  return ".TH " + upper(roff(name)) + " 1 \"\" \"benchfs " BENCHFS_VERSION "\" \"benchfs\"\n" +
         ".SH NAME\n" + roff(name) + " \\- " + roff(summary) + "\n";
}

/// Words of a shell in one variable.
std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : " ") + word;
  }
  return text;
}

/// What a value of an option can be completed with: files of this machine or of the session.
std::string kind_of_value(const std::string& option, const std::string& shape) {
  if (option == "--session" || option == "--store") {
    return "DIR";
  }
  if (shape == "DIR" || option == "--reference" || option == "-r") {
    return "PATH";
  }
  return shape == "FILE" ? shape : "X";
}

bool write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) {
    tools::complain("cannot write '{}': {}", path.string(), tools::errno_text(errno));
  }
  return static_cast<bool>(file);
}

}  // namespace

std::string manual_of_command(const CLI::App& command) {
  std::ostringstream page;
  page << page_head("benchfs-" + command.get_name(), command.get_description());
  page << ".SH SYNOPSIS\n\\fBbenchfs " << roff(command.get_name()) << "\\fR [\\fIOPTION\\fR]...";
  for (const CLI::Option* option : options_of(command, true)) {
    const std::string name = "\\fI" + upper(roff(option->get_name(true))) + "\\fR";
    page << ' ' << (option->get_required() ? name : "[" + name + "]") << "...";
  }
  page << '\n';
  add_positionals(page, command);
  add_options(page, command);
  add_footer(page, command);
  add_common_sections(page);
  page << ".SH SEE ALSO\n\\fBbenchfs\\fR(1)\n";
  return page.str();
}

std::string manual_of_program(const CLI::App& program) {
  std::ostringstream page;
  const std::string description = program.get_description();
  const std::string summary = description.substr(description.find(' ') + 1);
  page << page_head("benchfs", summary.substr(0, summary.find_last_not_of(".\n") + 1));
  page << ".SH SYNOPSIS\n\\fBbenchfs\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]... "
          "[\\fIARGUMENT\\fR]...\n";
  std::string group;
  for (const CLI::App* command : commands_of(program)) {
    if (command->get_group() != group) {
      group = command->get_group();
      page << ".SH COMMANDS: " << upper(roff(group)) << '\n';
    }
    page << ".TP\n\\fBbenchfs\\-" << roff(command->get_name()) << "\\fR(1)\n"
         << roff(sentence(command->get_description())) << '\n';
  }
  add_options(page, program);
  add_footer(page, program);
  add_common_sections(page);
  return page.str();
}

std::string completion_tables(const CLI::App& program) {
  std::vector<std::string> all;
  std::vector<std::string> of_files;
  std::string tables;
  for (const CLI::App* command : commands_of(program)) {
    const std::string& name = command->get_name();
    all.push_back(name);
    if (command->get_group() == "Files") {
      of_files.push_back(name);
    }
    std::vector<std::string> options;
    std::vector<std::string> values;
    for (const CLI::Option* option : options_of(*command, false)) {
      for (const std::string& word : names_of(*option)) {
        options.push_back(word);
        if (const std::string shape = shape_of(*option); !shape.empty()) {
          values.push_back(word + "=" + kind_of_value(word, shape));
        }
      }
    }
    tables += "_benchfs_options[" + name + "]='" + joined(options) + "'\n";
    tables += "_benchfs_values[" + name + "]='" + joined(values) + "'\n";
  }
  return "declare -gA _benchfs_options _benchfs_values\n_benchfs_commands='" + joined(all) +
         "'\n_benchfs_file_commands='" + joined(of_files) + "'\n" + tables;
}

int write_documentation(const CLI::App& program, const DocumentationOptions& options) {
  const std::filesystem::path root = options.directory;
  std::error_code failed;
  for (const char* const name : {"man1", "bash-completion"}) {
    std::filesystem::create_directories(root / name, failed);
    if (failed) {
      tools::complain("cannot create directory '{}': {}", (root / name).string(), failed.message());
      return tools::kExitFailure;
    }
  }
  std::ifstream functions(options.completion_functions, std::ios::binary);
  std::ostringstream completion;
  completion << completion_tables(program) << '\n' << functions.rdbuf();
  if (!functions) {
    tools::complain("cannot read '{}'", options.completion_functions);
    return tools::kExitFailure;
  }
  bool fine = write_file(root / "bash-completion" / "benchfs", completion.str()) &&
              write_file(root / "man1" / "benchfs.1", manual_of_program(program));
  for (const CLI::App* command : commands_of(program)) {
    fine = fine && write_file(root / "man1" / ("benchfs-" + command->get_name() + ".1"),
                              manual_of_command(*command));
  }
  return fine ? tools::kExitOk : tools::kExitFailure;
}

}  // namespace benchfs::launcher
