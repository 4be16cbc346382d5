#include "client/mount.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "net/ucx_transport.h"
#include "wire/header.h"

namespace benchfs::client {
namespace {

/// How long leaving may take: the servers notice a lost client anyway.
constexpr std::uint64_t kLeaveNsMax = kNsPerSec;

static_assert(session::kSecretBytes == net::kSecretBytes);

Result<std::unique_ptr<net::Transport>> make_ucx_transport(const net::Credentials& credentials,
                                                           const net::PeerIdentity& self,
                                                           loop::EventLoop& loop, Random& random) {
  const net::UcxOptions options{
      .credentials = credentials, .self = self, .thread_mode = net::ThreadMode::kOneAtATime};
  auto transport = net::UcxTransport::create(options, loop, random);
  if (!transport.has_value()) {
    return fail(transport.error());
  }
  return std::move(*transport);
}

tl::unexpected<MountError> refuse(Errc code, std::string text) {
  return tl::unexpected<MountError>(
      MountError{.error = Error{.code = code, .where = "client.mount"}, .text = std::move(text)});
}

/// The session file, read again when another one has taken its place.
class PublishedSession {
 public:
  PublishedSession(std::string directory, std::uint64_t session_id)
      : directory_(std::move(directory)), session_id_(session_id) {}

  News look() {
    struct stat status {};
    const std::string path = directory_ + "/" + session::kFileName;
    if (::stat(path.c_str(), &status) != 0) {
      return {.kind = errno == ENOENT ? News::Kind::kGone : News::Kind::kNone, .session = {}};
    }
    const bool is_same = status.st_ino == seen_.st_ino && status.st_dev == seen_.st_dev &&
                         status.st_mtim.tv_sec == seen_.st_mtim.tv_sec &&
                         status.st_mtim.tv_nsec == seen_.st_mtim.tv_nsec;
    if (is_same) {
      return over_ ? News{.kind = News::Kind::kGone, .session = {}} : News{};
    }
    auto read = session::read_session(directory_);
    if (!read.has_value()) {
      return {};
    }
    seen_ = status;
    over_ = read->session_id != session_id_;
    return over_ ? News{.kind = News::Kind::kGone, .session = {}}
                 : News{.kind = News::Kind::kChanged, .session = std::move(*read)};
  }

 private:
  std::string directory_;
  std::uint64_t session_id_;
  struct stat seen_ {};
  bool over_ = false;  ///< Another session has taken its place.
};

}  // namespace

tl::expected<std::unique_ptr<Mount>, MountError> Mount::open(const Options& options) {
  auto session = session::read_session(options.session_directory);
  if (!session.has_value()) {
    Errc code = session.error().error.code;
    if (code == Errc::kCorrupt || code == Errc::kUnsupported || code == Errc::kNotDirectory) {
      code = Errc::kInvalid;  // Not a session of ours: the caller named the wrong thing.
    }
    return refuse(code, std::move(session.error().text));
  }
  auto joined = join(*session, options, make_ucx_transport);
  if (joined.has_value()) {
    (*joined)->servers_->follow(
        [published = PublishedSession(options.session_directory, session->session_id)]() mutable {
          return published.look();
        });
  }
  return joined;
}

tl::expected<std::unique_ptr<Mount>, MountError> Mount::join(
    const session::Session& session, const Options& options,
    const TransportFactory& make_transport) {
  if (session.servers.empty() || session.servers.size() > kServerCountMax) {
    return refuse(Errc::kInvalid, fmt::format("{}: a session of {} servers",
                                              options.session_directory, session.servers.size()));
  }
  std::unique_ptr<Mount> mount(new Mount(session, options));
  const Status status = mount->set_up(session, options, make_transport);
  if (!status.has_value()) {
    return refuse(status.error().code,
                  fmt::format("{}: cannot join the session: {}", options.session_directory,
                              to_string(status.error())));
  }
  return mount;
}

Mount::Mount(const session::Session& session, const Options& /*options*/)
    : session_id_(session.session_id),
      epoch_(session.epoch),
      process_(::getpid()),
      loop_(clock_, sleeper_, loop::LoopOptions{.spin_ns = 0}) {}

Status Mount::set_up(const session::Session& session, const Options& options,
                     const TransportFactory& make_transport) {
  net::Credentials credentials{.session_id = session.session_id, .secret = session.secret};
  const net::PeerIdentity self{.role = net::PeerIdentity::Role::kClient, .id = random_.next_u64()};
  BENCHFS_TRY(engine_, Engine::create(loop_, options.spin_ns_max));
  BENCHFS_TRY(transport_, make_transport(credentials, self, loop_, random_));
  transport_->listen(*this);
  loop_.add_source(*transport_);
  transport_is_source_ = true;

  std::vector<std::vector<std::byte>> addresses;
  std::vector<std::string> hosts;
  for (const session::Server& server : session.servers) {
    addresses.push_back(server.address);
    hosts.push_back(server.host);
  }
  caller_ = std::make_unique<rpc::Caller>(loop_, session.epoch);
  peers_ = std::make_unique<rpc::PeerTable>(loop_, *transport_, *caller_, std::move(addresses));
  for (std::size_t i = 0; i < session.servers.size(); ++i) {
    const session::Server& server = session.servers[i];
    peers_->update(ServerId{static_cast<std::uint16_t>(i)}, server.incarnation, server.address);
  }
  servers_ = std::make_unique<Servers>(loop_, *peers_, ClientId{self.id}, std::move(hosts),
                                       options.timeout_ns);
  names_ = std::make_unique<Names>(*servers_, Owner{.uid = options.uid, .gid = options.gid});
  return Status();
}

Mount::~Mount() {
  BENCHFS_ASSERT(is_usable());
  BENCHFS_ASSERT(users_.load() == 0);
  if (transport_is_source_) {
    engine_->run(transport_->close(loop_.now_ns() + kLeaveNsMax));
    loop_.remove_source(*transport_);
  }
  names_.reset();
  servers_.reset();
  peers_.reset();  // Lets go of its connections before their transport ends.
  transport_.reset();
  caller_.reset();
  engine_.reset();
}

bool Mount::is_usable() const noexcept {
  return ::getpid() == process_;
}

void Mount::on_accept(const std::shared_ptr<net::Connection>& connection) noexcept {
  // Nobody has reason to connect to a client.
  connection->abort(Error{.code = Errc::kProtocol, .where = "client.accept"});
}

void Mount::on_message(const std::shared_ptr<net::Connection>& connection,
                       net::Message message) noexcept {
  const auto fixed = wire::decode_fixed_header(message.header());
  if (!fixed.has_value() || (fixed->flags & wire::kIsReply) == 0) {
    connection->abort(Error{.code = Errc::kProtocol, .where = "client.message"});
    return;
  }
  caller_->on_reply(connection, *fixed, std::move(message));
}

void Mount::on_lost(const std::shared_ptr<net::Connection>& connection, Error reason) noexcept {
  peers_->on_lost(*connection);
  caller_->on_lost(*connection, reason);
}

}  // namespace benchfs::client
