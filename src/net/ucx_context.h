#pragma once

// UCX's context: which transports this process uses and how they are set. One per UcxTransport.
//
// Threading: the thread of its transport.

#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

// UCX's own handles, opaque here: only the sources of net include UCX's headers.
struct ucp_context;
struct ucp_mem;

namespace benchfs::net {

class UcxContext {
 public:
  /// Logs and returns kUnsupported, kIo, kOutOfMemory or kTooManyFiles if UCX cannot be set up as
  /// the environment (UCX_TLS, UCX_NET_DEVICES, ...) asks.
  static Result<std::unique_ptr<UcxContext>> create();
  ~UcxContext();
  UcxContext(const UcxContext&) = delete;
  UcxContext& operator=(const UcxContext&) = delete;

  ucp_context* handle() const noexcept { return handle_; }

  /// Ends UCX's own messages, in the whole process, unless UCX_LOG_LEVEL is set: for when the
  /// set-up has succeeded, and what may fail from then on is the business of our errors.
  static void quiet();

  /// Leaves UCX's context as it is until the process ends, for a worker that cannot be destroyed.
  void abandon() noexcept { abandoned_ = true; }

  /// Registers `region` with every network device, until the context ends.
  Status register_memory(Bytes region);

 private:
  explicit UcxContext(ucp_context* handle) noexcept : handle_(handle) {}
  ucp_context* handle_;
  bool abandoned_ = false;
  std::vector<ucp_mem*> regions_;
};

}  // namespace benchfs::net
