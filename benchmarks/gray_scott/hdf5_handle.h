#pragma once

// Closes HDF5 ids, and turns the library's error stack into one sentence.

#include <algorithm>
#include <string>
#include <utility>

#include <hdf5.h>

namespace gray_scott {

/// Owns one id. Empty (a negative id) if the call that should have made it failed.
class Hdf5Handle {
 public:
  using Close = herr_t (*)(hid_t);

  Hdf5Handle(hid_t id, Close closer) : id_(id), close_(closer) {}
  Hdf5Handle(Hdf5Handle&& other) noexcept
      : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Hdf5Handle& operator=(Hdf5Handle&&) = delete;
  ~Hdf5Handle() { close(); }

  explicit operator bool() const { return id_ >= 0; }
  hid_t get() const { return id_; }

  /// False if HDF5 says that closing failed. Nothing happens if it is closed already.
  bool close() { return id_ < 0 || close_(std::exchange(id_, -1)) >= 0; }

 private:
  hid_t id_;
  Close close_;
};

/// What HDF5 remembers of the last failure of this thread, innermost cause first.
inline std::string hdf5_error_text() {
  std::string text;
  const auto add = [](unsigned, const H5E_error2_t* entry, void* out) -> herr_t {
    auto& sentence = *static_cast<std::string*>(out);
    if (entry->desc != nullptr && *entry->desc != '\0' && sentence.size() < 200) {
      sentence += (sentence.empty() ? "" : "; ") + std::string(entry->desc);
    }
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, add, &text);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text.empty() ? "no cause given" : text;
}

}  // namespace gray_scott
