#pragma once

// All messages by operation, and values for them; for the fuzz targets of the wire.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "wire/codec.h"
#include "wire/membership.h"
#include "wire/messages.h"
#include "wire/metrics.h"
#include "wire/staging.h"

namespace benchfs::fuzz {

/// One request for each operation, which the target wire_body checks; a reply is the request's
/// Reply.
using Requests = std::tuple<
    wire::PingRequest, wire::StatusRequest, wire::StatFsRequest, wire::ShutdownRequest,
    wire::LookupRequest, wire::OpenRequest, wire::MkdirRequest, wire::UnlinkRequest,
    wire::RmdirRequest, wire::RenameRequest, wire::ReadDirRequest, wire::OpenInodeRequest,
    wire::CloseRequest, wire::GetAttrRequest, wire::SetAttrRequest, wire::TruncateRequest,
    wire::AppendRequest, wire::ReadRequest, wire::WriteRequest, wire::FsyncRequest,
    wire::AttachDirectoryRequest, wire::DetachDirectoryRequest, wire::RemoveDirectoryRequest,
    wire::DirectoryUsageRequest, wire::UnlinkInodeRequest, wire::RenamePrepareRequest,
    wire::RenameCommitRequest, wire::DataEndRequest, wire::TruncateDataRequest,
    wire::RemoveDataRequest, wire::GetServerRequest, wire::JoinRequest, wire::RenameOutcomeRequest,
    wire::SymlinkRequest, wire::ReadLinkRequest, wire::MovesRequest, wire::TellMovesRequest,
    wire::MoveDirectoryRequest, wire::DirectoryParentRequest, wire::SetParentRequest,
    wire::LockRangeRequest, wire::UnlockRangeRequest, wire::CounterRequest, wire::MetricsRequest,
    wire::StageRangeRequest, wire::StageInRequest, wire::StageOutRequest>;

enum class Direction : std::uint8_t { kRequest = 0, kReply = 1, kPayload = 2 };

/// The operations whose requests have an encoded list as their payload.
template <typename Visit>
bool visit_payload(std::uint16_t op, Visit visit) {
  if (op == static_cast<std::uint16_t>(wire::Op::kStageIn)) {
    visit(wire::StageInFiles{});
  } else if (op == static_cast<std::uint16_t>(wire::Op::kStageOut)) {
    visit(wire::StageOutFiles{});
  } else {
    return false;
  }
  return true;
}

/// Calls `visit` with a default message of the type that `op` and `direction` name; false if there
/// is no such operation.
template <typename Visit>
bool visit_message(std::uint16_t op, Direction direction, Visit visit) {
  if (direction == Direction::kPayload) {
    return visit_payload(op, visit);
  }
  bool found = false;
  const auto try_one = [&]<typename Request>(Request request) {
    if (static_cast<std::uint16_t>(Request::kOp) == op) {
      found = true;
      if (direction == Direction::kRequest) {
        visit(request);
      } else {
        visit(typename Request::Reply{});
      }
    }
  };
  std::apply([&](auto... request) { (try_one(request), ...); }, Requests{});
  return found;
}

/// An archive that gives every field another value, in place of a decoder.
class Filler {
 public:
  using is_saving = std::false_type;
  using is_loading = std::true_type;

  explicit Filler(std::size_t list_size) noexcept : list_size_(list_size) {}

  template <typename T>
  Filler& operator&(T& value) {
    fill(value);
    return *this;
  }

 private:
  template <wire::Scalar T>
  void fill(T& value) noexcept {
    if constexpr (std::is_same_v<T, bool>) {
      value = true;
    } else {
      value = static_cast<T>(next_++);
    }
  }
  void fill(std::string& value) { value = "name" + std::to_string(next_++); }
  template <typename T>
  void fill(std::vector<T>& values) {
    values.resize(list_size_);
    for (T& value : values) {
      fill(value);
    }
  }
  template <typename T>
  requires std::is_class_v<T>
  void fill(T& value) { value.serialize(*this, 0); }

  const std::size_t list_size_;
  std::uint32_t next_ = 1;
};

template <typename Message>
Buffer encode_body(const Message& message) {
  Buffer out(kBodyBytesMax);
  wire::Encoder encoder(out);
  encoder& message;
  FUZZ_CHECK(encoder.ok());
  out.resize(encoder.size());
  return out;
}

/// Decodes `body` as `message`, as dispatcher and caller do, and checks what the codec promises.
template <typename Message>
Verdict check_body(Message message, ConstBytes body) {
  const AllocationMeter meter;
  wire::Decoder decoder(body);
  decoder& message;
  // Strings and lists in memory against their bytes on the wire; below that no count is believed.
  FUZZ_CHECK(meter.bytes() <= 4 * body.size() + 256);
  if (!decoder.finished()) {
    return Verdict::kRefused;
  }
  Buffer again(body.size());
  wire::Encoder encoder(again);
  encoder& message;
  FUZZ_CHECK(encoder.ok() && encoder.size() == body.size() && equal(again, body));
  Buffer shorter(body.empty() ? 0 : body.size() - 1);
  wire::Encoder overflowing(shorter);
  overflowing& message;
  FUZZ_CHECK(overflowing.ok() == body.empty());
  return Verdict::kAccepted;
}

}  // namespace benchfs::fuzz
