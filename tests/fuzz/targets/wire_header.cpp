// Whole messages: the fixed header, and the body behind it or in the payload. What is accepted
// encodes to the same bytes and says what README.md of src/wire allows.
//
// Input: header of the message; if that has the flag for it and nothing behind, the payload follows
// the first 56 bytes instead.

#include "fuzz/fuzz.h"
#include "fuzz/targets/message_types.h"
#include "wire/header.h"

namespace benchfs::fuzz {
namespace {

constexpr std::size_t kFlagsAt = 8;

void check_fixed(const wire::FixedHeader& fixed, ConstBytes header) {
  Buffer again(wire::kFixedHeaderBytes);
  wire::Encoder encoder(again);
  encoder& fixed;
  FUZZ_CHECK(encoder.ok() && encoder.size() == wire::kFixedHeaderBytes);
  FUZZ_CHECK(equal(again, header.first(wire::kFixedHeaderBytes)));
  FUZZ_CHECK(fixed.magic == wire::kMagic && fixed.version == wire::kVersion);
  FUZZ_CHECK((fixed.flags & wire::kIsReply) != 0 || fixed.status == 0);
  FUZZ_CHECK(fixed.status == 0 || is_errc(fixed.status));
  const wire::Operation& operation = fixed.operation;
  FUZZ_CHECK(operation.answered_below <= operation.number);
  FUZZ_CHECK((operation.number == 0) == (operation.answered_below == 0));
  FUZZ_CHECK((fixed.flags & wire::kIsReply) == 0 || operation.number == 0);
  const std::size_t behind = header.size() - wire::kFixedHeaderBytes;
  FUZZ_CHECK((fixed.flags & wire::kBodyInPayload) != 0 ? behind == 0 : behind == fixed.body_bytes);
}

template <typename Message>
Buffer message_of(wire::Op op, Direction direction, std::uint16_t more_flags,
                  const Message& message) {
  const Buffer body = encode_body(message);
  wire::FixedHeader fixed;
  fixed.op = op;
  fixed.flags = static_cast<std::uint16_t>(more_flags |
                                           (direction == Direction::kReply ? wire::kIsReply : 0));
  fixed.body_bytes =
      (more_flags & wire::kBodyInPayload) != 0 ? 0 : static_cast<std::uint32_t>(body.size());
  fixed.request = RequestId{7};
  fixed.epoch = 1;
  if (direction == Direction::kRequest && wire::is_done_once(op)) {
    fixed.operation = {.number = 9, .answered_below = 5};
  }
  Buffer out(wire::kFixedHeaderBytes);
  wire::Encoder encoder(out);
  encoder& fixed;
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

}  // namespace

Verdict run_one(ConstBytes bytes) {
  ConstBytes header = bytes;
  ConstBytes payload;
  if (bytes.size() > wire::kFixedHeaderBytes &&
      (std::to_integer<unsigned>(bytes[kFlagsAt]) & wire::kBodyInPayload) != 0) {
    header = bytes.first(wire::kFixedHeaderBytes);
    payload = bytes.subspan(wire::kFixedHeaderBytes);
  }
  if (header.size() > kHeaderBytesMax || payload.size() > kBodyBytesMax) {
    return Verdict::kRefused;
  }
  const AllocationMeter meter;
  const auto fixed = wire::decode_fixed_header(header);
  FUZZ_CHECK(meter.bytes() == 0);
  if (!fixed.has_value()) {
    return Verdict::kRefused;
  }
  check_fixed(*fixed, header);
  const bool is_reply = (fixed->flags & wire::kIsReply) != 0;
  const ConstBytes body = (fixed->flags & wire::kBodyInPayload) != 0
                              ? payload
                              : header.subspan(wire::kFixedHeaderBytes);
  auto verdict = Verdict::kRefused;
  const bool known = visit_message(
      static_cast<std::uint16_t>(fixed->op), is_reply ? Direction::kReply : Direction::kRequest,
      [&](auto message) { verdict = check_body(std::move(message), body); });
  FUZZ_CHECK(!known || wire::name_of(fixed->op) != "unknown");
  return verdict;
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  const auto add = [&out](const std::string& name, wire::Op op, Direction direction,
                          std::uint16_t more_flags, std::size_t list_size) {
    visit_message(static_cast<std::uint16_t>(op), direction, [&](auto message) {
      Filler filler(list_size);
      filler& message;
      out.push_back({name, message_of(op, direction, more_flags, message)});
    });
  };
  add("ping_request", wire::Op::kPing, Direction::kRequest, 0, 0);
  add("open_request", wire::Op::kOpen, Direction::kRequest, 0, 0);
  add("open_reply", wire::Op::kOpen, Direction::kReply, 0, 0);
  add("write_request", wire::Op::kWrite, Direction::kRequest, 0, kPiecesMax);
  add("status_reply", wire::Op::kStatus, Direction::kReply, 0, 3);
  add("readdir_reply_in_payload", wire::Op::kReadDir, Direction::kReply, wire::kBodyInPayload, 40);
  return out;
}

}  // namespace benchfs::fuzz
