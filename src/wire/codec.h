#pragma once

// Encoding of messages: little-endian, no padding, no alignment; strings and lists carry their
// count.
//
// A message struct has `template <class Archive> void serialize(Archive& ar, unsigned)` in the form
// of Boost.Serialization (`ar & field & field`), and so works with Boost's archives (session file)
// too. The archives here are for the wire: they allocate nothing but what a decoded list or string
// holds, throw nothing, and refuse what does not fit. Decoding is for untrusted bytes: every count
// is checked against the bytes that are left before anything is allocated.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "base/bytes.h"

namespace benchfs::wire {

template <typename T>
concept Scalar = std::is_integral_v<T> || std::is_enum_v<T>;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the codec copies scalars; a big-endian port swaps them here");

/// Writes into memory of the caller. After an overflow ok() is false and size() means nothing.
class Encoder {
 public:
  using is_saving = std::true_type;
  using is_loading = std::false_type;

  explicit Encoder(Bytes out) noexcept : out_(out) {}

  template <typename T>
  Encoder& operator&(const T& value) noexcept {
    put(value);
    return *this;
  }

  bool ok() const noexcept { return ok_; }
  std::size_t size() const noexcept { return size_; }

 private:
  template <Scalar T>
  void put(T value) noexcept {
    put_bytes(&value, sizeof(value));
  }
  void put(const std::string& value) noexcept {
    put(static_cast<std::uint32_t>(value.size()));
    put_bytes(value.data(), value.size());
  }
  template <typename T>
  void put(const std::vector<T>& values) noexcept {
    put(static_cast<std::uint32_t>(values.size()));
    for (const T& value : values) {
      put(value);
    }
  }
  template <typename T>
  requires std::is_class_v<T>
  void put(const T& value) noexcept {
    const_cast<T&>(value).serialize(*this, 0);  // One serialize() for both directions.
  }
  void put_bytes(const void* data, std::size_t size) noexcept {
    if (!ok_ || size > out_.size() - size_) {
      ok_ = false;
      return;
    }
    if (size > 0) {
      std::memcpy(out_.data() + size_, data, size);
    }
    size_ += size;
  }

  Bytes out_;
  std::size_t size_ = 0;
  bool ok_ = true;
};

/// Counts what the Encoder would write.
class ByteCounter {
 public:
  using is_saving = std::true_type;
  using is_loading = std::false_type;

  template <typename T>
  ByteCounter& operator&(const T& value) noexcept {
    count(value);
    return *this;
  }

  std::size_t size() const noexcept { return size_; }

 private:
  template <Scalar T>
  void count(T) noexcept {
    size_ += sizeof(T);
  }
  void count(const std::string& value) noexcept { size_ += sizeof(std::uint32_t) + value.size(); }
  template <typename T>
  void count(const std::vector<T>& values) noexcept {
    size_ += sizeof(std::uint32_t);
    for (const T& value : values) {
      count(value);
    }
  }
  template <typename T>
  requires std::is_class_v<T>
  void count(const T& value) noexcept { const_cast<T&>(value).serialize(*this, 0); }

  std::size_t size_ = 0;
};

/// No encoded T takes fewer bytes: a default one has no elements anywhere.
template <typename T>
std::size_t encoded_bytes_min() {
  ByteCounter counter;
  counter& T{};
  return counter.size();
}

/// Reads from bytes of a peer. After the first thing that does not fit ok() is false and every
/// further field keeps its default.
class Decoder {
 public:
  using is_saving = std::false_type;
  using is_loading = std::true_type;

  explicit Decoder(ConstBytes in) noexcept : in_(in) {}

  template <typename T>
  Decoder& operator&(T& value) {
    get(value);
    return *this;
  }

  bool ok() const noexcept { return ok_; }
  /// Whether all bytes were used, and nothing was missing.
  bool finished() const noexcept { return ok_ && in_.empty(); }

 private:
  template <Scalar T>
  void get(T& value) noexcept {
    if constexpr (std::is_same_v<T, bool>) {
      std::uint8_t byte = 0;
      get(byte);
      ok_ = ok_ && byte <= 1;
      value = byte == 1;
    } else {
      get_bytes(&value, sizeof(value));
    }
  }
  void get(std::string& value) {
    const std::size_t count = get_count(1);
    value.assign(reinterpret_cast<const char*>(in_.data()), count);
    in_ = in_.subspan(count);
  }
  template <typename T>
  void get(std::vector<T>& values) {
    // A count of more elements than the bytes left can hold is a lie.
    const std::size_t count = get_count(encoded_bytes_min<T>());
    values.clear();
    values.reserve(count);
    for (std::size_t i = 0; i < count && ok_; ++i) {
      get(values.emplace_back());
    }
  }
  template <typename T>
  requires std::is_class_v<T>
  void get(T& value) { value.serialize(*this, 0); }
  std::size_t get_count(std::size_t element_bytes) noexcept {
    std::uint32_t count = 0;
    get(count);
    if (!ok_ || count > in_.size() / element_bytes) {
      ok_ = false;
      return 0;
    }
    return count;
  }
  void get_bytes(void* data, std::size_t size) noexcept {
    if (!ok_ || size > in_.size()) {
      ok_ = false;
      return;
    }
    std::memcpy(data, in_.data(), size);
    in_ = in_.subspan(size);
  }

  ConstBytes in_;
  bool ok_ = true;
};

}  // namespace benchfs::wire
