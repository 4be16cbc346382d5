#include "net/ucx_endpoint.h"

#include <ucp/api/ucp.h>

#include "base/assert.h"
#include "base/log.h"
#include "net/ucs_map.h"
#include "net/ucx_request.h"

namespace benchfs::net {
namespace {

/// Endpoints that a peer may have given up unheard between two that we hear of.
constexpr int kSkippedMax = 32;

void on_sent(void* request, ucs_status_t status, void* user_data) {
  ucp_request_free(request);
  static_cast<Completion*>(user_data)->done(status);
}

ucp_request_param_t with_completion(Completion& completion) noexcept {
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  param.cb.send = on_sent;
  param.user_data = &completion;
  return param;
}

void send_eager(ucp_ep* endpoint, ConstBytes message, std::uint32_t flags,
                Completion& completion) noexcept {
  ucp_request_param_t param = with_completion(completion);
  param.op_attr_mask |= UCP_OP_ATTR_FIELD_FLAGS;
  param.flags = UCP_AM_SEND_FLAG_EAGER | flags;
  finish_if_immediate(ucp_am_send_nbx(endpoint, static_cast<unsigned>(MessageClass::kHandshake),
                                      nullptr, 0, message.data(), message.size(), &param),
                      completion);
}

}  // namespace

void finish_if_immediate(void* returned, Completion& completion) noexcept {
  if (!UCS_PTR_IS_PTR(returned)) {
    completion.done(UCS_PTR_STATUS(returned));
  }
}

Result<std::unique_ptr<UcxEndpoint>> UcxEndpoint::create(UcxWorker& worker, ConstBytes address,
                                                         EndpointObserver& observer) {
  std::unique_ptr<UcxEndpoint> endpoint(new UcxEndpoint());
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                      UCP_EP_PARAM_FIELD_ERR_HANDLER;
  params.address = reinterpret_cast<const ucp_address_t*>(address.data());
  params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
  params.err_handler.cb = [](void* argument, ucp_ep_h, ucs_status_t status) {
    static_cast<EndpointObserver*>(argument)->on_endpoint_failed(status);
  };
  params.err_handler.arg = &observer;
  const ucs_status_t status = ucp_ep_create(worker.handle(), &params, &endpoint->handle_);
  if (status != UCS_OK) {
    endpoint->handle_ = nullptr;
    log_info("UCX finds no way to a peer: {} (UCX_LOG_LEVEL=error tells why)",
             ucs_status_string(status));
    // Whatever UCX calls it (no such process, no such shared memory, no route): nobody is there.
    return fail(Errc::kPeerLost, "net.connect.endpoint", status);
  }
  return endpoint;
}

Result<std::unique_ptr<UcxEndpoint>> UcxEndpoint::create_back(UcxWorker& worker, ConstBytes address,
                                                              const ucp_ep* asker,
                                                              EndpointObserver& observer) {
  for (int skipped = 0;; ++skipped) {
    BENCHFS_TRY(std::unique_ptr<UcxEndpoint> endpoint, create(worker, address, observer));
    if (endpoint->is(asker) || skipped == kSkippedMax) {
      return endpoint;
    }
    // The counterpart of one that the peer has given up: it goes, and the next one is nearer.
  }
}

UcxEndpoint::~UcxEndpoint() {
  if (!closed()) {
    close();
  }
}

void UcxEndpoint::send_data(ConstBytes header, ConstBytes payload,
                            Completion& completion) noexcept {
  BENCHFS_ASSERT(!closed());
  const ucp_request_param_t param = with_completion(completion);
  finish_if_immediate(
      ucp_am_send_nbx(handle_, static_cast<unsigned>(MessageClass::kData), header.data(),
                      header.size(), payload.data(), payload.size(), &param),
      completion);
}

void UcxEndpoint::send_handshake(ConstBytes message, Reply reply, Completion& completion) noexcept {
  BENCHFS_ASSERT(!closed());
  send_eager(handle_, message, reply == Reply::kWanted ? std::uint32_t{UCP_AM_SEND_FLAG_REPLY} : 0,
             completion);
}

void UcxEndpoint::flush(Completion& completion) noexcept {
  BENCHFS_ASSERT(!closed());
  const ucp_request_param_t param = with_completion(completion);
  finish_if_immediate(ucp_ep_flush_nbx(handle_, &param), completion);
}

void UcxEndpoint::close() noexcept {
  BENCHFS_ASSERT(!closed());
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
  param.flags = UCP_EP_CLOSE_FLAG_FORCE;
  void* request = ucp_ep_close_nbx(handle_, &param);
  handle_ = nullptr;
  if (UCS_PTR_IS_PTR(request)) {
    ucp_request_free(request);  // Nobody waits for it: UCX finishes it in its own time.
  } else if (UCS_PTR_IS_ERR(request)) {
    log_error("UCX cannot close an endpoint: {}", ucs_status_string(UCS_PTR_STATUS(request)));
  }
}

}  // namespace benchfs::net
