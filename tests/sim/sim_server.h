#pragma once

// A server's machine: its drive, its clock, and the server process that runs on it now, made of
// the product's parts as benchfsd wires them.
//
// Threading: the world's thread.

#include <functional>
#include <memory>
#include <vector>

#include "coro/scope.h"
#include "io/buffer_pool.h"
#include "journal/journal.h"
#include "server/ledger.h"
#include "server/server.h"
#include "session/session_file.h"
#include "sim/sim_drive.h"
#include "sim/sim_network.h"
#include "store/chunk_store.h"

namespace benchfs::sim {

struct ServerOptions {
  std::uint64_t drive_bytes = 32 * kMiB;
  std::uint64_t ring_blocks = 256;
  std::uint64_t pool_bytes = 8 * kMiB;
};

/// Makes the ledger of a server; for mutations.
using LedgerFactory = std::function<std::unique_ptr<server::Ledger>(journal::Journal& journal)>;

/// One run of a server.
class ServerRun final {
 public:
  struct Setting {
    World& world;
    SimNetwork& network;
    MachineClock& clock;
    SimDrive& drive;
    ServerOptions options;
    ServerId self{};
    std::uint64_t process_number = 0;
    bool is_new = false;  ///< It makes the store.
    journal::BootId boot;
    LedgerFactory make_ledger;
  };

  explicit ServerRun(const Setting& setting);
  ~ServerRun();
  ServerRun(const ServerRun&) = delete;
  ServerRun& operator=(const ServerRun&) = delete;

  /// Looks at the store, or makes it ready to be made.
  void open();
  /// Recovers the store, or makes it, and serves as one of `session`, which names this run.
  void begin(session::Session session, bool announces);

  enum class Phase {
    kOpening,
    kOpened,  ///< Its incarnation is known; the next is begin().
    kBeginning,
    kServing,
    kFailed,  ///< status() says why.
  };
  Phase phase() const noexcept { return phase_; }
  Status status() const noexcept { return status_; }
  std::uint64_t incarnation() const noexcept { return incarnation_; }

  /// Makes a snapshot soon.
  void checkpoint();

  /// Dies now; `machine_lives`: peers are told by its kernel. False if something never ended.
  bool kill(bool machine_lives);

  Process& process() noexcept { return process_; }
  std::vector<std::byte> address() const { return transport_.address(); }

  // What the checkers look at.
  const store::ChunkStore& store() const noexcept { return store_; }
  const journal::Journal& journal() const noexcept { return journal_; }
  const io::BufferPool& pool() const noexcept { return *pool_; }
  /// Requires that it serves.
  const server::Server& server() const noexcept { return *server_; }

 private:
  coro::Task<void> open_steps();
  coro::Task<void> begin_steps(bool announces);
  coro::Task<Status> start_journal();
  coro::Task<void> make_checkpoint();
  coro::Task<void> stop();
  void fail_with(Error error);

  const Setting setting_;
  Process process_;
  SimDisk disk_;
  SimTransport transport_;
  std::unique_ptr<io::BufferPool> pool_;
  journal::Journal journal_;
  std::unique_ptr<server::Ledger> ledger_;
  store::ChunkStore store_;
  std::unique_ptr<server::Server> server_;
  coro::Scope scope_;
  Phase phase_ = Phase::kOpening;
  Status status_;
  std::uint64_t incarnation_ = 1;
};

/// The machine, over all runs.
class ServerMachine {
 public:
  ServerMachine(World& world, SimNetwork& network, ServerId self, ServerOptions options);

  ServerId self() const noexcept { return self_; }
  SimDrive& drive() noexcept { return drive_; }
  MachineClock& clock() noexcept { return clock_; }
  ServerRun* run() noexcept { return run_.get(); }
  bool up() const noexcept {
    return run_ != nullptr && run_->phase() == ServerRun::Phase::kServing;
  }
  /// How often a process was started.
  std::uint64_t starts() const noexcept { return starts_; }

  /// For mutations: nobody can tell by the kernel that power has failed.
  bool keeps_boot_id = false;

  /// Starts a process; requires that none runs.
  void start(const LedgerFactory& make_ledger);
  /// Kills it. With `power`, the drive forgets, and the machine boots.
  void crash(bool power);

 private:
  World& world_;
  SimNetwork& network_;
  const ServerId self_;
  const ServerOptions options_;
  Chance chance_;
  MachineClock clock_;
  journal::BootId boot_;  ///< Another one after each power cut.
  SimDrive drive_;
  std::uint64_t starts_ = 0;
  std::unique_ptr<ServerRun> run_;
};

}  // namespace benchfs::sim
