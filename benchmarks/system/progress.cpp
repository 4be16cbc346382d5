#include "progress.h"

#include <cstdio>

namespace benchfs::bench {

namespace {

constexpr std::int64_t kEveryNs = 200'000'000;

}  // namespace

void Progress::begin(const std::string& phase, std::uint64_t operations) {
  phase_ = phase;
  operations_ = operations;
  start_ = std::chrono::steady_clock::now();
  next_ns_ = 0;
}

void Progress::at(std::uint64_t done) {
  if (!enabled_ || operations_ == 0) {
    return;
  }
  const auto since = std::chrono::steady_clock::now() - start_;
  const std::int64_t now_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
  std::int64_t due_ns = next_ns_.load();
  if (now_ns < due_ns || !next_ns_.compare_exchange_strong(due_ns, now_ns + kEveryNs)) {
    return;
  }
  std::fprintf(stderr, "\r\033[K%-16s %3llu %%  %llu of %llu, %.1f s", phase_.c_str(),
               static_cast<unsigned long long>(done * 100 / operations_),
               static_cast<unsigned long long>(done), static_cast<unsigned long long>(operations_),
               static_cast<double>(now_ns) * 1e-9);
}

void Progress::end() {
  if (enabled_) {
    std::fputs("\r\033[K", stderr);
  }
}

}  // namespace benchfs::bench
