#include "sim/sim_server.h"

#include <utility>

#include <fmt/format.h>

#include "server/journal_ledger.h"

namespace benchfs::sim {
namespace {

constexpr std::uint64_t kStoreId = 0xBE7C;
/// Processes of machines have numbers of their own: this many for each.
constexpr std::uint64_t kProcessesPerMachine = 10'000;

std::unique_ptr<io::BufferPool> make_pool(loop::EventLoop& loop, std::uint64_t size_bytes) {
  auto pool = io::BufferPool::create(loop, size_bytes);
  BENCHFS_ASSERT(pool.has_value());
  return std::move(*pool);
}

journal::BootId next_boot(journal::BootId boot) {
  // A power failure more often than 255 times is not what a seed has.
  boot.bytes[0] = static_cast<std::byte>(std::to_integer<unsigned>(boot.bytes[0]) + 1);
  return boot;
}

}  // namespace

ServerRun::ServerRun(const Setting& setting)
    : setting_(setting),
      process_(
          setting.world, setting.clock, setting.process_number,
          fmt::format("server {} (process {})", to_integer(setting.self), setting.process_number)),
      disk_(process_, setting.drive),
      transport_(setting.network, process_, to_integer(setting.self),
                 {.role = net::PeerIdentity::Role::kServer, .id = to_integer(setting.self)}),
      pool_(make_pool(process_.loop(), setting.options.pool_bytes)),
      journal_(process_.loop(), disk_,
               {.store_id = kStoreId + to_integer(setting.self),
                .ring_blocks = setting.options.ring_blocks,
                .boot = setting.boot}),
      ledger_(setting.make_ledger ? setting.make_ledger(journal_)
                                  : std::make_unique<server::JournalLedger>(journal_)),
      store_(process_.loop(), disk_, *pool_, journal_) {}

ServerRun::~ServerRun() = default;

void ServerRun::fail_with(Error error) {
  status_ = fail(error);
  phase_ = Phase::kFailed;
}

void ServerRun::open() {
  scope_.spawn(open_steps());
  process_.poke();
}

coro::Task<void> ServerRun::open_steps() {
  if (!setting_.is_new) {
    auto asking = journal_.next_incarnation();
    const auto incarnation = co_await asking;
    if (!incarnation.has_value()) {
      fail_with(incarnation.error());
      co_return;
    }
    incarnation_ = *incarnation;
  }
  phase_ = Phase::kOpened;
}

void ServerRun::begin(session::Session session, bool announces) {
  BENCHFS_ASSERT(phase_ == Phase::kOpened);
  phase_ = Phase::kBeginning;
  server_ = std::make_unique<server::Server>(
      server::Server::Platform{.loop = process_.loop(),
                               .transport = transport_,
                               .pool = *pool_,
                               .store = store_,
                               .ledger = ledger_.get()},
      server::Membership{
          .self = setting_.self, .session = std::move(session), .session_directory = ""},
      server::ServerFacts{.host = fmt::format("n{}", to_integer(setting_.self)),
                          .disk_backend = "simulated",
                          .store_directory = "/",
                          .direct_io = true},
      server::RootOwner{});
  journal_.add_participant(journal::RecordKind::kNamespaceFirst,
                           journal::RecordKind::kNamespaceLast, server_->names());
  scope_.spawn(begin_steps(announces));
  process_.poke();
}

coro::Task<Status> ServerRun::start_journal() {
  if (setting_.is_new) {
    auto creating = journal_.create();
    co_return co_await creating;
  }
  auto recovering = journal_.recover();
  BENCHFS_CO_TRY(const journal::Recovered found, recovering);
  World& world = process_.world();
  world.count("recover.runs");
  world.count("recover.dropped_records", found.dropped_records);
  world.count("recover.log_records", found.log_records);
  world.count("recover.with_snapshot", found.snapshot ? 1 : 0);
  if (found.incarnation != incarnation_) {
    world.violate(fmt::format("{}: incarnation {} instead of {}", process_.name(),
                              found.incarnation, incarnation_));
  }
  co_return Status();
}

coro::Task<void> ServerRun::begin_steps(bool announces) {
  auto starting_journal = start_journal();
  const Status recovered = co_await starting_journal;
  if (!recovered.has_value()) {
    fail_with(recovered.error());
    co_return;
  }
  auto starting = server_->start();
  const Status started = co_await starting;
  if (!started.has_value()) {
    fail_with(started.error());
    co_return;
  }
  phase_ = Phase::kServing;
  if (announces) {
    server_->announce();
  }
}

void ServerRun::checkpoint() {
  scope_.spawn(make_checkpoint());
  process_.poke();
}

coro::Task<void> ServerRun::make_checkpoint() {
  auto making = journal_.checkpoint();
  const Status ignored = co_await making;  // A full store has no room for one.
  static_cast<void>(ignored);
}

coro::Task<void> ServerRun::stop() {
  co_await scope_.join();
  if (server_ != nullptr) {
    auto stopping = server_->stop();
    co_await stopping;
  }
  auto stopping_store = store_.stop();
  co_await stopping_store;
  auto stopping_journal = journal_.stop();
  const Status ignored = co_await stopping_journal;
  static_cast<void>(ignored);  // Its drive is gone.
}

bool ServerRun::kill(bool machine_lives) {
  process_.kill();
  disk_.cut_off();
  transport_.cut_off(machine_lives);
  auto stopping = stop();
  stopping.start();
  if (!process_.drain([&stopping] { return stopping.done(); })) {
    return false;
  }
  return pool_->used_bytes() == 0;
}

// ---- The machine
// ---------------------------------------------------------------------------------

ServerMachine::ServerMachine(World& world, SimNetwork& network, ServerId self,
                             ServerOptions options)
    : world_(world),
      network_(network),
      self_(self),
      options_(options),
      chance_(world.seed(), "machine", to_integer(self)),
      clock_(world, chance_),
      boot_(next_boot({})),
      drive_(world, to_integer(self),
             {.size_bytes = options.drive_bytes,
              .first_data_block = journal::kAnchorBlocks + options.ring_blocks}) {}

void ServerMachine::start(const LedgerFactory& make_ledger) {
  BENCHFS_ASSERT(run_ == nullptr);
  ++starts_;
  run_ = std::make_unique<ServerRun>(
      ServerRun::Setting{.world = world_,
                         .network = network_,
                         .clock = clock_,
                         .drive = drive_,
                         .options = options_,
                         .self = self_,
                         .process_number = (1 + to_integer(self_)) * kProcessesPerMachine + starts_,
                         .is_new = starts_ == 1,
                         .boot = boot_,
                         .make_ledger = make_ledger});
  run_->open();
}

void ServerMachine::crash(bool power) {
  BENCHFS_ASSERT(run_ != nullptr);
  if (!run_->kill(!power)) {
    world_.violate(
        fmt::format("{}: what it had begun does not end when it dies", run_->process().name()));
    // What is left owns operations in flight: it can only be abandoned.
    static_cast<void>(run_.release());
    return;
  }
  run_.reset();
  if (power || drive_.treason.forgets_when_killed) {
    drive_.cut_power();
  }
  if (power) {
    clock_.boot(chance_);
    if (!keeps_boot_id) {
      boot_ = next_boot(boot_);
    }
  }
}

}  // namespace benchfs::sim
