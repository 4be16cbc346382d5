#pragma once

// What a fuzz target is: a function that gives one decoder one input and checks every promise of
// that decoder, and the valid inputs that a search starts from. The same target is linked with
// libFuzzer (clang) or with replay.cpp (any compiler), which runs the kept inputs once.
//
// Threading: one thread.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace benchfs::fuzz {

using Buffer = std::vector<std::byte>;

/// What the decoder said. Whether it may say so is checked inside run_one().
enum class Verdict : std::uint8_t { kRefused, kAccepted };

/// A valid input: replay fails if the decoder refuses it, so that no target checks nothing.
struct Seed {
  std::string name;  ///< Of its file in the corpus.
  Buffer bytes;
};

/// Defined by each target. run_one() aborts if a promise is broken.
Verdict run_one(ConstBytes input);
std::vector<Seed> seeds();

/// Takes an input apart: the first bytes choose what is done with the rest. Past the end: zeros.
class Input {
 public:
  explicit Input(ConstBytes bytes) noexcept : bytes_(bytes) {}

  std::uint8_t take_byte() noexcept {
    if (bytes_.empty()) {
      return 0;
    }
    const auto value = std::to_integer<std::uint8_t>(bytes_.front());
    bytes_ = bytes_.subspan(1);
    return value;
  }
  ConstBytes rest() const noexcept { return bytes_; }

 private:
  ConstBytes bytes_;
};

/// Bytes that operator new has been asked for since the meter was made: what a decoder may take
/// is bounded by what it was given.
class AllocationMeter {
 public:
  AllocationMeter() noexcept;
  std::uint64_t bytes() const noexcept;

 private:
  std::uint64_t begin_;
};

Buffer to_buffer(std::string_view text);
std::string to_text(ConstBytes bytes);
bool equal(ConstBytes a, ConstBytes b) noexcept;

/// Puts `value`, little-endian, into `bytes` at `at`, which must have room.
void put(Buffer& bytes, std::size_t at, std::uint64_t value, std::size_t count) noexcept;

/// `choice` and then `bytes`: the form of an input that begins with a choice.
Buffer with_choice(std::uint8_t choice, ConstBytes bytes);

[[noreturn]] void broken(const char* promise, const char* file, int line) noexcept;

}  // namespace benchfs::fuzz

/// A promise of the decoder; unlike an assertion of the product, what breaks it is a finding.
#define FUZZ_CHECK(promise) \
  ((promise) ? static_cast<void>(0) : ::benchfs::fuzz::broken(#promise, __FILE__, __LINE__))
