// sync.

#include <atomic>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>

#include "tools/commands.h"
#include "tools/console.h"
#include "tools/mount.h"
#include "tools/walk.h"
#include "tools/workers.h"

namespace benchfs::tools {
namespace {

class Synchroniser final : public Visitor {
 public:
  explicit Synchroniser(benchfs_mount* mount) : mount_(mount), workers_(Workers::kCountDefault) {}

  bool run(const std::string& path) {
    struct stat status {};
    // What was named may be a link; those below lead to what is not meant, or is met anyway.
    if (benchfs_stat(mount_, path.c_str(), &status) != 0) {
      complain_failure("error opening", path);
      return false;
    }
    if (!S_ISDIR(status.st_mode)) {
      synchronise_file(path, true);
      return fine_;
    }
    Walk walk(mount_, *this);
    const bool walked = walk.run(joined_path(path, ""), "") && walk.fine();
    workers_.wait();
    return walked && fine_ && !was_interrupted();
  }

  bool enter(Visited& at) override {
    if (S_ISREG(at.entry.attributes.st_mode)) {
      workers_.submit_bounded([this, path = at.path] { synchronise_file(path, false); },
                              kWaitingMax);
    }
    return true;
  }
  void leave(Visited& /*at*/) override {}

 private:
  static constexpr std::size_t kWaitingMax = 10'000;

  void synchronise_file(const std::string& path, bool named) {
    benchfs_file* const file = benchfs_open(mount_, path.c_str(), O_RDONLY, 0, nullptr);
    if (file == nullptr) {
      if (named || errno != ENOENT) {  // Else it has been removed meanwhile.
        complain_failure("error opening", path);
        fine_ = false;
      }
      return;
    }
    if (benchfs_fsync(file) != 0) {
      complain_failure("error syncing", path);
      fine_ = false;
    }
    benchfs_close(file);
  }

  benchfs_mount* mount_;
  std::atomic<bool> fine_{true};
  Workers workers_;
};

}  // namespace

int synchronise(const std::string& session, const SyncOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  catch_interrupts();
  bool fine = true;
  const std::vector<std::string> root = {"/"};
  for (const std::string& argument : options.paths.empty() ? root : options.paths) {
    fine = Synchroniser(mount.get()).run(benchfs_path(argument)) && fine;
  }
  return exit_status_of(fine);
}

}  // namespace benchfs::tools
