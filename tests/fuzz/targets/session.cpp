// The session file: what decodes can be written and read again, is within the limits, and a count
// in it is believed only as far as there are bytes for it.
//
// Input: choice 1 (odd: the rest is the body, and gets the right envelope), bytes.

#include <cstring>

#include <xxhash.h>

#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "session/session_file.h"

namespace benchfs::fuzz {
namespace {

constexpr std::size_t kEnvelopeBytes = 32;

Buffer with_envelope(ConstBytes body) {
  Buffer file = to_buffer("BENCHFSS");
  file.resize(kEnvelopeBytes);
  put(file, 8, session::kFormatVersion, 4);
  put(file, 16, body.size(), 8);
  put(file, 24, XXH3_64bits(body.data(), body.size()), 8);
  file.insert(file.end(), body.begin(), body.end());
  return file;
}

session::Session example(std::size_t server_count) {
  session::Session session;
  session.session_id = 0x0123456789abcdef;
  session.epoch = 1;
  session.secret.fill(std::byte{0x33});
  session.created_ns = 42;
  session.uid = 1000;
  for (std::size_t i = 0; i < server_count; ++i) {
    session::Server server;
    server.host = "node" + std::to_string(i);
    server.pid = static_cast<std::uint32_t>(100 + i);
    server.address = Buffer(20 + i, std::byte{0x44});
    server.capacity_bytes = 1U << 30U;
    server.store_directory = "/store";
    session.servers.push_back(server);
  }
  return session;
}

}  // namespace

Verdict run_one(ConstBytes bytes) {
  Input input(bytes);
  const bool seal = (input.take_byte() & 1U) != 0;
  const Buffer file =
      seal ? with_envelope(input.rest()) : Buffer(input.rest().begin(), input.rest().end());
  const AllocationMeter meter;
  const auto decoded = session::decode(file);
  // The archive itself takes some memory, whatever is in it.
  FUZZ_CHECK(meter.bytes() <= 32 * file.size() + 64 * 1024);
  if (!decoded.has_value()) {
    const Errc code = decoded.error().code;
    FUZZ_CHECK(code == Errc::kCorrupt || code == Errc::kUnsupported);
    return Verdict::kRefused;
  }
  FUZZ_CHECK(!decoded->servers.empty() && decoded->servers.size() <= kServerCountMax);
  FUZZ_CHECK(equal(session::encode(*decoded), file));
  return Verdict::kAccepted;
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  for (const std::size_t server_count : {1U, 3U}) {
    const Buffer file = session::encode(example(server_count));
    const std::string name = std::to_string(server_count) + "_servers";
    out.push_back({name, with_choice(0, file)});
    out.push_back({name + "_sealed", with_choice(1, ConstBytes(file).subspan(kEnvelopeBytes))});
  }
  return out;
}

}  // namespace benchfs::fuzz
