#include "fuzz/fuzz.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "base/assert.h"

namespace {

thread_local std::uint64_t allocated_bytes = 0;

void* allocate(std::size_t size, std::size_t alignment) noexcept {
  allocated_bytes += size;
  const std::size_t rounded =
      (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment;
  return rounded < size ? nullptr : std::aligned_alloc(alignment, rounded);
}

void* allocate_or_end(std::size_t size, std::size_t alignment) noexcept {
  void* const memory = allocate(size, alignment);
  if (memory == nullptr) {
    // The product has no answer to that but to end; a decoder that gets here asked for too much.
    std::fprintf(stderr, "fuzz: no memory for %zu bytes\n", size);
    std::abort();
  }
  return memory;
}

}  // namespace

// All of them: a sanitizer brings its own for those that are missing.
void* operator new(std::size_t size) {
  return allocate_or_end(size, alignof(std::max_align_t));
}
void* operator new[](std::size_t size) {
  return allocate_or_end(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate_or_end(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate_or_end(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size, alignof(std::max_align_t));
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size, alignof(std::max_align_t));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}

namespace benchfs::fuzz {

AllocationMeter::AllocationMeter() noexcept : begin_(allocated_bytes) {}

std::uint64_t AllocationMeter::bytes() const noexcept {
  return allocated_bytes - begin_;
}

Buffer to_buffer(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string to_text(ConstBytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool equal(ConstBytes a, ConstBytes b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

void put(Buffer& bytes, std::size_t at, std::uint64_t value, std::size_t count) noexcept {
  BENCHFS_ASSERT(at + count <= bytes.size());
  for (std::size_t i = 0; i < count; ++i) {
    bytes[at + i] = static_cast<std::byte>(value >> (8 * i));
  }
}

Buffer with_choice(std::uint8_t choice, ConstBytes bytes) {
  Buffer out(1 + bytes.size());
  out.front() = std::byte{choice};
  std::copy(bytes.begin(), bytes.end(), out.begin() + 1);
  return out;
}

void broken(const char* promise, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, promise);
  std::abort();
}

}  // namespace benchfs::fuzz
