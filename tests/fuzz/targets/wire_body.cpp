// Bodies of requests and replies, of every operation: what decodes encodes to the same bytes, and
// takes no more memory than its bytes justify.
//
// Input: operation 1, direction 1 (0 request, 1 reply, 2 a list that is the request's payload),
// body.

#include "fuzz/fuzz.h"
#include "fuzz/targets/message_types.h"

namespace benchfs::fuzz {

Verdict run_one(ConstBytes bytes) {
  Input input(bytes);
  const std::uint16_t op = input.take_byte();
  const auto direction = static_cast<Direction>(input.take_byte() & 3U);
  const ConstBytes body = input.rest();
  if (body.size() > kBodyBytesMax) {
    return Verdict::kRefused;  // The dispatcher looks at no longer one.
  }
  auto verdict = Verdict::kRefused;
  visit_message(op, direction,
                [&](auto message) { verdict = check_body(std::move(message), body); });
  return verdict;
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  for (std::uint16_t op = 1; op <= wire::kOpLast; ++op) {
    for (const Direction direction :
         {Direction::kRequest, Direction::kReply, Direction::kPayload}) {
      const std::string name = std::string(wire::name_of(static_cast<wire::Op>(op))) +
                               (direction == Direction::kRequest ? "_request"
                                : direction == Direction::kReply ? "_reply"
                                                                 : "_payload");
      const bool listed = visit_message(op, direction, [&](auto message) {
        Filler filler(2);
        filler& message;
        Buffer bytes =
            with_choice(static_cast<std::uint8_t>(op),
                        with_choice(static_cast<std::uint8_t>(direction), encode_body(message)));
        out.push_back({name, std::move(bytes)});
      });
      FUZZ_CHECK(listed ||
                 direction ==
                     Direction::kPayload);  // A new operation belongs into message_types.h.
    }
  }
  return out;
}

}  // namespace benchfs::fuzz
