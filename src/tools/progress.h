#pragma once

// A line on standard error that tells how far a copy has come: a bar that moves on a terminal, a
// new line every few seconds elsewhere.
//
// Threading: the main thread.

#include <chrono>
#include <cstdint>
#include <string>

namespace benchfs::tools {

class Progress {
 public:
  enum class Style { kNone, kBar, kLines };

  explicit Progress(Style style) : style_(style) {}

  /// A new file. `size` 0: it is not known.
  void begin(const std::string& name, std::uint64_t size);
  void add(std::uint64_t bytes);
  /// The file has ended. What it came to stays to be read if it was copied, and goes if it was not.
  void end(bool copied);

  /// One line without its end. Pure; a test looks at it.
  static std::string line(const std::string& name, std::uint64_t done, std::uint64_t size,
                          double seconds, std::size_t width);

 private:
  void show(bool last);

  Style style_;
  std::string name_;
  std::uint64_t size_ = 0;
  std::uint64_t done_ = 0;
  std::chrono::steady_clock::time_point begun_;
  std::chrono::steady_clock::time_point shown_;
};

}  // namespace benchfs::tools
