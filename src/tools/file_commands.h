#pragma once

// The command line of the file commands.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace benchfs::tools {

/// What the command line asks for: to be called once, after it was read. Returns the exit status.
using Action = std::function<int()>;

/// Adds `ls`, `stat`, `cp` and the others to `app`. The one that the user names puts itself into
/// `chosen`. It works on the session directory that `session` holds by the time it is called;
/// `--session` sets it. Both are borrowed for as long as `app` and `chosen` live.
void declare_file_commands(CLI::App& app, std::string& session, Action& chosen);

/// Prepares the words of a command line for CLI11: those that users of find, chmod and tail write
/// as no other options are; and words such as "[a-z]", which to CLI11 are lists. To be called
/// before they are read.
void arrange_words(const CLI::App& app, std::vector<std::string>& words);

/// A word as it was before arrange_words(), which puts a byte that none can have behind some.
std::string as_written(std::string word);

/// Adds `--session DIR`, which every command has.
void add_session_option(CLI::App& command, std::string& session);

/// Throws CLI::ValidationError unless `text` is a size such as 64M.
std::uint64_t size_argument(const std::string& option, const std::string& text);

}  // namespace benchfs::tools
