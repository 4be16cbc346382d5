#pragma once

// UCX's endpoint: one end of a link to one worker.
//
// Threading: the thread of its worker.

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "net/ucx_worker.h"

namespace benchfs::net {

/// Told once that an endpoint works no more. Called from inside UcxWorker::progress(); must not
/// close the endpoint there.
class EndpointObserver {
 public:
  virtual void on_endpoint_failed(int status) noexcept = 0;

 protected:
  ~EndpointObserver() = default;
};

class UcxEndpoint {
 public:
  /// Starts to connect to the worker at `address` (UCX's bytes, checked before). `observer` hears
  /// of the loss until close(). kPeerLost if nobody can be there.
  static Result<std::unique_ptr<UcxEndpoint>> create(UcxWorker& worker, ConstBytes address,
                                                     EndpointObserver& observer);
  /// As create(), back to whom the message came from that UCX lent us `asker` with. UCX pairs
  /// endpoints of two workers by their numbers, one by one as each side makes them: what the peer
  /// made and gave up before we heard of it shifts all that follow. Then messages pass, but not
  /// what names the other's endpoint, such as a rendezvous. `asker` is only compared.
  static Result<std::unique_ptr<UcxEndpoint>> create_back(UcxWorker& worker, ConstBytes address,
                                                          const ucp_ep* asker,
                                                          EndpointObserver& observer);
  /// Closes if that has not been done.
  ~UcxEndpoint();
  UcxEndpoint(const UcxEndpoint&) = delete;
  UcxEndpoint& operator=(const UcxEndpoint&) = delete;

  /// Data message. Both buffers stay until `completion` is done.
  void send_data(ConstBytes header, ConstBytes payload, Completion& completion) noexcept;

  /// Handshake message, always eager. `message` stays until `completion` is done. kWanted: UCX
  /// makes sure first, by its own wire-up, that both sides' endpoints know each other.
  enum class Reply : std::uint8_t { kNone, kWanted };
  void send_handshake(ConstBytes message, Reply reply, Completion& completion) noexcept;

  /// Done when all that was sent before has left this process.
  void flush(Completion& completion) noexcept;

  /// Ends all that is in flight, at once or in the coming rounds of progress, without waiting for
  /// the peer. Once. Afterwards the endpoint takes nothing more.
  void close() noexcept;
  bool closed() const noexcept { return handle_ == nullptr; }
  bool is(const ucp_ep* handle) const noexcept { return handle_ == handle; }

 private:
  UcxEndpoint() noexcept = default;
  ucp_ep* handle_ = nullptr;
};

}  // namespace benchfs::net
