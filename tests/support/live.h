#pragma once

// What tests in a live session share: contents that a function of the offset tells, errors as
// values, and waiting for a state that the servers report.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <benchfs/benchfs.hpp>
#include <fcntl.h>
#include <gtest/gtest.h>

#include "support/command.h"

namespace benchfs::test {

inline std::byte content_at(std::uint64_t offset, std::uint64_t seed) {
  std::uint64_t x = (offset + 1) * 0x9E3779B97F4A7C15ULL + seed * 0xD6E8FEB86659FD93ULL;
  x ^= x >> 29;
  return static_cast<std::byte>((x * 0xBF58476D1CE4E5B9ULL) >> 56);
}

inline std::vector<std::byte> content(std::uint64_t offset, std::size_t size, std::uint64_t seed) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = content_at(offset + i, seed);
  }
  return bytes;
}

/// Whether the file holds content(0, size, seed) and nothing else.
inline testing::AssertionResult holds(Session& session, const std::string& path, std::size_t size,
                                      std::uint64_t seed) {
  try {
    auto file = session.open(path, O_RDONLY);
    std::vector<std::byte> bytes(size + 1);
    const std::size_t got = file.read(bytes, 0);
    if (got != size) {
      return testing::AssertionFailure() << path << " has " << got << " bytes, not " << size;
    }
    for (std::size_t i = 0; i < size; ++i) {
      if (bytes[i] != content_at(i, seed)) {
        return testing::AssertionFailure() << path << " differs at byte " << i;
      }
    }
    return testing::AssertionSuccess();
  } catch (const std::system_error& error) {
    return testing::AssertionFailure() << error.what() << " (errno " << error.code().value() << ")";
  }
}

/// How a call failed: code 0 if it did not.
struct Failed {
  int code = 0;
  std::string text;
  std::chrono::steady_clock::duration took{};
};

template <typename Call>
Failed failure_of(Call call) {
  const auto begun = std::chrono::steady_clock::now();
  Failed failed;
  try {
    call();
  } catch (const std::system_error& error) {
    failed.code = error.code().value();
    failed.text = error.what();
  }
  failed.took = std::chrono::steady_clock::now() - begun;
  return failed;
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Asks until the answer is yes; false if it never is. For states that a server reaches by itself
/// within a time that it promises.
inline bool comes_true(const std::function<bool()>& question, std::chrono::seconds within) {
  const auto until = std::chrono::steady_clock::now() + within;
  while (!question()) {
    if (std::chrono::steady_clock::now() >= until) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

inline benchfs_server_status status_of(Session& session, int server) {
  benchfs_server_status status{};
  detail::check(benchfs_server_status_get(session.get(), server, &status));
  return status;
}

/// Sets variables of this process for as long as it lives; an empty value removes one.
class Environment {
 public:
  explicit Environment(const Variables& variables) {
    for (const auto& [name, value] : variables) {
      const char* const old = std::getenv(name.c_str());
      old_.emplace_back(name, old == nullptr ? "" : old);
      set(name, value);
    }
  }
  ~Environment() {
    for (const auto& [name, value] : old_) {
      set(name, value);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  static void set(const std::string& name, const std::string& value) {
    value.empty() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1);
  }
  Variables old_;
};

}  // namespace benchfs::test
