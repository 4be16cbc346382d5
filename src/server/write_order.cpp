#include "server/write_order.h"

#include <algorithm>
#include <utility>

namespace benchfs::server {

WriteOrder::~WriteOrder() {
  for (const List& list : lists_) {
    BENCHFS_ASSERT(list.first == nullptr);
  }
}

WriteOrder::Place::Place(WriteOrder& order, std::uint64_t client, InodeId file,
                         std::span<const store::Piece> pieces) noexcept
    : order_(order),
      list_(order.lists_[client % order.lists_.size()]),
      client_(client),
      file_(file),
      pieces_(pieces),
      previous_(list_.last) {
  for (const store::Piece& piece : pieces) {
    begin_bytes_ = std::min(begin_bytes_, piece.offset_bytes);
    end_bytes_ = std::max(end_bytes_, piece.offset_bytes + piece.size_bytes);
  }
  (previous_ != nullptr ? previous_->next_ : list_.first) = this;
  list_.last = this;
}

WriteOrder::Place::~Place() {
  (previous_ != nullptr ? previous_->next_ : list_.first) = next_;
  (next_ != nullptr ? next_->previous_ : list_.last) = previous_;
  for (Place* later = next_; later != nullptr; later = later->next_) {
    if (later->waiter_ && !later->must_wait()) {
      order_.loop_.post(std::exchange(later->waiter_, {}));
    }
  }
}

bool WriteOrder::Place::must_wait() const noexcept {
  for (const Place* earlier = previous_; earlier != nullptr; earlier = earlier->previous_) {
    if (overlaps(*earlier)) {
      return true;
    }
  }
  return false;
}

bool WriteOrder::Place::overlaps(const Place& other) const noexcept {
  if (other.client_ != client_ || other.file_ != file_ || other.begin_bytes_ >= end_bytes_ ||
      begin_bytes_ >= other.end_bytes_) {
    return false;
  }
  for (const store::Piece& mine : pieces_) {
    for (const store::Piece& theirs : other.pieces_) {
      if (mine.offset_bytes < theirs.offset_bytes + theirs.size_bytes &&
          theirs.offset_bytes < mine.offset_bytes + mine.size_bytes) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace benchfs::server
