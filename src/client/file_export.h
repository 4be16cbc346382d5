#pragma once

// An open file as bytes that another process of the session can attach to.
//
// Pure. The bytes are checked when they come back: they may be anything.

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/attributes.h"
#include "wire/messages.h"

namespace benchfs::client {

inline constexpr std::size_t kExportBytes = 128;

struct FileExport {
  std::uint64_t session_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t inode = 0;
  wire::Layout layout;
  std::uint32_t flags = 0;
  std::uint64_t open_id = 0;
  std::uint64_t truncate_epoch = 0;
  wire::CounterKey counter = {};

  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& session_id& epoch& inode& layout& flags& open_id& truncate_epoch& counter;
  }
};

/// Fills `out`, which has kExportBytes.
void encode_export(const FileExport& what, Bytes out) noexcept;

/// kInvalid: not such bytes, of another version, or damaged.
Result<FileExport> decode_export(ConstBytes in);

}  // namespace benchfs::client
