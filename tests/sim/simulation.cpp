#include "sim/simulation.h"

#include <algorithm>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "sim/locked_files.h"
#include "sim/logs.h"
#include "sim/nemesis.h"
#include "sim/races.h"
#include "sim/shared_files.h"
#include "sim/trees.h"
#include "sim/user.h"

namespace benchfs::sim {
namespace {

/// How long things may need to be as they were before, once nothing is wrong any more: connections
/// that nobody knows to be lost, requests to servers that are no more, debts asked for in pauses.
constexpr std::uint64_t kRecoverNs = 60 * kNsPerSec;

/// The time for what has no faults around it.
constexpr std::uint64_t kCalmNsMax = 600 * kNsPerSec;

/// More folders in each other than any workload makes.
constexpr int kDepthMax = 30;

/// One client's process and the programs in it.
struct Node {
  std::unique_ptr<ClientRun> run;
  std::unique_ptr<User> user;
};

class Simulation {
 public:
  Simulation(World& world, const Plan& plan, const Hooks& hooks)
      : world_(world),
        plan_(plan),
        cluster_(world, plan, hooks),
        files_(plan),
        chance_(world.seed(), "simulation"),
        nemesis_(cluster_, Nemesis::Victims{
                               .client_count = [this] { return nodes_.size(); },
                               .client = [this](std::size_t index) -> ClientRun& {
                                 return *nodes_[index].run;
                               },
                               .kill_client = [this](std::size_t index) { kill_client(index); },
                               .power_was_cut = [this](ServerId server) { power_cut(server); },
                           }) {
    for (std::uint64_t i = 0; i < plan.client_count; ++i) {
      trees_.push_back(std::make_unique<Tree>(fmt::format("/tree{}", i)));
    }
  }

  ~Simulation() {
    for (Node& node : nodes_) {
      end(node);
    }
  }

  void run() {
    if (cluster_.begin() && alone(&Simulation::set_up) && work() && mend() &&
        alone(&Simulation::verify) && plan_.judge_rest && alone(&Simulation::clean_up)) {
      rest();
    }
  }

 private:
  Node make_node() {
    Node node;
    node.run = cluster_.make_client();
    node.user = std::make_unique<User>(cluster_, *node.run, errors_until_ns_);
    return node;
  }

  /// Ends a client, and checks that it can end.
  void end(Node& node) {
    if (node.run == nullptr) {
      return;
    }
    if (!node.run->dead() && !node.run->kill(true)) {
      world_.violate(fmt::format("client {}: what it had begun does not end when it dies",
                                 node.run->number()));
      static_cast<void>(node.run.release());
      static_cast<void>(node.user.release());
      return;
    }
    node.user.reset();
    node.run.reset();
  }

  /// A client alone, without faults.
  bool alone(coro::Task<void> (Simulation::*what)(User& user)) {
    Node node = make_node();
    node.run->spawn((this->*what)(*node.user));
    if (!cluster_.run_until([&node] { return node.run->running() == 0; }, kCalmNsMax)) {
      if (!world_.failed()) {
        world_.violate("a client hangs although nothing is wrong");
      }
    }
    end(node);
    return !world_.failed();
  }

  coro::Task<void> set_up(User& user) {
    if (plan_.do_logs) {
      auto logs = logs_.set_up(user);
      co_await logs;
    }
    if (plan_.do_races) {
      auto races = races_.set_up(user);
      co_await races;
    }
    if (plan_.do_locks) {
      auto locks = locked_.set_up(user);
      co_await locks;
    }
    if (plan_.do_names) {
      for (const auto& tree : trees_) {
        auto making = tree->set_up(user);
        co_await making;
      }
    }
    // Last: its fsyncs make durable what is on the servers by now.
    auto files = files_.set_up(user);
    co_await files;
  }

  coro::Task<void> verify(User& user) {
    auto files = files_.verify(user);
    co_await files;
    if (plan_.do_logs) {
      auto logs = logs_.verify(user);
      co_await logs;
    }
    if (plan_.do_races) {
      auto races = races_.verify(user);
      co_await races;
    }
    if (plan_.do_locks) {
      auto locks = locked_.verify(user);
      co_await locks;
    }
    if (plan_.do_names) {
      for (const auto& tree : trees_) {
        auto checking = tree->verify(user);
        co_await checking;
      }
    }
  }

  coro::Task<void> clean_up(User& user) {
    auto removing = remove_in(user, "", 0);
    co_await removing;
  }

  /// Removes whatever is in the folder.
  coro::Task<void> remove_in(User& user, std::string folder, int depth) {
    auto listing = user.list(folder.empty() ? "/" : folder);
    const auto entries = co_await listing;
    if (!entries.has_value() || depth > kDepthMax) {
      user.world().violate(fmt::format("{} cannot be listed", folder));
      co_return;
    }
    for (const wire::DirectoryEntry& entry : *entries) {
      const std::string path = folder + "/" + entry.name;
      const bool is_folder = entry.entry.attributes.type == wire::FileType::kDirectory;
      if (is_folder) {
        auto going_down = remove_in(user, path, depth + 1);
        co_await going_down;
      }
      auto removing = is_folder ? user.rmdir(path) : user.unlink(path);
      const Status removed = co_await removing;
      if (!removed.has_value()) {
        user.world().violate(
            fmt::format("{} cannot be removed: {}", path, to_string(removed.error())));
      }
    }
  }

  void power_cut(ServerId server) {
    files_.power_cut(server);
    logs_.power_cut(world_.now_ns());
    races_.power_cut();
    for (const auto& tree : trees_) {
      tree->power_cut();
    }
  }

  void start_workers(std::size_t index) {
    Node& node = nodes_[index];
    const auto chance = [this, &node](const char* name, std::uint64_t number) {
      return Chance(world_.seed(), name, node.run->number() * 100 + number);
    };
    for (std::uint64_t i = 0; plan_.do_files && i < plan_.workers_per_client; ++i) {
      node.run->spawn(files_.work(*node.user, chance("worker", i), work_until_ns_));
    }
    if (plan_.do_logs) {
      node.run->spawn(logs_.work(*node.user, chance("logs", 0), work_until_ns_));
    }
    if (plan_.do_races) {
      node.run->spawn(races_.work(*node.user, chance("races", 0), work_until_ns_));
    }
    if (plan_.do_locks) {
      node.run->spawn(locked_.work(*node.user, chance("locks", 0), work_until_ns_));
      node.run->spawn(locked_.work(*node.user, chance("locks", 1), work_until_ns_));
    }
    if (plan_.do_names) {
      node.run->spawn(trees_[index]->work(*node.user, chance("tree", 0), work_until_ns_));
    }
  }

  void kill_client(std::size_t index) {
    world_.say(fmt::format("client {} is killed", nodes_[index].run->number()));
    end(nodes_[index]);
    if (world_.failed()) {
      return;
    }
    nodes_[index] = make_node();
    start_workers(index);
  }

  bool work() {
    work_until_ns_ = world_.now_ns() + plan_.work_ns;
    errors_until_ns_ = kNever;
    for (std::uint64_t i = 0; i < plan_.client_count; ++i) {
      nodes_.push_back(make_node());
      start_workers(i);
    }
    nemesis_.begin();
    const auto idle = [this] {
      return std::all_of(nodes_.begin(), nodes_.end(),
                         [](const Node& node) { return node.run->running() == 0; });
    };
    if (!cluster_.run_until(idle, plan_.work_ns) && world_.failed()) {
      return false;
    }
    nemesis_.end();
    // Calls that were under way may still meet what was broken, and give up at their time-out.
    if (!cluster_.run_until(idle, kCalmNsMax)) {
      if (!world_.failed()) {
        world_.violate("clients hang although nothing is wrong any more");
      }
      return false;
    }
    return true;
  }

  bool mend() {
    const bool up = cluster_.run_until([this] { return cluster_.all_up(); }, kCalmNsMax);
    if (!up && !world_.failed()) {
      world_.violate("servers do not come up although nothing is wrong any more");
    }
    for (Node& node : nodes_) {
      end(node);
    }
    nodes_.clear();
    const std::uint64_t until_ns = world_.now_ns() + std::max(kRecoverNs, kLateNs);
    cluster_.run_until([this, until_ns] { return world_.now_ns() >= until_ns; }, kNever / 2);
    errors_until_ns_ = 0;
    return !world_.failed();
  }

  /// What is left of a server at which nothing is under way and nothing is stored.
  std::string left_at(ServerId server) {
    const ServerRun& run = *cluster_.machine(server).run();
    const server::NamespaceService& names = run.server().name_service();
    std::string left;
    const auto expect = [&left](const char* what, std::uint64_t is, std::uint64_t wanted) {
      if (is != wanted) {
        left += fmt::format(" {} {}", is, what);
      }
    };
    expect("bytes of the pool", run.pool().used_bytes(), 0);
    expect("buffers waited for", run.pool().waiter_count(), 0);
    expect("requests", run.server().request_count(), 0);
    expect("background tasks", names.background_count(), 0);
    expect("locks", names.lock_count(), 0);
    expect("open files", names.open_count(), 0);
    expect("locks of ranges", names.range_lock_count(), 0);
    expect("debts", names.owed_count(), 0);
    expect("prepared renames", names.prepared_count(), 0);
    expect("inodes", names.inode_count(), to_integer(server) == 0 ? 1 : 0);
    expect("files in the store", run.store().usage().file_count, 0);
    expect("extents", run.store().usage().extent_count, 0);
    const store::Usage usage = run.store().usage();
    expect("bytes used", usage.used_bytes - usage.reserved_bytes, 0);
    expect("clients", run.server().client_count(), 0);
    return left;
  }

  void rest() {
    const auto nothing_left = [this] {
      for (std::uint16_t i = 0; i < plan_.server_count; ++i) {
        if (!left_at(ServerId{i}).empty()) {
          return false;
        }
      }
      return true;
    };
    // Looked at now and then: what is not to be told at once is told after seconds.
    for (int i = 0; i < 240 && !nothing_left() && !world_.failed(); ++i) {
      const std::uint64_t until_ns = world_.now_ns() + 500 * kNsPerMs;
      cluster_.run_until([this, until_ns] { return world_.now_ns() >= until_ns; }, kNever / 2);
      if (world_.now_ns() < until_ns) {
        break;  // Nothing will happen any more.
      }
    }
    for (std::uint16_t i = 0; i < plan_.server_count && !world_.failed(); ++i) {
      const std::string left = left_at(ServerId{i});
      if (!left.empty()) {
        world_.violate(fmt::format("server {} keeps, at rest:{}", i, left));
      }
    }
  }

  World& world_;
  const Plan plan_;
  Cluster cluster_;
  SharedFiles files_;
  Logs logs_;
  Races races_;
  LockedFiles locked_;
  std::vector<std::unique_ptr<Tree>> trees_;
  Chance chance_;
  std::vector<Node> nodes_;
  Nemesis nemesis_;
  std::uint64_t work_until_ns_ = 0;
  std::uint64_t errors_until_ns_ = 0;
};

}  // namespace

Report simulate(const Plan& plan, const Hooks& hooks, Trace trace) {
  World world(plan.seed);
  if (trace == Trace::kPrinted) {
    world.print_trace();
  }
  Report report;
  {
    Simulation simulation(world, plan, hooks);
    simulation.run();
    report.virtual_ns = world.now_ns();
  }
  report.violation = world.violation();
  report.trace_hash = world.trace_hash();
  report.events = world.event_count();
  report.counts = world.counts();
  return report;
}

}  // namespace benchfs::sim
