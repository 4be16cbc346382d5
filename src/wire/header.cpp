#include "wire/header.h"

#include <array>

#include "base/assert.h"
#include "wire/codec.h"

namespace benchfs::wire {
namespace {

constexpr std::array<std::string_view, kOpLast> kNames = {
    "ping",
    "status",
    "statfs",
    "shutdown",
    "lookup",
    "open",
    "mkdir",
    "unlink",
    "rmdir",
    "rename",
    "readdir",
    "open_inode",
    "close",
    "getattr",
    "setattr",
    "truncate",
    "append",
    "read",
    "write",
    "fsync",
    "attach_directory",
    "detach_directory",
    "remove_directory",
    "directory_usage",
    "unlink_inode",
    "rename_prepare",
    "rename_commit",
    "data_end",
    "truncate_data",
    "remove_data",
    "get_server",
    "join",
    "rename_outcome",
    "symlink",
    "readlink",
    "moves",
    "tell_moves",
    "move_directory",
    "directory_parent",
    "set_parent",
    "lock_range",
    "unlock_range",
    "counter",
    "metrics",
    "stage_range",
    "stage_in",
    "stage_out",
};
static_assert(!kNames.back().empty(), "every operation has a name");

}  // namespace

std::string_view name_of(Op op) noexcept {
  const auto number = static_cast<std::uint16_t>(op);
  return is_op(number) ? kNames[number - 1] : "unknown";
}

std::optional<FixedHeader> decode_fixed_header(ConstBytes header) noexcept {
  if (header.size() < kFixedHeaderBytes) {
    return std::nullopt;
  }
  FixedHeader fixed;
  Decoder decoder(header.first(kFixedHeaderBytes));
  decoder& fixed;
  BENCHFS_ASSERT(decoder.finished());
  const bool body_in_payload = (fixed.flags & kBodyInPayload) != 0;
  const std::size_t behind = header.size() - kFixedHeaderBytes;
  const bool body_fits = body_in_payload ? behind == 0 : behind == fixed.body_bytes;
  const bool is_reply = (fixed.flags & kIsReply) != 0;
  const bool known_flags = (fixed.flags & ~(kIsReply | kBodyInPayload | kNotBegun)) == 0 &&
                           (is_reply || (fixed.flags & kNotBegun) == 0);
  const bool status_fits = fixed.status == 0 || (is_reply && is_errc(fixed.status));
  const Operation& operation = fixed.operation;
  const bool operation_fits = operation.number == 0
                                  ? operation.answered_below == 0
                                  : !is_reply && operation.answered_below >= 1 &&
                                        operation.answered_below <= operation.number;
  if (!operation_fits || fixed.magic != kMagic || fixed.version != kVersion || !body_fits ||
      !known_flags || !status_fits) {
    return std::nullopt;
  }
  return fixed;
}

}  // namespace benchfs::wire
