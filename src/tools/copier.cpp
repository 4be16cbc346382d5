#include "tools/copier.h"

#include <algorithm>
#include <cerrno>

#include "tools/console.h"
#include "tools/mount.h"

namespace benchfs::tools {
namespace {

/// Takes everything; for what is only to be looked at.
class Nowhere final : public WriteEnd {
 public:
  int status(struct stat& /*out*/) override { return -1; }
  bool begin_write(Piece& /*piece*/) override { return true; }
  bool finish_write(Piece& /*piece*/) override { return true; }
  std::unique_ptr<ReadEnd> read_back() override { return nullptr; }
  void discard() override {}
  bool commit(const struct stat& /*like*/) override { return true; }
};

/// What an unfinished copy of a file is known by: a source that has changed has another.
std::string resume_key(const Location& from, const struct stat& status) {
  return fmt::format("\n{}\n{} {} {}.{}", from.tree->shown(from.path), status.st_ino,
                     status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

/// How far a file of that length is surely complete: what was in flight at its end may have holes.
std::uint64_t complete_below(std::uint64_t length) {
  constexpr std::uint64_t kInFlight = Pipeline::kPieces * Pipeline::kPieceBytes;
  return length > kInFlight ? (length - kInFlight) / Pipeline::kPieceBytes * Pipeline::kPieceBytes
                            : 0;
}

bool is_older(const timespec& a, const timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

bool is_same_time(const timespec& a, const timespec& b) {
  return !is_older(a, b) && !is_older(b, a);
}

std::uint64_t size_of(const struct stat& status) {
  return S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
}

}  // namespace

/// One file under way.
struct Copier::File {
  const Pair& pair;
  Pipeline& pipeline;
  std::unique_ptr<ReadEnd> source{};
  std::unique_ptr<WriteEnd> target{};
  struct stat before {};  ///< Of the source, as it was opened.
  std::uint64_t length = 0;
  Digest digest{};  ///< Of what was read.
};

std::string Location::shown() const {
  return in_quotes(tree->shown(path));
}

Location Location::below(const std::string& name) const {
  return {.tree = tree, .path = joined_path(path, name)};
}

bool is_same_file(const Location& a, const struct stat& a_status, const Location& b,
                  const struct stat& b_status) {
  return a.tree == b.tree && a_status.st_ino == b_status.st_ino &&
         a_status.st_dev == b_status.st_dev;
}

Copier::Copier(const CopyOptions& options, Progress::Style style)
    : options_(options), progress_(style), workers_(options.jobs) {}

bool Copier::failed(const char* doing, const Location& what) {
  if (!was_interrupted()) {
    complain_failure(doing, what.tree->shown(what.path));
  }
  fine_ = false;
  return false;
}

bool Copier::is_first_for(const Location& from, const Location& to) {
  const bool several = options_.paths.size() > (options_.into.empty() ? 2U : 1U);
  if (!several || targets_.insert(to.path).second) {
    return true;
  }
  if (!options_.no_clobber) {
    complain("will not overwrite just-created {} with {}", to.shown(), from.shown());
    fine_ = false;
  }
  return false;
}

void Copier::copy(const Location& from, const Location& to, const struct stat& status) {
  if (S_ISDIR(status.st_mode)) {
    copy_tree(from, to, status);
    return;
  }
  if (!is_first_for(from, to)) {
    return;
  }
  progress_.expect(size_of(status));
  workers_.submit([this, pair = Pair{.from = from, .to = to, .status = status}] { run(pair); });
}

bool Copier::finish() {
  workers_.wait();
  // Last, since copying into them changed their times and may need more than their modes allow.
  for (auto made = directories_.rbegin(); made != directories_.rend(); ++made) {
    if ((options_.owners && !keep_owner(made->to, made->like)) ||
        made->to.tree->set_attributes(made->to.path, made->like) != 0) {
      failed("cannot preserve the mode and times of", made->to);
    }
  }
  const bool fine = fine_ && !was_interrupted();
  progress_.finish(fine);
  return fine;
}

void Copier::run(const Pair& pair) {
  if (was_interrupted()) {
    return;
  }
  std::unique_ptr<Pipeline> pipeline;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      pipeline = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (pipeline == nullptr) {
    pipeline = std::make_unique<Pipeline>();
  }
  progress_.begin(pair.from.tree->shown(pair.from.path));
  std::uint64_t moved = 0;
  if (!copy_file(pair, *pipeline, moved)) {
    fine_ = false;
  }
  progress_.end(size_of(pair.status) - std::min(moved, size_of(pair.status)));
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(pipeline));
}

Copier::Standing Copier::look_at_target(const Pair& pair, Pipeline& pipeline) {
  struct stat there {};
  if (pair.to.tree->status(pair.to.path, there) != 0) {
    // A link that leads nowhere stands in the way all the same.
    return options_.no_clobber && pair.to.tree->link_status(pair.to.path, there) == 0
               ? Standing::kLeftAlone
               : Standing::kToCopy;
  }
  if (options_.no_clobber) {
    return Standing::kLeftAlone;
  }
  if (S_ISDIR(there.st_mode)) {
    complain("cannot overwrite directory {} with non-directory", pair.to.shown());
    return Standing::kRefused;
  }
  if (is_same_file(pair.from, pair.status, pair.to, there)) {
    complain("{} and {} are the same file", pair.from.shown(), pair.to.shown());
    return Standing::kRefused;
  }
  if (options_.update && !is_older(there.st_mtim, pair.status.st_mtim)) {
    return Standing::kLeftAlone;
  }
  const bool was_copied = options_.resume && S_ISREG(there.st_mode) &&
                          S_ISREG(pair.status.st_mode) && there.st_size == pair.status.st_size &&
                          is_same_time(there.st_mtim, pair.status.st_mtim);
  return was_copied && (!options_.verify || is_same_content(pair, pipeline)) ? Standing::kLeftAlone
                                                                             : Standing::kToCopy;
}

bool Copier::is_same_content(const Pair& pair, Pipeline& pipeline) {
  const auto source = pair.from.tree->open(pair.from.path);
  const auto target = pair.to.tree->open(pair.to.path);
  if (source == nullptr || target == nullptr) {
    return false;  // Copying it finds out why.
  }
  Progress silent(Progress::Style::kNone);
  Nowhere nowhere;
  Digest of_source;
  Digest of_target;
  std::uint64_t seen = 0;
  const std::uint64_t size = size_of(pair.status);
  return pipeline.run(*source, nowhere, size, seen, silent, {.digest = &of_source}) ==
             Pipeline::Outcome::kDone &&
         pipeline.run(*target, nowhere, size, seen, silent, {.digest = &of_target}) ==
             Pipeline::Outcome::kDone &&
         of_source.value() == of_target.value();
}

bool Copier::copy_file(const Pair& pair, Pipeline& pipeline, std::uint64_t& moved) {
  const Standing standing = look_at_target(pair, pipeline);
  if (standing != Standing::kToCopy) {
    return standing == Standing::kLeftAlone;
  }
  File file{.pair = pair, .pipeline = pipeline};
  file.source = pair.from.tree->open(pair.from.path);
  if (file.source == nullptr || file.source->status(file.before) != 0) {
    return failed("cannot open", pair.from);
  }
  CreateOptions create{
      .layout = {.chunk_size = options_.chunk_size, .stripe_count = options_.stripe_count}};
  if (options_.resume && S_ISREG(file.before.st_mode)) {
    create.resume_key = resume_key(pair.from, file.before);
  }
  file.target = pair.to.tree->create(pair.to.path, create);
  if (file.target == nullptr) {
    return failed("cannot create", pair.to);
  }
  if (!move_bytes(file, moved) || !is_unchanged(file)) {
    return false;
  }
  if (options_.verify && !matches(file, file.length)) {
    file.target->discard();
    return false;
  }
  return commit(file);
}

bool Copier::move_bytes(File& file, std::uint64_t& moved) {
  const bool sized = S_ISREG(file.before.st_mode);
  const std::uint64_t size_max = sized ? size_of(file.before) : UINT64_MAX >> 1U;
  const std::uint64_t begin = complete_below(std::min(file.target->resumable(), size_max));
  if (options_.verify && !digest_of(file, *file.source, file.pair.from, begin, file.digest)) {
    return false;
  }
  const auto outcome =
      file.pipeline.run(*file.source, *file.target, size_max, moved, progress_,
                        {.begin = begin, .digest = options_.verify ? &file.digest : nullptr});
  file.length = begin + moved;
  switch (outcome) {
    case Pipeline::Outcome::kDone:
      return true;
    case Pipeline::Outcome::kReadFailed:
      return failed("error reading", file.pair.from);
    case Pipeline::Outcome::kWriteFailed:
      return failed("error writing", file.pair.to);
    case Pipeline::Outcome::kInterrupted:
      break;
  }
  return false;
}

/// The source must have stayed as it was, and the target must have come to be the same length.
bool Copier::is_unchanged(File& file) {
  struct stat after {};
  struct stat written {};
  if (file.source->status(after) != 0) {
    return failed("cannot stat", file.pair.from);
  }
  if (file.target->status(written) != 0) {
    return failed("cannot stat", file.pair.to);
  }
  const bool sized = S_ISREG(file.before.st_mode);
  const bool has_changed =
      after.st_size != file.before.st_size ||
      ((options_.verify || options_.resume) && !is_same_time(after.st_mtim, file.before.st_mtim));
  if (sized && (has_changed || file.length != size_of(file.before))) {
    complain("{} changed while it was copied: {} bytes at first, {} now, {} read",
             file.pair.from.shown(), file.before.st_size, after.st_size, file.length);
    file.target->discard();
    return false;
  }
  if (S_ISREG(written.st_mode) && static_cast<std::uint64_t>(written.st_size) != file.length) {
    complain("{} has {} bytes instead of {}", file.pair.to.shown(), written.st_size, file.length);
    file.target->discard();
    return false;
  }
  return true;
}

/// Puts what the first `size` bytes of `end` are into `digest`.
bool Copier::digest_of(File& file, ReadEnd& end, const Location& where, std::uint64_t size,
                       Digest& digest) {
  Progress silent(Progress::Style::kNone);
  Nowhere nowhere;
  std::uint64_t seen = 0;
  const auto outcome = file.pipeline.run(end, nowhere, size, seen, silent, {.digest = &digest});
  return outcome == Pipeline::Outcome::kDone || failed("error reading", where);
}

/// Whether what was written, read back, is what was read.
bool Copier::matches(File& file, std::uint64_t size) {
  const auto written = file.target->read_back();
  if (written == nullptr) {
    return failed("cannot verify", file.pair.to);
  }
  Digest digest;
  if (!digest_of(file, *written, file.pair.to, size, digest)) {
    return false;
  }
  if (digest.value() != file.digest.value()) {
    complain("{} differs from {} when it is read back; not kept", file.pair.to.shown(),
             file.pair.from.shown());
    return false;
  }
  return true;
}

bool Copier::commit(File& file) {
  const Location& to = file.pair.to;
  if (!file.target->commit(file.before)) {
    return failed("cannot finish", to);
  }
  if (options_.owners &&
      (!keep_owner(to, file.before) || to.tree->set_attributes(to.path, file.before) != 0)) {
    return failed("failed to preserve ownership for", to);
  }
  if (options_.verbose) {
    say("{} -> {}\n", file.pair.from.shown(), to.shown());
  }
  return true;
}

/// Who may not give files away does not, as with cp.
bool Copier::keep_owner(const Location& to, const struct stat& like) {
  return to.tree->set_owner(to.path, like) == 0 || errno == EPERM;
}

void Copier::copy_tree(const Location& from, const Location& to, const struct stat& status) {
  if (!options_.recursive) {
    complain("-r not given; omitting directory {}", from.shown());
    fine_ = false;
    return;
  }
  std::vector<std::string> names;
  if (!from.tree->list(from.path, names)) {
    failed("cannot read directory", from);
    return;
  }
  struct stat made {};
  const bool is_new = to.tree->make_directory(to.path) == 0;
  if (!is_new && errno != EEXIST) {
    failed("cannot create directory", to);
    return;
  }
  if (to.tree->status(to.path, made) != 0) {
    failed("cannot stat", to);
    return;
  }
  if (!S_ISDIR(made.st_mode)) {
    complain("cannot overwrite non-directory {} with directory {}", to.shown(), from.shown());
    fine_ = false;
    return;
  }
  if (is_new) {
    directories_.push_back({.to = to, .like = status});
  }
  for (const std::string& name : names) {
    if (was_interrupted()) {
      return;
    }
    copy_below(from.below(name), to.below(name));
  }
}

void Copier::copy_below(const Location& from, const Location& to) {
  struct stat status {};
  if (from.tree->link_status(from.path, status) != 0) {
    failed("cannot stat", from);
    return;
  }
  if (S_ISLNK(status.st_mode)) {
    copy_link(from, to, status);
    return;
  }
  if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode)) {
    complain("{} is neither a file, a directory nor a symbolic link; not copied", from.shown());
    fine_ = false;
    return;
  }
  struct stat there {};
  // What was named on the command line may be a link, since whoever named it knows. A link that
  // merely stands in the way would lead out of the tree that was named.
  if (to.tree->link_status(to.path, there) == 0 && S_ISLNK(there.st_mode)) {
    complain("not copied: {} is a symbolic link", to.shown());
    fine_ = false;
    return;
  }
  copy(from, to, status);
}

/// As a link, wherever it leads.
void Copier::copy_link(const Location& from, const Location& to, const struct stat& status) {
  std::string target;
  if (!from.tree->read_link(from.path, target)) {
    failed("cannot read symbolic link", from);
    return;
  }
  struct stat there {};
  if (!is_first_for(from, to) ||
      (options_.no_clobber && to.tree->link_status(to.path, there) == 0)) {
    return;
  }
  if (!to.tree->make_link(to.path, target, status) ||
      (options_.owners && !keep_owner(to, status))) {
    failed("cannot create symbolic link", to);
  } else if (options_.verbose) {
    say("{} -> {}\n", from.shown(), to.shown());
  }
}

}  // namespace benchfs::tools
