// benchfsd: one server of a session. Servers that start together are MPI ranks: they read the
// configuration, leave a guard to mpirun, meet, look what is in their stores, begin, publish the
// session, serve. A server that has died is started again alone, without MPI (--rejoin).

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "server/config.h"
#include "server/guard.h"
#include "server/process.h"
#include "server/rendezvous.h"
#include "server/start_plan.h"
#include "session/session_file.h"
#include "store/store_directory.h"
#include "wire/codec.h"

namespace benchfs::server {
namespace {

constexpr std::size_t kFoundStoreBytesMax = 16 * kKiB;

/// What a user's limits, which batch systems hand on from the login node, would do to a server.
void settle_limits() {
  // Over tcp each client takes a descriptor, and UCX listens no more once it has found none left.
  // Shells give 1024 of them at first, for the sake of select(2), and allow more.
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0 &&
      descriptors.rlim_cur < descriptors.rlim_max) {
    descriptors.rlim_cur = descriptors.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &descriptors);
  }
  // A file too large for `ulimit -f` is told as an error then, not by the end of the process.
  ::signal(SIGXFSZ, SIG_IGN);
}

/// As if this process had been killed and started again: what was acknowledged is in the journal,
/// and clients look for a server that has gone.
[[noreturn]] void begin_again(const Config& config, ServerId self, char** argv) {
  if (config.backend == io::DiskBackend::kMemory) {
    log_error("a store in memory ends with its process, so the server cannot start again");
    ::_exit(1);
  }
  log_warning("starting again on the store, as another process");
  std::vector<std::string> words;
  for (char** word = argv; *word != nullptr; ++word) {
    if (std::string(*word) == "--rejoin" && word[1] != nullptr) {
      ++word;
    } else if (std::string(*word) != "--discard") {
      words.emplace_back(*word);
    }
  }
  words.emplace_back("--rejoin");
  words.push_back(std::to_string(to_integer(self)));
  std::vector<char*> next;
  for (std::string& word : words) {
    next.push_back(word.data());
  }
  next.push_back(nullptr);
  // Under another pid: who watches this one sees that it is gone. Not by fork(), which copies all
  // that is registered with the drive, at once.
  pid_t child = 0;
  const int result =
      ::posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, next.data(), environ);
  if (result != 0) {
    log_error("cannot start again: {}", std::strerror(result));
    ::_exit(1);
  }
  ::_exit(0);
}

/// The directory of the stores, where it is to be made and goes again once nothing is in it.
class StoreParent {
 public:
  explicit StoreParent(const Config& config) : config_(config) {
    if (config_.make_store && ::mkdir(config_.store_directory.c_str(), 0700) != 0 &&
        errno != EEXIST) {
      log_error("store directory {}: cannot be made: {}", config_.store_directory,
                std::strerror(errno));
    }
  }
  ~StoreParent() {
    if (config_.make_store) {
      ::rmdir(config_.store_directory.c_str());
    }
  }
  StoreParent(const StoreParent&) = delete;
  StoreParent& operator=(const StoreParent&) = delete;

 private:
  const Config& config_;
};

/// Serves, and takes the session's file away with the session: told to end it, or the last server
/// of this node to be stopped.
void serve_and_withdraw(Process& process, const Config& config, ServerId self,
                        std::uint64_t session_id, char** argv) {
  const std::string& session_directory = config.session_directory;
  session::Presence presence(session_directory);
  if (!process.serve()) {
    begin_again(config, self, argv);
  }
  const bool is_last = presence.leave();
  if (process.session_is_over() || is_last) {
    session::withdraw_session(session_directory, session_id);
    if (config.temporary) {
      ::rmdir(session_directory.c_str());  // Not empty where the launcher is.
    }
  }
  process.end();
}

/// The start of all servers of a session, step by step; each step fails for all together.
class Start {
 public:
  Start(const Config& config, Rendezvous& meeting)
      : config_(config),
        meeting_(meeting),
        process_(config, {.self = ServerId{static_cast<std::uint16_t>(meeting.rank())},
                          .server_count = static_cast<std::uint16_t>(meeting.size()),
                          .sharers = static_cast<unsigned>(meeting.node_size())}) {}

  bool run() {
    return look_at_stores() && session_is_free() && agree_on_session() && take_store() &&
           introduce() && begin() && publish();
  }

  void serve(char** argv) {
    const ServerId self{static_cast<std::uint16_t>(meeting_.rank())};
    serve_and_withdraw(process_, config_, self, session_.session_id, argv);
  }

 private:
  /// What is there decides whether a new session begins or an old one goes on.
  bool look_at_stores() {
    FoundStore mine;
    const bool looked = look_at_my_store(mine);
    if (!meeting_.all(looked)) {
      return false;
    }
    std::vector<std::byte> bytes(kFoundStoreBytesMax);
    wire::Encoder encoder{Bytes(bytes)};
    encoder& mine;
    BENCHFS_ASSERT(encoder.ok());  // Paths and host names are shorter.
    bytes.resize(encoder.size());
    std::vector<FoundStore> found;
    for (const std::vector<std::byte>& other : meeting_.gather(bytes)) {
      wire::Decoder decoder{ConstBytes(other)};
      decoder& found.emplace_back();
      BENCHFS_ASSERT(decoder.finished());
    }
    plan_ = plan_start(found);
    if (plan_.kind == StartPlan::Kind::kRefuse && meeting_.rank() == 0) {
      log_error("{}", plan_.text);
    }
    return plan_.kind != StartPlan::Kind::kRefuse;
  }

  bool look_at_my_store(FoundStore& mine) const {
    const ServerId self{static_cast<std::uint16_t>(meeting_.rank())};
    mine.directory = Process::store_directory(config_, self);
    mine.host = host_name();
    if (config_.discard || config_.backend == io::DiskBackend::kMemory) {
      return true;  // Whatever is there goes, or does not matter.
    }
    const auto owner = store::StoreDirectory::find(mine.directory);
    if (!owner.has_value()) {
      return false;  // It has said why.
    }
    if (owner->has_value()) {
      mine.is_there = true;
      mine.session_id = (*owner)->session_id;
      mine.server = to_integer((*owner)->server);
      mine.server_count = (*owner)->server_count;
    }
    return true;
  }

  bool goes_on() const noexcept { return plan_.kind == StartPlan::Kind::kGoOn; }

  /// A session file that is there may only be the one that goes on: its servers are dead, since
  /// nobody holds their stores.
  bool session_is_free() {
    bool fine = true;
    if (meeting_.node_rank() == 0) {
      const auto prepared = session::prepare_directory(config_.session_directory);
      if (!prepared.has_value() && prepared.error().error.code == Errc::kExists) {
        auto there = session::read_session(config_.session_directory);
        fine = goes_on() && there.has_value() && there->session_id == plan_.session_id;
        if (fine) {
          before_ = std::move(*there);
        }
      } else {
        fine = prepared.has_value();
      }
      if (!fine) {
        log_error("{}", prepared.error().text);
      }
    }
    return meeting_.all(fine);
  }

  /// Rank 0 invents who we are together, or remembers.
  bool agree_on_session() {
    if (meeting_.rank() == 0) {
      session_.session_id = goes_on() ? plan_.session_id : process_.random().next_u64();
      session_.secret = before_.secret;
      if (before_.session_id == 0) {
        process_.random().fill(session_.secret);
      }
      session_.epoch = before_.epoch;
    }
    meeting_.share(std::as_writable_bytes(std::span(&session_.session_id, 1)));
    meeting_.share(session_.secret);
    meeting_.share(std::as_writable_bytes(std::span(&session_.epoch, 1)));
    session_.uid = ::geteuid();
    return true;
  }

  /// What --discard gives up.
  bool give_up_store() const {
    const ServerId self{static_cast<std::uint16_t>(meeting_.rank())};
    const std::string directory = Process::store_directory(config_, self);
    return !config_.discard || config_.backend == io::DiskBackend::kMemory ||
           ::access(directory.c_str(), F_OK) != 0 ||
           store::StoreDirectory::discard(directory).has_value();
  }

  bool take_store() {
    // All give up what is theirs before any of them asks what is free, and all ask before any of
    // them takes its part.
    if (!meeting_.all(goes_on() || give_up_store()) ||
        !meeting_.all(goes_on() || process_.decide_capacity())) {
      return false;
    }
    const std::uint64_t id = session_.session_id;
    const bool fine = process_.open_pool() &&
                      (goes_on() ? process_.open_store(id) : process_.make_store(id)) &&
                      process_.open_transport(id, session_.secret);
    return meeting_.all(fine);
  }

  bool introduce() {
    session::Session mine;
    mine.servers.push_back(process_.introduction());
    // Every start of all raises the incarnation of each, so the highest of them rises too.
    std::uint64_t epoch = session_.epoch + 1;
    for (const std::vector<std::byte>& bytes : meeting_.gather(session::encode(mine))) {
      auto other = session::decode(bytes);
      BENCHFS_ASSERT(other.has_value());
      session_.servers.push_back(std::move(other->servers.front()));
      epoch = std::max(epoch, session_.servers.back().incarnation);
    }
    session_.epoch = epoch;
    session_.created_ns = process_.clock().wall_ns();
    meeting_.share(std::as_writable_bytes(std::span(&session_.created_ns, 1)));
    return true;
  }

  bool begin() { return meeting_.all(process_.begin(session_)); }

  /// Once everybody can be reached: from here on clients may come.
  bool publish() {
    bool fine = true;
    if (meeting_.node_rank() == 0) {
      const auto published = session::publish_session(config_.session_directory, session_);
      if (!published.has_value()) {
        log_error("{}", published.error().text);
        fine = false;
      }
    }
    const bool all_fine = meeting_.all(fine);
    if (!all_fine) {
      session::withdraw_session(config_.session_directory, session_.session_id);
    } else if (goes_on() && meeting_.rank() == 0) {
      log_info("session {:016x} goes on with its stores; epoch {}", session_.session_id,
               session_.epoch);
    }
    return all_fine;
  }

  const Config& config_;
  Rendezvous& meeting_;
  Process process_;
  StartPlan plan_;
  session::Session before_;  ///< On rank 0 of each node: the published one that goes on.
  session::Session session_;
};

int start_together(const Config& config, Guard& guard, int argc, char** argv) {
  Rendezvous meeting(&argc, &argv);
  configure_log(config.log_level, fmt::format("benchfsd[{}]", meeting.rank()));
  if (meeting.size() > kServerCountMax) {
    log_error("{} servers are more than {}, the most that a session can have", meeting.size(),
              kServerCountMax);
    return 1;
  }
  const StoreParent parent(config);
  Start start(config, meeting);
  if (!start.run()) {
    return 1;
  }
  meeting.finish();
  guard.server_is_ready(ServerId{static_cast<std::uint16_t>(meeting.rank())});
  start.serve(argv);
  return 0;
}

/// One server of a session whose others live on.
int rejoin(const Config& config, ServerId self, char** argv) {
  configure_log(config.log_level, fmt::format("benchfsd[{}]", to_integer(self)));
  auto session = session::read_session(config.session_directory);
  if (!session.has_value()) {
    log_error("{}", session.error().text);
    return 1;
  }
  if (to_integer(self) >= session->servers.size()) {
    log_error("--rejoin {}: the session has {} servers, the last one is {}", to_integer(self),
              session->servers.size(), session->servers.size() - 1);
    return 1;
  }
  const StoreParent parent(config);
  Process process(
      config, {.self = self, .server_count = static_cast<std::uint16_t>(session->servers.size())});
  if (!process.open_pool() || !process.open_store(session->session_id) ||
      !process.open_transport(session->session_id, session->secret)) {
    return 1;
  }
  session->servers[to_integer(self)] = process.introduction();
  if (!process.begin(*session)) {
    return 1;
  }
  const auto published = session::amend_session(config.session_directory, process.session());
  if (!published.has_value()) {
    log_error("{}", published.error().text);
    return 1;
  }
  process.announce();
  serve_and_withdraw(process, config, self, session->session_id, argv);
  return 0;
}

}  // namespace
}  // namespace benchfs::server

int main(int argc, char** argv) {
  using benchfs::ServerId;
  benchfs::server::settle_limits();
  const auto outcome =
      benchfs::server::read_config(std::vector<std::string>(argv + 1, argv + argc));
  if (!outcome.go_on) {
    std::fputs(outcome.text.c_str(), outcome.exit_code == 0 ? stdout : stderr);
    return outcome.exit_code;
  }
  benchfs::configure_log(outcome.config.log_level, "benchfsd");
  if (outcome.config.rejoin.has_value()) {
    return benchfs::server::rejoin(outcome.config, ServerId{*outcome.config.rejoin}, argv);
  }
  auto guard = benchfs::server::Guard::enter(argc, argv, outcome.config);
  return benchfs::server::start_together(outcome.config, guard, argc, argv);
}
