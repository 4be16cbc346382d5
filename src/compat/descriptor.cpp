#include "compat/descriptor.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

namespace benchfs::compat {
namespace {

constexpr int kFirstNumber = 3;
constexpr std::size_t kDescriptorCountMax = std::size_t{1} << 20U;

}  // namespace

int close_descriptor(Descriptor& descriptor) {
  descriptor.gate.shut();
  if (descriptor.file != nullptr) {
    return benchfs_close(std::exchange(descriptor.file, nullptr));
  }
  benchfs_dir* listing = std::exchange(descriptor.directory->listing, nullptr);
  return listing != nullptr ? benchfs_closedir(listing) : 0;
}

int Descriptors::add(std::shared_ptr<Descriptor> descriptor) {
  const std::lock_guard lock(mutex_);
  std::size_t index = lowest_free_;
  while (index < table_.size() && table_[index] != nullptr) {
    ++index;
  }
  if (index == kDescriptorCountMax) {
    errno = EMFILE;
    return -1;
  }
  if (index == table_.size()) {
    table_.emplace_back();
  }
  table_[index] = std::move(descriptor);
  lowest_free_ = index + 1;
  return static_cast<int>(index) + kFirstNumber;
}

std::shared_ptr<Descriptor> Descriptors::find(int number) const {
  const std::lock_guard lock(mutex_);
  const auto index = static_cast<std::size_t>(number) - kFirstNumber;
  return number >= kFirstNumber && index < table_.size() ? table_[index] : nullptr;
}

std::shared_ptr<Descriptor> Descriptors::take(int number) {
  const std::lock_guard lock(mutex_);
  const auto index = static_cast<std::size_t>(number) - kFirstNumber;
  if (number < kFirstNumber || index >= table_.size() || table_[index] == nullptr) {
    return nullptr;
  }
  lowest_free_ = std::min(lowest_free_, index);
  return std::exchange(table_[index], nullptr);
}

std::vector<std::shared_ptr<Descriptor>> Descriptors::take_all() {
  const std::lock_guard lock(mutex_);
  lowest_free_ = 0;
  return std::exchange(table_, {});
}

}  // namespace benchfs::compat
