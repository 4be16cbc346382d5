#include "server/process.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/units.h"
#include "loop/wake_fd.h"
#include "server/boot_id.h"
#include "server/metrics_page.h"

namespace benchfs::server {
namespace {

/// For the signal handler, which has no other way to reach the loop.
loop::WakeFd* stop_signal = nullptr;

void on_stop_signal(int /*number*/) {
  if (stop_signal != nullptr) {
    stop_signal->notify();
  }
}

void install_signal_handlers(loop::WakeFd& wake) {
  stop_signal = &wake;
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    ::sigaction(number, &action, nullptr);
  }
  ::signal(SIGPIPE, SIG_IGN);
}

}  // namespace

std::string host_name() {
  std::string name(256, '\0');
  ::gethostname(name.data(), name.size() - 1);
  name.resize(std::strlen(name.c_str()));
  return name;
}

Process::Process(const Config& config, Place place)
    : config_(config), place_(place), loop_(clock_, sleeper_, {config.spin_ns}) {}

Process::~Process() {
  end();
}

template <typename T>
T Process::run_to_end(coro::Task<T> task) {
  task.start();
  while (!task.done()) {
    loop_.run_once(UINT64_MAX);
  }
  return task.take();
}

std::string Process::store_directory(const Config& config, ServerId server) {
  return fmt::format("{}/server-{}", config.store_directory, to_integer(server));
}

// ---- Taking what the server runs on
// --------------------------------------------------------------------

bool Process::open_pool() {
  auto pool = io::BufferPool::create(loop_, config_.pool_bytes);
  if (!pool.has_value()) {
    log_error("cannot map {} for the buffer pool: {}", format_size(config_.pool_bytes),
              to_string(pool.error()));
    return false;
  }
  pool_ = std::move(*pool);
  return true;
}

bool Process::decide_capacity() {
  capacity_bytes_ = config_.capacity_bytes;
  if (capacity_bytes_ != 0 || config_.backend == io::DiskBackend::kMemory) {
    return true;
  }
  const auto capacity = store::default_capacity(config_.store_directory, place_.sharers);
  if (capacity.has_value()) {
    capacity_bytes_ = *capacity;
  }
  return capacity.has_value();  // The store has said why not.
}

store::StoreOptions Process::store_options(std::uint64_t session_id) const {
  return {.parent = config_.store_directory,
          .directory = store_directory(config_, place_.self),
          .capacity_bytes = 0,
          .session_id = session_id,
          .server = place_.self,
          .server_count = place_.server_count,
          .sharers = place_.sharers,
          .backend = config_.backend,
          .discard = config_.discard,
          .store_id = 0};
}

bool Process::make_store(std::uint64_t session_id) {
  store::StoreOptions options = store_options(session_id);
  options.capacity_bytes = capacity_bytes_;
  options.store_id = random_.next_u64();
  store_is_new_ = true;
  return take_store(store::StoreDirectory::create(loop_, *pool_, options));
}

bool Process::open_store(std::uint64_t session_id) {
  store::StoreOptions options = store_options(session_id);
  options.capacity_bytes = config_.capacity_bytes;
  keep_store_ = true;
  if (!take_store(store::StoreDirectory::open(loop_, *pool_, options))) {
    return false;
  }
  const auto incarnation = run_to_end(journal_->next_incarnation());
  if (!incarnation.has_value()) {
    log_error("store {}: its journal cannot be read: {}", store_->path(),
              to_string(incarnation.error()));
    return false;
  }
  incarnation_ = *incarnation;
  return true;
}

bool Process::take_store(Result<std::unique_ptr<store::StoreDirectory>> store) {
  if (!store.has_value()) {
    return false;  // The store has said why.
  }
  store_ = std::move(*store);
  store_->disk().set_meter(&meter_);
  journal_ = std::make_unique<journal::Journal>(
      loop_, store_->disk(),
      journal::JournalOptions{
          .store_id = store_->store_id(), .ring_blocks = 0, .boot = read_boot_id()});
  ledger_ = std::make_unique<JournalLedger>(*journal_);
  chunks_ = std::make_unique<store::ChunkStore>(loop_, store_->disk(), *pool_, *journal_);
  return true;
}

bool Process::open_transport(std::uint64_t session_id, const Secret& secret) {
  const net::UcxOptions options = {
      .credentials = {.session_id = session_id, .secret = secret},
      .self = {.role = net::PeerIdentity::Role::kServer, .id = to_integer(place_.self)},
  };
  auto transport = net::UcxTransport::create(options, loop_, random_);
  if (!transport.has_value()) {
    return false;  // The transport has said why.
  }
  transport_ = std::move(*transport);
  loop_.add_source(*transport_);
  const Status registered = transport_->register_memory(pool_->region());
  if (!registered.has_value()) {
    log_warning("the buffer pool is not registered with the network: {}",
                to_string(registered.error()));
  }
  return true;
}

session::Server Process::introduction() {
  return {.host = host_name(),
          .pid = static_cast<std::uint32_t>(::getpid()),
          .address = transport_->address(),
          .capacity_bytes = store_->disk().size_bytes(),
          .store_directory = store_->path(),
          .incarnation = incarnation_,
          .started_ns = clock_.wall_ns()};
}

// ---- Beginning and ending
// ----------------------------------------------------------------------------

bool Process::begin(session::Session session) {
  server_ =
      std::make_unique<Server>(Server::Platform{.loop = loop_,
                                                .transport = *transport_,
                                                .pool = *pool_,
                                                .store = *chunks_,
                                                .ledger = ledger_.get(),
                                                .journal = journal_.get(),
                                                .drive = &meter_},
                               Membership{.self = place_.self,
                                          .session = std::move(session),
                                          .session_directory = config_.session_directory},
                               ServerFacts{.host = host_name(),
                                           .disk_backend = std::string(store_->backend_name()),
                                           .store_directory = store_->path(),
                                           .device = device_of(store_->path()),
                                           .direct_io = store_->direct_io()},
                               RootOwner{.uid = ::geteuid(), .gid = ::getegid()});
  journal_->add_participant(journal::RecordKind::kNamespaceFirst,
                            journal::RecordKind::kNamespaceLast, server_->names());
  Status begun = run_to_end(start_journal());
  if (begun.has_value()) {
    begun = run_to_end(server_->start());
  }
  if (!begun.has_value()) {
    log_error("store {}: the server cannot begin on it: {}", store_->path(),
              to_string(begun.error()));
    return false;
  }
  open_endpoint();
  return true;
}

/// Server N has the N-th port behind the one that is configured, so that those of one node do not
/// meet.
void Process::open_endpoint() {
  if (!config_.metrics.has_value()) {
    return;
  }
  HttpAddress address = *config_.metrics;
  const unsigned port = address.port == 0 ? 0U : address.port + to_integer(place_.self);
  address.port = static_cast<std::uint16_t>(port);
  auto endpoint = port > UINT16_MAX ? fail(Errc::kOutOfRange, "http.port", ERANGE)
                                    : HttpEndpoint::open(loop_, address, [this] {
                                        return metrics_page(server_->metrics().snapshot());
                                      });
  if (!endpoint.has_value()) {
    log_warning(
        "metrics are not served: {} port {}: {}; --metrics or $BENCHFS_METRICS can name "
        "another one",
        address.host, port, std::strerror(endpoint.error().os_code));
    return;
  }
  endpoint_ = std::move(*endpoint);
  server_->metrics().set_endpoint(endpoint_->address().text());
  log_info("metrics at http://{}/metrics", endpoint_->address().text());
}

coro::Task<Status> Process::start_journal() {
  if (store_is_new_) {
    auto making = journal_->create();
    co_return co_await making;
  }
  const std::uint64_t begin_ns = clock_.now_ns();
  auto recovering = journal_->recover();
  BENCHFS_CO_TRY(const journal::Recovered found, recovering);
  if (found.incarnation != incarnation_) {
    log_error("store {}: somebody else has used it meanwhile", store_->path());
    co_return fail(Errc::kBusy, "server.incarnation");
  }
  if (found.power_was_lost) {
    log_warning(
        "store {}: this machine has been without power since, or another one had the store: what "
        "was acknowledged and not synced may be gone",
        store_->path());
  }
  log_info("store {}: recovered in {} ms from {} records of a snapshot and {} of the log{}",
           store_->path(), (clock_.now_ns() - begin_ns) / kNsPerMs, found.snapshot_records,
           found.log_records,
           found.dropped_records == 0
               ? std::string()
               : fmt::format("; {} of those not synced were dropped: their data, or what they "
                             "speak of, may be missing",
                             found.dropped_records));
  co_return Status();
}

bool Process::serve() {
  auto wake = loop::WakeFd::create(loop_, [this] { server_->request_stop(); });
  if (wake.has_value()) {
    install_signal_handlers(**wake);
  }
  log_info("ready: {} of {}, {} of {}, store {}", to_integer(place_.self) + 1, place_.server_count,
           format_size(store_->disk().size_bytes()), store_->backend_name(), store_->path());
  server_->run();
  stop_signal = nullptr;
  if (server_->is_deaf()) {
    return false;
  }
  session_is_over_ = server_->session_is_over();
  // A signal says nothing about the store.
  keep_store_ =
      server_->after_stop() == AfterStop::kKeepStore && (!config_.temporary || session_is_over_);
  log_info("stopped");
  return true;
}

coro::Task<Status> Process::stop_journal() {
  auto stopping_chunks = chunks_->stop();
  co_await stopping_chunks;
  auto stopping = journal_->stop();
  co_return co_await stopping;
}

void Process::end() {
  if (chunks_ != nullptr) {
    // While everybody is there who takes part in the last snapshot.
    const Status stopped = run_to_end(stop_journal());
    if (!stopped.has_value()) {
      log_error(
          "{}: the journal could not be ended in order, which the next start makes up for: {}",
          store_->path(), to_string(stopped.error()));
    }
  }
  endpoint_.reset();
  server_.reset();
  if (transport_ != nullptr) {
    loop_.remove_source(*transport_);
    transport_.reset();
  }
  chunks_.reset();
  ledger_.reset();
  journal_.reset();
  if (store_ != nullptr && !keep_store_) {
    const Status removed = store_->remove();
    if (!removed.has_value()) {
      log_error("{}: the store could not be removed: {}", store_->path(),
                to_string(removed.error()));
    }
  }
  store_.reset();
  pool_.reset();
}

}  // namespace benchfs::server
