// cat.

#include <cerrno>

#include <unistd.h>

#include "tools/commands.h"
#include "tools/console.h"
#include "tools/file_tree.h"
#include "tools/mount.h"
#include "tools/pipeline.h"

namespace benchfs::tools {
namespace {

/// Standard output, for `cat`.
class OutputEnd final : public WriteEnd {
 public:
  int status(struct stat& out) override { return ::fstat(STDOUT_FILENO, &out); }
  bool begin_write(Piece& /*piece*/) override { return true; }
  bool finish_write(Piece& piece) override {
    std::size_t done = 0;
    while (done < piece.length) {
      const ssize_t written = ::write(STDOUT_FILENO, piece.data + done, piece.length - done);
      if (written < 0 && (errno != EINTR || was_interrupted())) {
        return false;
      }
      done += written < 0 ? 0 : static_cast<std::size_t>(written);
    }
    return true;
  }
  std::unique_ptr<ReadEnd> read_back() override { return nullptr; }
  void discard() override {}
  bool commit(const struct stat& /*like*/) override { return true; }
};

}  // namespace

int concatenate(const std::string& session, const std::vector<std::string>& paths) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  const auto tree = benchfs_tree(mount.get());
  OutputEnd output;
  Pipeline pipeline;
  Progress progress(Progress::Style::kNone);
  bool fine = true;
  for (const std::string& argument : paths) {
    const std::string path = benchfs_path(argument);
    const auto file = tree->open(path);
    if (file == nullptr) {
      complain_failure("cannot open", path);
      fine = false;
      continue;
    }
    std::uint64_t moved = 0;
    const auto outcome = pipeline.run(*file, output, UINT64_MAX >> 1U, moved, progress);
    if (outcome == Pipeline::Outcome::kReadFailed) {
      complain_failure("error reading", path);
      fine = false;
    } else if (outcome != Pipeline::Outcome::kDone) {
      complain("write error: {}", errno_text(errno));
      return kExitFailure;
    }
  }
  return fine ? kExitOk : kExitFailure;
}

}  // namespace benchfs::tools
