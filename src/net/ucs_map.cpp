#include "net/ucs_map.h"

#include <ucs/type/status.h>

#include "base/assert.h"

namespace benchfs::net {
namespace {

Errc to_errc(int status) noexcept {
  switch (status) {
    case UCS_ERR_NO_MEMORY:
    case UCS_ERR_NO_RESOURCE:
      return Errc::kOutOfMemory;
    case UCS_ERR_INVALID_PARAM:
    case UCS_ERR_INVALID_ADDR:
      return Errc::kInvalid;
    case UCS_ERR_MESSAGE_TRUNCATED:
      return Errc::kProtocol;
    case UCS_ERR_OUT_OF_RANGE:
      return Errc::kOutOfRange;
    case UCS_ERR_BUSY:
      return Errc::kBusy;
    case UCS_ERR_UNSUPPORTED:
    case UCS_ERR_NOT_IMPLEMENTED:
      return Errc::kUnsupported;
    case UCS_ERR_TIMED_OUT:
    case UCS_ERR_ENDPOINT_TIMEOUT:
    case UCS_ERR_CONNECTION_RESET:
    case UCS_ERR_NOT_CONNECTED:
    case UCS_ERR_UNREACHABLE:
    case UCS_ERR_NO_DEVICE:
    case UCS_ERR_REJECTED:
    case UCS_ERR_CANCELED:
    case UCS_ERR_IO_ERROR:
      // All of these say that this peer cannot be reached any more: a time-out here is the
      // transport's own, after which the endpoint is dead, not that of a request.
      return Errc::kPeerLost;
    default:
      return status <= UCS_ERR_FIRST_LINK_FAILURE && status >= UCS_ERR_LAST_ENDPOINT_FAILURE
                 ? Errc::kPeerLost
                 : Errc::kIo;
  }
}

}  // namespace

Error to_error(int status, const char* where) noexcept {
  BENCHFS_ASSERT(status < 0);
  return Error{.code = to_errc(status), .os_code = status, .where = where};
}

}  // namespace benchfs::net
