// Links a target with libFuzzer.

#include <cstdint>
#include <span>

#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  benchfs::fuzz::run_one(std::as_bytes(std::span(data, size)));
  return 0;
}
