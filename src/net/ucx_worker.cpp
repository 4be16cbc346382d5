#include "net/ucx_worker.h"

#include <chrono>
#include <cstdlib>
#include <utility>

#include <ucp/api/ucp.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/log.h"
#include "net/ucs_map.h"
#include "net/ucx_request.h"

namespace benchfs::net {
namespace {

/// How long the end of a worker may take that still has messages of UCX's own to send.
constexpr std::chrono::milliseconds kFlushTimeout{200};

}  // namespace

struct UcxWorker::Entry {
  MessageClass message_class;
  ArrivalHandler* handler;

  static ucs_status_t on_arrival(void* argument, const void* header, std::size_t header_bytes,
                                 void* data, std::size_t data_bytes,
                                 const ucp_am_recv_param_t* param) {
    const Entry& entry = *static_cast<const Entry*>(argument);
    const bool rendezvous = (param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0;
    const Arrival arrival{
        .header = {static_cast<const std::byte*>(header), header_bytes},
        .data = data,
        .data_bytes = data_bytes,
        .rendezvous = rendezvous,
        .keepable = rendezvous || (param->recv_attr & UCP_AM_RECV_ATTR_FLAG_DATA) != 0,
        .reply_endpoint =
            (param->recv_attr & UCP_AM_RECV_ATTR_FIELD_REPLY_EP) != 0 ? param->reply_ep : nullptr,
    };
    const auto disposal = entry.handler->on_arrival(entry.message_class, arrival);
    return disposal == ArrivalHandler::Disposal::kKept ? UCS_INPROGRESS : UCS_OK;
  }
};

UcxWorker::UcxWorker(UcxContext& context, ucp_worker* handle, ArrivalHandler& handler)
    : context_(context), handle_(handle), handler_(handler) {}

Result<std::unique_ptr<UcxWorker>> UcxWorker::create(UcxContext& context, ThreadMode mode,
                                                     ArrivalHandler& handler) {
  ucp_worker_params_t params{};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  params.thread_mode =
      mode == ThreadMode::kOneThread ? UCS_THREAD_MODE_SINGLE : UCS_THREAD_MODE_SERIALIZED;
  ucp_worker_h handle = nullptr;
  const ucs_status_t status = ucp_worker_create(context.handle(), &params, &handle);
  if (status != UCS_OK) {
    const char* transports = std::getenv("UCX_TLS");
    log_error("UCX cannot create a worker: {}; UCX_TLS is {}", ucs_status_string(status),
              transports == nullptr ? "not set" : transports);
    return fail(to_error(status, "ucx.worker"));
  }
  std::unique_ptr<UcxWorker> worker(new UcxWorker(context, handle, handler));
  BENCHFS_CHECK(worker->set_up());
  return worker;
}

Status UcxWorker::set_up() {
  ucs_status_t status = ucp_worker_get_efd(handle_, &event_fd_);
  if (status != UCS_OK) {
    log_error(
        "UCX has no event descriptor: {}; UCX_TLS must name a transport that can wake up (tcp, "
        "posix, rc, dc)",
        ucs_status_string(status));
    return fail(to_error(status, "ucx.event_fd"));
  }
  ucp_worker_attr_t attributes{};
  attributes.field_mask = UCP_WORKER_ATTR_FIELD_MAX_AM_HEADER;
  status = ucp_worker_query(handle_, &attributes);
  if (status != UCS_OK) {
    log_error("UCX does not say how long a header may be: {}", ucs_status_string(status));
    return fail(to_error(status, "ucx.query"));
  }
  if (attributes.max_am_header < kHeaderBytesMax + kPrefixBytes) {
    log_error(
        "UCX's transports carry headers of {} bytes, but {} are needed; set UCX_TLS to others",
        attributes.max_am_header, kHeaderBytesMax + kPrefixBytes);
    return fail(Errc::kUnsupported, "ucx.header");
  }
  for (const MessageClass message_class : {MessageClass::kHandshake, MessageClass::kData}) {
    entries_.push_back(std::make_unique<Entry>(Entry{message_class, &handler_}));
    ucp_am_handler_param_t params{};
    params.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_FLAGS |
                        UCP_AM_HANDLER_PARAM_FIELD_CB | UCP_AM_HANDLER_PARAM_FIELD_ARG;
    params.id = static_cast<unsigned>(message_class);
    params.flags = UCP_AM_FLAG_WHOLE_MSG;
    params.cb = &Entry::on_arrival;
    params.arg = entries_.back().get();
    status = ucp_worker_set_am_recv_handler(handle_, &params);
    if (status != UCS_OK) {
      log_error("UCX takes no handler for messages: {}", ucs_status_string(status));
      return fail(to_error(status, "ucx.handler"));
    }
  }
  return {};
}

UcxWorker::~UcxWorker() {
  if (!left_ && flushed()) {
    ucp_worker_destroy(handle_);
    return;
  }
  log_debug("UCX has messages that a peer does not take; its worker is left to the process's end");
  context_.abandon();
}

bool UcxWorker::flushed() noexcept {
  ucp_request_param_t param{};
  void* request = ucp_worker_flush_nbx(handle_, &param);
  if (!UCS_PTR_IS_PTR(request)) {
    return true;
  }
  const auto until = std::chrono::steady_clock::now() + kFlushTimeout;
  ucs_status_t status = UCS_INPROGRESS;
  while (status == UCS_INPROGRESS && std::chrono::steady_clock::now() < until) {
    ucp_worker_progress(handle_);
    status = ucp_request_check_status(request);
  }
  ucp_request_free(request);
  return status != UCS_INPROGRESS;
}

bool UcxWorker::progress() noexcept {
  return !left_ && ucp_worker_progress(handle_) != 0;
}

bool UcxWorker::arm() noexcept {
  const ucs_status_t status = ucp_worker_arm(handle_);
  if (status != UCS_OK && status != UCS_ERR_BUSY) {
    // Spinning is slow but right; sleeping without an armed worker would lose messages.
    log_warning("UCX cannot be armed: {}", ucs_status_string(status));
  }
  return status == UCS_OK;
}

Result<std::vector<std::byte>> UcxWorker::address() const {
  ucp_address_t* address = nullptr;
  std::size_t bytes = 0;
  const ucs_status_t status = ucp_worker_get_address(handle_, &address, &bytes);
  if (status != UCS_OK) {
    log_error("UCX does not tell the worker's address: {}", ucs_status_string(status));
    return fail(to_error(status, "ucx.address"));
  }
  const auto* begin = reinterpret_cast<const std::byte*>(address);
  std::vector<std::byte> copy(begin, begin + bytes);
  ucp_worker_release_address(handle_, address);
  return copy;
}

void UcxWorker::receive(void* data, Bytes buffer, Completion& completion) noexcept {
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  param.cb.recv_am = [](void* request, ucs_status_t status, std::size_t, void* user_data) {
    ucp_request_free(request);
    static_cast<Completion*>(user_data)->done(status);
  };
  param.user_data = &completion;
  finish_if_immediate(ucp_am_recv_data_nbx(handle_, data, buffer.data(), buffer.size(), &param),
                      completion);
}

void UcxWorker::release(void* data) noexcept {
  ucp_am_data_release(handle_, data);
}

}  // namespace benchfs::net
