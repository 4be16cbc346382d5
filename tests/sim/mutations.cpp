#include "sim/mutations.h"

#include <array>
#include <memory>

#include "server/handlers/namespace_records.h"
#include "server/journal_ledger.h"
#include "wire/header.h"

namespace benchfs::sim {
namespace {

/// Says that all is committed when nothing may be.
class EagerLedger final : public server::Ledger {
 public:
  explicit EagerLedger(journal::Journal& journal) : below_(journal) {}
  coro::Task<Result<std::unique_ptr<Room>>> admit_bytes(std::uint64_t bytes) override {
    return below_.admit_bytes(bytes);
  }
  void append(journal::RecordKind kind, ConstBytes body) noexcept override {
    below_.append(kind, body);
  }
  bool keeps() const noexcept override { return true; }
  bool committed() const noexcept override { return true; }
  coro::Task<Status> commit() override { co_return Status(); }
  bool has_failed() const noexcept override { return below_.has_failed(); }

 private:
  server::JournalLedger below_;
};

/// Forgets to write some changes down.
class ForgetfulLedger : public server::Ledger {
 public:
  explicit ForgetfulLedger(journal::Journal& journal) : below_(journal) {}
  coro::Task<Result<std::unique_ptr<Room>>> admit_bytes(std::uint64_t bytes) override {
    return below_.admit_bytes(bytes);
  }
  void append(journal::RecordKind kind, ConstBytes body) noexcept override {
    if (!forgets(kind)) {
      below_.append(kind, body);
    }
  }
  bool keeps() const noexcept override { return true; }
  bool committed() const noexcept override { return below_.committed(); }
  coro::Task<Status> commit() override { return below_.commit(); }
  bool has_failed() const noexcept override { return below_.has_failed(); }

 private:
  virtual bool forgets(journal::RecordKind /*kind*/) noexcept { return ++count_ % 9 == 0; }

  server::JournalLedger below_;
  std::uint64_t count_ = 0;
};

/// Forgets to write down what becomes of locks.
class LocklessLedger final : public ForgetfulLedger {
 public:
  using ForgetfulLedger::ForgetfulLedger;

 private:
  bool forgets(journal::RecordKind kind) noexcept override {
    return kind == server::kRangeLockKind;
  }
};

/// Nothing but what a mutation wants to go wrong.
void calm(Plan& plan) {
  plan.server_count = 3;
  plan.client_count = 2;
  plan.work_ns = 15 * kNsPerSec;
  plan.operations_max = 150;
  plan.think_ns_max = 20 * kNsPerMs;
  plan.do_files = plan.do_logs = plan.do_names = plan.do_races = true;
  plan.do_locks = false;
  plan.small_drive = false;
  plan.server.drive_bytes = (plan.server.ring_blocks + 2) * kBlockBytes + 48 * kMiB;
  plan.server_kill_ns = plan.power_cut_ns = plan.client_kill_ns = plan.lose_connection_ns = 0;
  plan.partition_ns = plan.pause_ns = plan.slow_drive_ns = plan.rot_ns = 0;
  plan.error_per_million = plan.journal_error_per_million = 0;
}
/// What nobody answers is given up while clients still remember what it was about.
void impatient(Plan& plan) {
  calm(plan);
  plan.client_count = 4;
  plan.timeout_ns = kNsPerSec;
  plan.work_ns = 60 * kNsPerSec;
  plan.operations_max = 600;
  plan.do_files = plan.do_logs = plan.do_names = false;
}
void with_kills(Plan& plan) {
  calm(plan);
  plan.server_kill_ns = 2 * kNsPerSec;
  plan.down_ns_max = 100 * kNsPerMs;
}
void with_locks_and_kills(Plan& plan) {
  with_kills(plan);
  plan.do_files = plan.do_logs = plan.do_names = plan.do_races = false;
  plan.do_locks = true;
}
void with_locks(Plan& plan) {
  calm(plan);
  plan.do_files = plan.do_logs = plan.do_names = plan.do_races = false;
  plan.do_locks = true;
}
void with_power_cuts(Plan& plan) {
  calm(plan);
  plan.do_names = plan.do_races = plan.judge_rest = false;
  plan.power_cut_ns = 2 * kNsPerSec;
  plan.down_ns_max = 100 * kNsPerMs;
}
/// Much is written between two fsyncs, and handles live long.
void with_power_cuts_and_fsyncs(Plan& plan) {
  with_power_cuts(plan);
  plan.workers_per_client = 3;
}
/// Nobody else's fsync helps.
void with_power_cuts_and_names(Plan& plan) {
  with_power_cuts(plan);
  plan.do_files = plan.do_logs = false;
  plan.do_names = true;
  plan.power_cut_ns = 500 * kNsPerMs;
}
void with_client_kills(Plan& plan) {
  calm(plan);
  plan.client_kill_ns = kNsPerSec;
}

template <SimDrive::Treason treason>
void betray_drive(Hooks& hooks) {
  hooks.prepare_machine = [](ServerMachine& machine) { machine.drive().treason = treason; };
}

/// On a slow drive, so that there is time between the two.
void commit_eagerly(Hooks& hooks) {
  hooks.make_ledger = [](journal::Journal& journal) -> std::unique_ptr<server::Ledger> {
    return std::make_unique<EagerLedger>(journal);
  };
  hooks.prepare_machine = [](ServerMachine& machine) { machine.drive().slow_factor = 100; };
}

void keep_boot_id(Hooks& hooks) {
  hooks.prepare_machine = [](ServerMachine& machine) { machine.keeps_boot_id = true; };
}

template <typename Ledger>
void use_ledger(Hooks& hooks) {
  hooks.make_ledger = [](journal::Journal& journal) -> std::unique_ptr<server::Ledger> {
    return std::make_unique<Ledger>(journal);
  };
}

/// Requests of this kind never arrive; their askers give up.
template <wire::Op op>
void swallow(Hooks& hooks) {
  hooks.prepare_network = [](SimNetwork& network) {
    network.treason.swallow = [](const MessageView& message) {
      const auto fixed = wire::decode_fixed_header(message.header);
      return fixed.has_value() && fixed->op == op && (fixed->flags & wire::kIsReply) == 0;
    };
  };
}

void swallow_some_replies(Hooks& hooks) {
  hooks.prepare_network = [](SimNetwork& network) {
    network.treason.swallow = [count = 0](const MessageView& message) mutable {
      const auto fixed = wire::decode_fixed_header(message.header);
      return fixed.has_value() && (fixed->flags & wire::kIsReply) != 0 && ++count % 400 == 0;
    };
  };
}

void corrupt_payloads(Hooks& hooks) {
  hooks.prepare_network = [](SimNetwork& network) { network.treason.corrupt_every = 100; };
}
void repeat_messages(Hooks& hooks) {
  hooks.prepare_network = [](SimNetwork& network) { network.treason.repeat_every = 20; };
}
void hide_losses(Hooks& hooks) {
  hooks.prepare_network = [](SimNetwork& network) { network.treason.never_tells_of_loss = true; };
}

constexpr auto kMutations = std::to_array<Mutation>({
    {"ack_before_commit", "names are acknowledged before their records are written", with_kills,
     commit_eagerly},
    {"forget_records", "some changes of names are never written down", with_kills,
     use_ledger<ForgetfulLedger>},
    {"drop_flush", "fsync of the drive does nothing", with_power_cuts,
     betray_drive<SimDrive::Treason{.ignores_fsync = true}>},
    {"drop_flush_of_names", "the same, while nothing but names is changed",
     with_power_cuts_and_names, betray_drive<SimDrive::Treason{.ignores_fsync = true}>},
    {"hide_power_loss", "a server does not know that its machine was without power",
     with_power_cuts_and_fsyncs, keep_boot_id},
    {"skip_journal_write", "some writes of the journal never happen", with_kills,
     betray_drive<SimDrive::Treason{.lose_journal_write_every = 40}>},
    {"skip_data_write", "some writes of data never happen", calm,
     betray_drive<SimDrive::Treason{.lose_data_write_every = 10}>},
    {"misdirect_write", "some writes of data land in another block", calm,
     betray_drive<SimDrive::Treason{.misdirect_every = 10}>},
    {"stale_read", "some reads of the drive bring what was there before", calm,
     betray_drive<SimDrive::Treason{.stale_read_every = 3}>},
    {"write_back", "what was written and not synced dies with the process", with_kills,
     betray_drive<SimDrive::Treason{.forgets_when_killed = true}>},
    {"lose_rename_commit", "the second phase of renames is lost, however often it is tried", calm,
     swallow<wire::Op::kRenameCommit>},
    {"lose_data_removal", "data servers never hear that a file is gone", calm,
     swallow<wire::Op::kRemoveData>},
    {"lose_inode_unlink", "homes never hear that a name of theirs is gone", calm,
     swallow<wire::Op::kUnlinkInode>},
    {"lose_parents", "homes never hear where their directories are moved to", calm,
     swallow<wire::Op::kSetParent>},
    {"lose_move_news", "servers never hear that directories have moved", impatient,
     swallow<wire::Op::kTellMoves>},
    {"lose_close", "homes never hear that a file was closed", calm, swallow<wire::Op::kClose>},
    {"forget_locks", "locks are not written down", with_locks_and_kills,
     use_ledger<LocklessLedger>},
    {"lose_unlock", "homes never hear that a lock has ended", with_locks,
     swallow<wire::Op::kUnlockRange>},
    {"lose_replies", "some replies never come", calm, swallow_some_replies},
    {"corrupt_payload", "some payloads arrive with another bit", calm, corrupt_payloads},
    {"repeat_messages", "some messages arrive twice", calm, repeat_messages},
    {"hide_client_loss", "nobody is told that a connection was lost", with_client_kills,
     hide_losses},
});

}  // namespace

std::span<const Mutation> mutations() {
  return kMutations;
}

const Mutation* find_mutation(std::string_view name) {
  for (const Mutation& mutation : kMutations) {
    if (mutation.name == name) {
      return &mutation;
    }
  }
  return nullptr;
}

Plan mutated_plan(const Mutation& mutation, std::uint64_t seed) {
  Plan plan = make_plan(seed);
  mutation.tune(plan);
  return plan;
}

Hooks mutated_hooks(const Mutation& mutation) {
  Hooks hooks;
  mutation.break_it(hooks);
  return hooks;
}

}  // namespace benchfs::sim
