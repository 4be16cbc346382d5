#include "io/transfer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "base/log.h"
#include "base/units.h"

namespace benchfs::io {
namespace {

constexpr const char* kWhere[] = {"disk.read", "disk.write", "disk.fsync"};
constexpr const char* kVerbs[] = {"read", "write", "fsync"};

TransferStep fail_with(DiskOp& op, Errc code, int os_code) noexcept {
  op.set_status(fail(code, kWhere[static_cast<std::size_t>(op.kind())], os_code));
  return TransferStep::kDone;
}

}  // namespace

std::size_t rest_size_bytes(const DiskOp& op) noexcept {
  return std::min(op.size_bytes() - op.done_bytes, kSyscallBytesMax);
}

TransferStep advance(DiskOp& op, std::int64_t result, std::size_t alignment_bytes) noexcept {
  if (result == -EINTR || result == -EAGAIN) {
    return TransferStep::kAgain;
  }
  if (result < 0) {
    const int code = static_cast<int>(-result);
    const bool full = code == ENOSPC || code == EDQUOT;
    return fail_with(op, full ? Errc::kOutOfSpace : Errc::kIo, code);
  }
  if (op.kind() == DiskOpKind::kFsync) {
    op.set_status({});
    return TransferStep::kDone;
  }
  const auto moved = static_cast<std::size_t>(result);
  BENCHFS_ASSERT(moved <= op.size_bytes() - op.done_bytes);
  if (op.done_bytes + moved == op.size_bytes()) {
    op.done_bytes = op.size_bytes();
    op.set_status({});
    return TransferStep::kDone;
  }
  // Part of a block is moved again: direct I/O cannot go on in the middle of one.
  const std::size_t whole = round_down(moved, alignment_bytes);
  if (whole == 0) {
    return fail_with(op, Errc::kIo, 0);  // The file is shorter than the disk that it holds.
  }
  op.done_bytes += whole;
  return TransferStep::kAgain;
}

void log_failure(const DiskOp& op, std::string_view path) {
  const Status status = op.await_resume();
  if (status.has_value()) {
    return;
  }
  const int code = status.error().os_code;
  log_error("{}: {} of {} bytes at {} failed: {}", path,
            kVerbs[static_cast<std::size_t>(op.kind())], op.size_bytes(), op.offset_bytes(),
            code == 0 ? "the file ends there" : std::strerror(code));
}

}  // namespace benchfs::io
