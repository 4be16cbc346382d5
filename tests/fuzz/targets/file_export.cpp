// Exported open files: what decodes encodes to the same bytes.
//
// Input: choice 1 (odd: the hash becomes the right one), bytes.

#include "client/file_export.h"

#include <xxhash.h>

#include "fuzz/fuzz.h"

namespace benchfs::fuzz {
namespace {

constexpr std::size_t kEnvelopeBytes = 16;
constexpr std::uint64_t kHashSeed = 2;  // The version.

}  // namespace

Verdict run_one(ConstBytes bytes) {
  Input input(bytes);
  const bool seal = (input.take_byte() & 1U) != 0;
  Buffer exported(input.rest().begin(), input.rest().end());
  if (seal) {
    exported.resize(client::kExportBytes);
    put(exported, 8,
        XXH3_64bits_withSeed(exported.data() + kEnvelopeBytes,
                             client::kExportBytes - kEnvelopeBytes, kHashSeed),
        8);
  }
  const AllocationMeter meter;
  const auto decoded = client::decode_export(exported);
  FUZZ_CHECK(meter.bytes() == 0);
  if (!decoded.has_value()) {
    FUZZ_CHECK(decoded.error().code == Errc::kInvalid);
    return Verdict::kRefused;
  }
  Buffer again(client::kExportBytes);
  client::encode_export(*decoded, again);
  FUZZ_CHECK(equal(again, ConstBytes(exported).first(client::kExportBytes)));
  return Verdict::kAccepted;
}

std::vector<Seed> seeds() {
  client::FileExport what;
  what.session_id = 1;
  what.epoch = 2;
  what.inode = 3;
  what.layout = {.chunk_bytes = 4096, .stripe_count = 5};
  what.flags = 6;
  what.open_id = 7;
  what.truncate_epoch = 8;
  what.counter = {.opener = ClientId{9}, .number = 10};
  Buffer bytes(client::kExportBytes);
  client::encode_export(what, bytes);
  return {{"plain", with_choice(0, bytes)}, {"sealed", with_choice(1, bytes)}};
}

}  // namespace benchfs::fuzz
