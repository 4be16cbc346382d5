#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "support/command.h"
#include "way.h"

namespace alternation {
namespace {

using benchfs::test::CommandResult;

class CommandWay final : public Way {
 public:
  CommandWay(const std::string& tool, const std::string& scratch)
      : tool_(tool), scratch_(scratch) {}
  const char* name() const override { return "command"; }

  int create(const std::string& file) override { return error_of(run({"touch", file})); }
  int write(const std::string& /*file*/, std::uint64_t /*offset*/,
            const std::string& /*bytes*/) override {
    return kNotOffered;
  }
  int append(const std::string& /*file*/, const std::string& /*bytes*/) override {
    return kNotOffered;
  }
  int truncate(const std::string& file, std::uint64_t size) override {
    return error_of(run({"truncate", "-c", "-s", std::to_string(size), file}));
  }
  int rename(const std::string& from, const std::string& to) override {
    return error_of(run({"mv", "-T", from, to}));
  }
  int remove(const std::string& file) override { return error_of(run({"rm", file})); }
  int replace(const std::string& file, const std::string& bytes) override {
    std::ofstream(scratch_, std::ios::binary | std::ios::trunc) << bytes;
    return error_of(run({"cp", "-T", scratch_, "benchfs:/" + file}));
  }

  Seen look(const std::string& file) override {
    const CommandResult shown = run({"cat", file});
    Seen seen{.error = error_of(shown), .bytes = shown.out};
    if (seen.error == 0) {
      const CommandResult told = run({"stat", "-c", "%s", file});
      seen.error = error_of(told);
      seen.told_size = std::strtoull(told.out.c_str(), nullptr, 10);
    }
    return seen;
  }

  int keep(const std::string& /*file*/) override { return kNotOffered; }
  Seen look_at_kept() override { return {.error = EBADF, .bytes = {}}; }
  int write_kept(std::uint64_t /*offset*/, const std::string& /*bytes*/) override {
    return kNotOffered;
  }

 private:
  CommandResult run(std::vector<std::string> words) const {
    words.insert(words.begin(), tool_);
    return benchfs::test::run_command(words);
  }
  static int error_of(const CommandResult& result) {
    return result.exit_status == 0                                             ? 0
           : result.err.find("No such file or directory") != std::string::npos ? ENOENT
                                                                               : EIO;
  }

  const std::string tool_;
  const std::string scratch_;
};

}  // namespace

std::unique_ptr<Way> make_command_way(const std::string& tool, const std::string& scratch) {
  return std::make_unique<CommandWay>(tool, scratch);
}

}  // namespace alternation
