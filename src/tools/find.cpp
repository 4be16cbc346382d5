// find.

#include <ctime>

#include <unistd.h>

#include "tools/commands.h"
#include "tools/console.h"
#include "tools/find_expression.h"
#include "tools/listing.h"
#include "tools/mount.h"
#include "tools/walk.h"

namespace benchfs::tools {
namespace {

class Finder final : public Visitor {
 public:
  Finder(const FindExpression& expression, FindState& state)
      : expression_(expression), state_(state) {}

  /// The next walk begins at `path`, which the user has written as `start`.
  void begin(std::string path, std::string start) {
    path_ = std::move(path);
    start_ = std::move(start);
  }
  /// With a list, what matches goes there instead of to standard output.
  void collect_into(std::vector<Entry>& matches) { matches_ = &matches; }

  bool enter(Visited& at) override {
    state_.pruned = false;
    if (!expression_.contents_first) {
      look_at(at);
    }
    return !state_.pruned && !finished();
  }

  void leave(Visited& at) override {
    if (expression_.contents_first) {
      look_at(at);
    }
  }

  bool finished() const override { return state_.finished; }

 private:
  void look_at(Visited& at) {
    if (at.depth < expression_.depth_min) {
      return;
    }
    Candidate it{.at = at,
                 .shown = start_ + at.path.substr(std::min(path_.size(), at.path.size())),
                 .start_length = start_.size()};
    if (!expression_.test(it)) {
      return;
    }
    if (matches_ != nullptr) {
      matches_->push_back({.name = it.shown, .attributes = at.entry.attributes});
    } else if (!expression_.has_action) {
      say("{}\n", shown_name(it.shown, state_.for_terminal));
    }
  }

  const FindExpression& expression_;
  FindState& state_;
  std::string path_;
  std::string start_;
  std::vector<Entry>* matches_ = nullptr;
};

}  // namespace

int find(const std::string& session, const FindOptions& options) {
  std::vector<std::string> starts;
  std::vector<std::string> words = options.words;
  const auto first = std::find_if(words.begin(), words.end(), begins_find_expression);
  starts.assign(words.begin(), first);
  words.erase(words.begin(), first);
  if (starts.empty()) {
    starts.emplace_back("/");
  }
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  FindState state{.mount = mount.get(), .for_terminal = ::isatty(STDOUT_FILENO) != 0};
  ::clock_gettime(CLOCK_REALTIME, &state.now);
  std::string error;
  const auto expression = parse_find_expression(words, state, error);
  if (!expression.has_value()) {
    complain("find: {}\nTry 'benchfs find --help'.", error);
    return kExitUsage;
  }
  catch_interrupts();
  Finder finder(*expression, state);
  std::vector<Entry> matches;
  if (options.format == Format::kJson) {
    finder.collect_into(matches);
  }
  bool fine = true;
  for (const std::string& start : starts) {
    if (state.finished || was_interrupted()) {
      break;
    }
    const std::string path = benchfs_path(start);
    finder.begin(path, start);
    Walk walk(mount.get(), finder, expression->depth_max, options.jobs);
    fine = walk.run(path, last_name(path)) && walk.fine() && fine;
  }
  if (options.format == Format::kJson) {
    say("{}", status_json(matches));
  }
  if (was_interrupted()) {
    return kExitInterrupted;
  }
  return fine && state.fine ? kExitOk : kExitFailure;
}

}  // namespace benchfs::tools
