#pragma once

// UCX's worker: where endpoints live, messages arrive and progress is made.
//
// Threading: one thread at a time (see ThreadMode).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "net/ucx_context.h"

struct ucp_worker;
struct ucp_ep;

namespace benchfs::net {

/// Whether the threads that use a worker, one at a time, are always the same one.
enum class ThreadMode : std::uint8_t { kOneThread, kOneAtATime };

/// The two classes of messages; UCX active message ids.
enum class MessageClass : std::uint8_t { kHandshake = 1, kData = 2 };

/// A message as it arrives, in UCX's callback: valid only there, except for `data` once it is kept.
struct Arrival {
  ConstBytes header;
  /// Eager: the payload. Rendezvous or keepable: UCX's descriptor, for ucp_am_recv_data_nbx().
  void* data = nullptr;
  std::size_t data_bytes = 0;
  bool rendezvous = false;
  /// Whether `data` may be kept beyond the callback.
  bool keepable = false;
  /// Leads back to the sender if it asked for that; lives as long as UCX sees fit.
  ucp_ep* reply_endpoint = nullptr;
};

/// Who gets what arrives. Called from inside UcxWorker::progress(): may send, must not create or
/// close endpoints.
class ArrivalHandler {
 public:
  enum class Disposal : std::uint8_t { kDone, kKept };

  /// kDone: UCX reclaims the data, and tells a rendezvous sender that nobody wants it. kKept:
  /// whoever keeps `arrival.data` receives it or gives it to UcxWorker::release().
  virtual Disposal on_arrival(MessageClass message_class, const Arrival& arrival) noexcept = 0;

 protected:
  ~ArrivalHandler() = default;
};

/// Told once what became of a request; lives until then.
class Completion {
 public:
  /// `status` is a ucs_status_t. May destroy this object. Called from progress() or from the
  /// starting call itself.
  virtual void done(int status) noexcept = 0;

 protected:
  ~Completion() = default;
};

class UcxWorker {
 public:
  /// Borrows both, which outlive it. Logs its errors: kUnsupported, kIo, kOutOfMemory.
  static Result<std::unique_ptr<UcxWorker>> create(UcxContext& context, ThreadMode mode,
                                                   ArrivalHandler& handler);
  /// Requires that no request is in flight and no kept data is left. Takes up to 200 ms if a peer
  /// takes none of what UCX has to say to it; then the worker is not destroyed, since UCX 1.13
  /// would end the process (README.md), and stays with its context until the process ends.
  ~UcxWorker();
  UcxWorker(const UcxWorker&) = delete;
  UcxWorker& operator=(const UcxWorker&) = delete;

  /// One round of UCX's progress; whether anything happened.
  bool progress() noexcept;
  bool arm() noexcept;
  /// From here on nothing of it moves, neither into buffers nor out of them, and it stays as it is
  /// until the process ends: for requests that UCX does not end.
  void leave() noexcept { left_ = true; }
  int event_fd() const noexcept { return event_fd_; }

  Result<std::vector<std::byte>> address() const;

  /// Puts the kept `data` of an arrival into `buffer`.
  void receive(void* data, Bytes buffer, Completion& completion) noexcept;
  /// Discards kept data.
  void release(void* data) noexcept;

  ucp_worker* handle() const noexcept { return handle_; }

 private:
  struct Entry;  ///< What UCX's callback gets as its argument, one per message class.
  UcxWorker(UcxContext& context, ucp_worker* handle, ArrivalHandler& handler);
  Status set_up();
  /// Whether UCX has sent all that it had to say by itself.
  bool flushed() noexcept;

  UcxContext& context_;
  ucp_worker* handle_;
  int event_fd_ = -1;
  bool left_ = false;
  std::vector<std::unique_ptr<Entry>> entries_;
  ArrivalHandler& handler_;
};

}  // namespace benchfs::net
