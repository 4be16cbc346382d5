#include "client/file_export.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <xxhash.h>

#include "base/assert.h"
#include "wire/codec.h"

namespace benchfs::client {
namespace {

constexpr std::uint32_t kMagic = 0x58464842;  // "BHFX"
constexpr std::uint32_t kVersion = 2;

// magic, version, hash of the rest; then the FileExport; zeros up to the end.
constexpr std::size_t kEnvelopeBytes = 16;

std::uint64_t hash_of(ConstBytes body) noexcept {
  return XXH3_64bits_withSeed(body.data(), body.size(), kVersion);
}

}  // namespace

void encode_export(const FileExport& what, Bytes out) noexcept {
  BENCHFS_ASSERT(out.size() == kExportBytes);
  std::memset(out.data(), 0, out.size());
  const Bytes body = out.subspan(kEnvelopeBytes);
  wire::Encoder body_encoder(body);
  body_encoder& what;
  wire::Encoder envelope(out.first(kEnvelopeBytes));
  envelope& kMagic& kVersion& hash_of(body);
  BENCHFS_ASSERT(body_encoder.ok() && envelope.ok());
}

Result<FileExport> decode_export(ConstBytes in) {
  std::uint32_t magic = 0;
  std::uint32_t version = 0;
  std::uint64_t hash = 0;
  if (in.size() < kExportBytes) {
    return fail(Errc::kInvalid, "client.export.size");
  }
  const ConstBytes body = in.first(kExportBytes).subspan(kEnvelopeBytes);
  wire::Decoder envelope(in.first(kEnvelopeBytes));
  envelope& magic& version& hash;
  if (!envelope.ok() || magic != kMagic || version != kVersion || hash != hash_of(body)) {
    return fail(Errc::kInvalid, "client.export.envelope");
  }
  FileExport what;
  wire::Decoder decoder(body);
  decoder& what;
  std::array<std::byte, kExportBytes> again;
  encode_export(what, again);
  // Zeros up to the end, and nothing else, follow what is known.
  if (!decoder.ok() || !std::equal(again.begin(), again.end(), in.begin())) {
    return fail(Errc::kInvalid, "client.export.body");
  }
  return what;
}

}  // namespace benchfs::client
