#include <algorithm>
#include <cstring>
#include <exception>
#include <istream>
#include <ostream>
#include <streambuf>

#include <boost/archive/binary_iarchive.hpp>
#include <boost/archive/binary_oarchive.hpp>
#include <xxhash.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/units.h"
#include "session/session_file.h"

namespace benchfs::session {
namespace {

constexpr char kMagic[8] = {'B', 'E', 'N', 'C', 'H', 'F', 'S', 'S'};

struct Envelope {
  char magic[8];
  std::uint32_t version;
  std::uint32_t reserved;
  std::uint64_t body_bytes;
  std::uint64_t body_hash;
};
static_assert(sizeof(Envelope) == 32);

constexpr std::uint64_t kBodyBytesMax = std::uint64_t{256} << 20;

/// Of a host, a path or an address; an archive that claims more is refused before memory is taken.
constexpr std::size_t kFieldBytesMax = 64 * kKiB;

using Writer = boost::archive::binary_oarchive;
using Reader = boost::archive::binary_iarchive;

// Fields are written one by one, and strings and lists with counts of our own: the archive would
// believe any count, and has several forms of bytes for one value.

template <typename Container>
void put(Writer& archive, const Container& field) {
  BENCHFS_ASSERT(field.size() <= kFieldBytesMax);
  const auto count = static_cast<std::uint32_t>(field.size());
  archive << count;
  archive.save_binary(field.data(), field.size());
}

template <typename Container>
void take(Reader& archive, Container& field) {
  std::uint32_t count = 0;
  archive >> count;
  if (count > kFieldBytesMax) {
    throw boost::archive::archive_exception(boost::archive::archive_exception::input_stream_error);
  }
  field.resize(count);
  archive.load_binary(field.data(), count);
}

void put(Writer& archive, const Server& server) {
  put(archive, server.host);
  archive << server.pid << server.capacity_bytes;
  put(archive, server.store_directory);
  archive << server.incarnation << server.started_ns;
  put(archive, server.address);
}

void take(Reader& archive, Server& server) {
  take(archive, server.host);
  archive >> server.pid >> server.capacity_bytes;
  take(archive, server.store_directory);
  archive >> server.incarnation >> server.started_ns;
  take(archive, server.address);
}

void put(Writer& archive, const Session& session) {
  archive << session.session_id << session.epoch << session.created_ns << session.uid;
  archive.save_binary(session.secret.data(), session.secret.size());
  const auto count = static_cast<std::uint32_t>(session.servers.size());
  archive << count;
  for (const Server& server : session.servers) {
    put(archive, server);
  }
}

/// Stops at the first server too many, so that what memory is taken is for bytes that are there.
void take(Reader& archive, Session& session) {
  archive >> session.session_id >> session.epoch >> session.created_ns >> session.uid;
  archive.load_binary(session.secret.data(), session.secret.size());
  std::uint32_t count = 0;
  archive >> count;
  for (std::uint32_t i = 0; i < count && i <= kServerCountMax; ++i) {
    take(archive, session.servers.emplace_back());
  }
}

bool is_sound(const Session& session) noexcept {
  return !session.servers.empty() && session.servers.size() <= kServerCountMax &&
         std::none_of(session.servers.begin(), session.servers.end(),
                      [](const Server& server) { return server.incarnation == 0; });
}

/// A stream buffer over borrowed bytes, for Boost to read from.
class ReadBuffer final : public std::streambuf {
 public:
  explicit ReadBuffer(ConstBytes bytes) {
    char* const begin = const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
    setg(begin, begin, begin + bytes.size());
  }
};

/// A stream buffer that appends to a vector.
class WriteBuffer final : public std::streambuf {
 public:
  explicit WriteBuffer(std::vector<std::byte>& out) : out_(out) {}

 private:
  int_type overflow(int_type c) override {
    out_.push_back(static_cast<std::byte>(traits_type::to_char_type(c)));
    return c;
  }
  std::streamsize xsputn(const char* data, std::streamsize count) override {
    const auto* const bytes = reinterpret_cast<const std::byte*>(data);
    out_.insert(out_.end(), bytes, bytes + count);
    return count;
  }
  std::vector<std::byte>& out_;
};

}  // namespace

std::vector<std::byte> encode(const Session& session) {
  std::vector<std::byte> bytes(sizeof(Envelope));
  {
    WriteBuffer buffer(bytes);
    boost::archive::binary_oarchive archive(buffer, boost::archive::no_header);
    put(archive, session);
  }
  Envelope envelope{};
  std::memcpy(envelope.magic, kMagic, sizeof(kMagic));
  envelope.version = kFormatVersion;
  envelope.body_bytes = bytes.size() - sizeof(Envelope);
  envelope.body_hash = XXH3_64bits(bytes.data() + sizeof(Envelope), envelope.body_bytes);
  std::memcpy(bytes.data(), &envelope, sizeof(envelope));
  return bytes;
}

Result<Session> decode(ConstBytes bytes) {
  Envelope envelope{};
  if (bytes.size() < sizeof(envelope)) {
    return fail(Errc::kCorrupt, "session.size");
  }
  std::memcpy(&envelope, bytes.data(), sizeof(envelope));
  if (std::memcmp(envelope.magic, kMagic, sizeof(kMagic)) != 0) {
    return fail(Errc::kCorrupt, "session.magic");
  }
  if (envelope.version != kFormatVersion) {
    return fail(Errc::kUnsupported, "session.version", static_cast<std::int32_t>(envelope.version));
  }
  const ConstBytes body = bytes.subspan(sizeof(envelope));
  if (envelope.reserved != 0 || envelope.body_bytes != body.size() || body.size() > kBodyBytesMax ||
      envelope.body_hash != XXH3_64bits(body.data(), body.size())) {
    return fail(Errc::kCorrupt, "session.body");
  }
  Session session;
  try {
    ReadBuffer buffer(body);
    boost::archive::binary_iarchive archive(buffer, boost::archive::no_header);
    take(archive, session);
    if (buffer.in_avail() != 0) {
      return fail(Errc::kCorrupt, "session.end");
    }
  } catch (const std::exception&) {
    return fail(Errc::kCorrupt, "session.archive");
  }
  if (!is_sound(session)) {
    return fail(Errc::kCorrupt, "session.servers");
  }
  for (const Server& server : session.servers) {
    if (server.incarnation == 0) {
      return fail(Errc::kCorrupt, "session.incarnation");
    }
  }
  return session;
}

}  // namespace benchfs::session
