// tail.

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <poll.h>

#include "tools/commands.h"
#include "tools/console.h"
#include "tools/mount.h"

namespace benchfs::tools {
namespace {

constexpr std::size_t kBlockBytes = 1024 * 1024;

/// A file whose end is shown, and followed.
class Tail {
 public:
  Tail(benchfs_mount* mount, std::string path) : mount_(mount), path_(std::move(path)) {}
  ~Tail() { close(); }
  Tail(const Tail&) = delete;
  Tail& operator=(const Tail&) = delete;

  const std::string& path() const noexcept { return path_; }
  bool is_open() const noexcept { return file_ != nullptr; }

  /// False with errno set.
  bool open() {
    close();
    struct stat status {};
    file_ = benchfs_open(mount_, path_.c_str(), O_RDONLY, 0, nullptr);
    if (file_ == nullptr) {
      return false;
    }
    if (benchfs_fstat(file_, &status) != 0) {
      const int saved = errno;
      close();
      errno = saved;
      return false;
    }
    inode_ = status.st_ino;
    offset_ = 0;
    return true;
  }

  void close() {
    if (file_ != nullptr) {
      benchfs_close(std::exchange(file_, nullptr));
    }
  }

  /// Moves to where the output is to begin. False with errno set.
  bool find_begin(const TailOptions& options) {
    struct stat status {};
    if (benchfs_fstat(file_, &status) != 0) {
      return false;
    }
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (options.bytes) {
      offset_ = options.from_start ? std::min(size, std::max<std::uint64_t>(options.count, 1) - 1)
                                   : size - std::min(size, options.count);
      return true;
    }
    return options.from_start ? skip_lines(options.count) : find_lines(size, options.count);
  }

  /// Writes what there is from the present offset on. False after a complaint.
  bool copy_out() {
    while (!was_interrupted()) {
      const ssize_t got = benchfs_pread(file_, buffer(), kBlockBytes, static_cast<off_t>(offset_));
      if (got < 0) {
        complain_failure("error reading", path_);
        return false;
      }
      if (got == 0) {
        return true;
      }
      say_text({buffer(), static_cast<std::size_t>(got)});
      offset_ += static_cast<std::uint64_t>(got);
    }
    return true;
  }

  enum class Change { kNone, kMore, kTruncated, kReplaced, kGone, kFailed };

  /// Looks whether there is more.
  Change look(bool by_name) {
    struct stat status {};
    if (by_name) {
      if (benchfs_stat(mount_, path_.c_str(), &status) != 0) {
        return errno == ENOENT || errno == ENOTDIR ? Change::kGone : Change::kFailed;
      }
      if (file_ == nullptr || status.st_ino != inode_) {
        return Change::kReplaced;
      }
    }
    if (benchfs_fstat(file_, &status) != 0) {
      return Change::kFailed;
    }
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size < offset_) {
      offset_ = size;
      return Change::kTruncated;
    }
    return size > offset_ ? Change::kMore : Change::kNone;
  }

  bool gone_before = false;

 private:
  char* buffer() {
    if (memory_ == nullptr) {
      memory_ = std::make_unique<char[]>(kBlockBytes);
    }
    return memory_.get();
  }

  /// Behind the first `count` - 1 lines.
  bool skip_lines(std::uint64_t count) {
    std::uint64_t left = std::max<std::uint64_t>(count, 1) - 1;
    while (left > 0) {
      const ssize_t got = benchfs_pread(file_, buffer(), kBlockBytes, static_cast<off_t>(offset_));
      if (got <= 0) {
        return got == 0;
      }
      for (ssize_t i = 0; i < got; ++i, ++offset_) {
        if (left == 0) {
          return true;
        }
        left -= buffer()[i] == '\n' ? 1 : 0;
      }
    }
    return true;
  }

  /// Before the last `count` lines; a last one without an end counts.
  bool find_lines(std::uint64_t size, std::uint64_t count) {
    std::uint64_t end = size;
    std::uint64_t left = count;
    while (end > 0 && count > 0) {
      const std::uint64_t begin = (end - 1) / kBlockBytes * kBlockBytes;
      const ssize_t got = benchfs_pread(file_, buffer(), static_cast<std::size_t>(end - begin),
                                        static_cast<off_t>(begin));
      if (got < 0) {
        return false;
      }
      // Less than was asked for: it has become shorter meanwhile.
      for (std::uint64_t at = begin + static_cast<std::uint64_t>(got); at > begin; --at) {
        const bool ends_line = buffer()[at - 1 - begin] == '\n';
        if (ends_line && at != size && --left == 0) {
          offset_ = at;
          return true;
        }
      }
      end = begin;
    }
    offset_ = count > 0 ? 0 : size;
    return true;
  }

  benchfs_mount* mount_;
  std::string path_;
  benchfs_file* file_ = nullptr;
  ino_t inode_ = 0;
  std::uint64_t offset_ = 0;
  std::unique_ptr<char[]> memory_;
};

class TailCommand {
 public:
  TailCommand(benchfs_mount* mount, const TailOptions& options) : options_(options) {
    for (const std::string& argument : options.paths) {
      tails_.push_back(std::make_unique<Tail>(mount, benchfs_path(argument)));
    }
  }

  int run() {
    for (const auto& tail : tails_) {
      show_first(*tail);
    }
    if (options_.follow) {
      follow();
    }
    // An interrupt is how following ends; it is a failure only of what was to end by itself.
    return was_interrupted() ? kExitInterrupted : fine_ ? kExitOk : kExitFailure;
  }

 private:
  void show_first(Tail& tail) {
    if (!tail.open()) {
      complain_failure("cannot open", tail.path());
      fine_ = false;
      tail.gone_before = true;
      return;
    }
    show_title(tail);
    if (!tail.find_begin(options_)) {
      complain_failure("error reading", tail.path());
      fine_ = false;
      tail.close();
    } else if (!tail.copy_out()) {
      fine_ = false;
      tail.close();
    }
  }

  void show_title(const Tail& tail) {
    if (shown_ == &tail) {
      return;
    }
    if (options_.verbose || (tails_.size() > 1 && !options_.quiet)) {
      say("{}==> {} <==\n", shown_ != nullptr ? "\n" : "", tail.path());
    }
    shown_ = &tail;
  }

  /// Whether anything is left that could grow.
  bool any_left() const {
    return may_come_back() || std::any_of(tails_.begin(), tails_.end(),
                                          [](const auto& tail) { return tail->is_open(); });
  }

  bool may_come_back() const noexcept { return options_.by_name && !gave_up_; }

  bool writer_lives() const {
    return options_.pid == 0 || ::kill(static_cast<pid_t>(options_.pid), 0) == 0 || errno != ESRCH;
  }

  void follow() {
    const int interval_ms = static_cast<int>(options_.interval_s * 1000);
    while (!was_interrupted() && any_left()) {
      std::fflush(stdout);
      if (std::ferror(stdout) != 0) {
        return;  // Nobody listens any more; finish_output() tells.
      }
      // Before the last look, so that what it wrote before it ended is not missed.
      const bool is_last = !writer_lives();
      for (const auto& tail : tails_) {
        if (tail->is_open() || may_come_back()) {
          look_at(*tail);
        }
      }
      if (is_last) {
        return;
      }
      std::fflush(stdout);
      ::poll(nullptr, 0, interval_ms);  // A signal ends it.
    }
    if (!any_left()) {
      complain("no files remaining");
      fine_ = false;
    }
  }

  void look_at(Tail& tail) {
    switch (tail.look(options_.by_name)) {
      case Tail::Change::kNone:
        return;
      case Tail::Change::kMore:
        break;
      case Tail::Change::kTruncated:
        complain("{}: file truncated", tail.path());
        return;
      case Tail::Change::kReplaced:
        complain("{} has {}; following new file", in_quotes(tail.path()),
                 tail.gone_before ? "appeared" : "been replaced");
        tail.gone_before = false;
        if (!tail.open()) {
          return;  // Gone again; the next look tells.
        }
        break;
      case Tail::Change::kGone:
        if (!std::exchange(tail.gone_before, true)) {
          complain("{} has become inaccessible: {}", in_quotes(tail.path()), errno_text(ENOENT));
        }
        tail.close();
        return;
      case Tail::Change::kFailed:
        complain_failure("error reading", tail.path());
        give_up(tail);
        return;
    }
    show_title(tail);
    if (!tail.copy_out()) {
      give_up(tail);
    }
  }

  /// A server has failed: nothing is waited for that it may have, as each look would take a
  /// time-out.
  void give_up(Tail& tail) {
    tail.close();
    fine_ = false;
    gave_up_ = true;
  }

  const TailOptions& options_;
  std::vector<std::unique_ptr<Tail>> tails_;
  const Tail* shown_ = nullptr;
  bool fine_ = true;
  bool gave_up_ = false;
};

}  // namespace

int show_tail(const std::string& session, const TailOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  catch_interrupts();
  return TailCommand(mount.get(), options).run();
}

}  // namespace benchfs::tools
