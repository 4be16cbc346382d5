#include "tools/digest.h"

#include <xxhash.h>

#include "base/assert.h"

namespace benchfs::tools {

struct Digest::State {
  XXH3_state_t* hash;
};

Digest::Digest() : state_(std::make_unique<State>(State{.hash = XXH3_createState()})) {
  BENCHFS_ASSERT(state_->hash != nullptr);
  XXH3_128bits_reset(state_->hash);
}

Digest::~Digest() {
  XXH3_freeState(state_->hash);
}

void Digest::add(std::span<const std::byte> bytes) {
  XXH3_128bits_update(state_->hash, bytes.data(), bytes.size());
}

Digest::Value Digest::value() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_->hash);
  return {hash.high64, hash.low64};
}

}  // namespace benchfs::tools
