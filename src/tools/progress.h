#pragma once

// A line on standard error that tells how far a copy has come: a bar that moves on a terminal, a
// new line every few seconds elsewhere.
//
// Threading: any thread. Of several files at once it tells what they come to together.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

namespace benchfs::tools {

class Progress {
 public:
  enum class Style { kNone, kBar, kLines };

  explicit Progress(Style style) : style_(style) {}

  /// There is one more file to come. `size` 0: it is not known.
  void expect(std::uint64_t size);
  /// It is begun with.
  void begin(const std::string& name);
  void add(std::uint64_t bytes);
  /// A file has ended. `left_out` bytes of it were not copied, as they were there or it failed.
  void end(std::uint64_t left_out);
  /// All have ended. What it came to stays to be read if `fine`, and goes if not.
  void finish(bool fine);

  /// One line without its end. Pure; a test looks at it.
  static std::string line(const std::string& name, std::uint64_t done, std::uint64_t size,
                          double seconds, std::size_t width);

 private:
  void show(bool last);
  std::string label() const;

  const Style style_;
  std::mutex mutex_;
  std::string name_;  ///< Of the file begun last.
  std::size_t file_count_ = 0;
  std::size_t ended_count_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t done_ = 0;
  std::chrono::steady_clock::time_point begun_{};
  std::chrono::steady_clock::time_point shown_{};
};

}  // namespace benchfs::tools
