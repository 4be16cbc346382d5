#include "slots.h"

#include <utility>

namespace benchfs::bench {

Slots::Slots(unsigned depth) {
  for (unsigned i = 0; i < depth; ++i) {
    slots_.push_back(std::make_unique<Slot>());
  }
  if (depth > 1) {
    for (const auto& slot : slots_) {
      slot->thread = std::thread([at = slot.get()] { at->serve(); });
    }
  }
}

Slots::~Slots() {
  for (const auto& slot : slots_) {
    {
      const std::lock_guard lock(slot->mutex);
      slot->stop = true;
    }
    slot->changed.notify_all();
    if (slot->thread.joinable()) {
      slot->thread.join();
    }
  }
}

void Slots::Slot::run() {
  try {
    bytes = transfer();
    failure = nullptr;
  } catch (...) {
    failure = std::current_exception();
  }
}

void Slots::Slot::serve() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [this] { return stop || transfer; });
    if (!transfer) {
      return;
    }
    lock.unlock();
    run();
    lock.lock();
    transfer = nullptr;
    changed.notify_all();
  }
}

void Slots::begin(unsigned slot, Transfer transfer) {
  Slot& at = *slots_.at(slot);
  if (!at.thread.joinable()) {
    at.transfer = std::move(transfer);
    at.run();
    at.transfer = nullptr;
    return;
  }
  {
    const std::lock_guard lock(at.mutex);
    at.transfer = std::move(transfer);
  }
  at.changed.notify_all();
}

std::uint64_t Slots::finish(unsigned slot) {
  Slot& at = *slots_.at(slot);
  std::unique_lock lock(at.mutex);
  at.changed.wait(lock, [&at] { return !at.transfer; });
  if (at.failure) {
    std::rethrow_exception(at.failure);
  }
  return at.bytes;
}

}  // namespace benchfs::bench
