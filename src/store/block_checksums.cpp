#include "store/block_checksums.h"

#include <algorithm>

#include "base/assert.h"
#include "base/limits.h"
#include "journal/checksum.h"

namespace benchfs::store {

BlockChecksums::BlockChecksums(std::uint64_t block_count)
    : pages_((block_count + kPageBlocks - 1) / kPageBlocks) {}

void BlockChecksums::set(std::uint64_t block, std::uint32_t checksum) {
  BENCHFS_ASSERT(block / kPageBlocks < pages_.size());
  std::unique_ptr<Page>& page = pages_[block / kPageBlocks];
  if (page == nullptr) {
    page = std::make_unique<Page>();
    ++page_count_;
  }
  const std::size_t slot = block % kPageBlocks;
  if (!page->known[slot]) {
    page->known.set(slot);
    ++page->count;
    ++count_;
  }
  page->checksums[slot] = checksum;
}

void BlockChecksums::clear(BlockRun run) noexcept {
  while (run.count > 0) {
    std::unique_ptr<Page>& page = pages_[run.first / kPageBlocks];
    const std::uint64_t begin = run.first % kPageBlocks;
    const std::uint64_t end = std::min(begin + run.count, kPageBlocks);
    run.first += end - begin;
    run.count -= end - begin;
    for (std::uint64_t slot = begin; page != nullptr && slot < end; ++slot) {
      if (page->known[slot]) {
        page->known.reset(slot);
        --page->count;
        --count_;
      }
    }
    if (page != nullptr && page->count == 0) {
      page.reset();
      --page_count_;
    }
  }
}

bool BlockChecksums::has(std::uint64_t block) const noexcept {
  const std::uint64_t index = block / kPageBlocks;
  return index < pages_.size() && pages_[index] != nullptr &&
         pages_[index]->known[block % kPageBlocks];
}

std::uint32_t BlockChecksums::of(std::uint64_t block) const noexcept {
  BENCHFS_ASSERT(has(block));
  return pages_[block / kPageBlocks]->checksums[block % kPageBlocks];
}

std::uint64_t BlockChecksums::first_wrong(std::uint64_t first, ConstBytes memory) const noexcept {
  BENCHFS_ASSERT(memory.size() % kBlockBytes == 0);
  for (std::uint64_t block = first; !memory.empty(); ++block) {
    if (!has(block) || journal::crc32c(memory.first(kBlockBytes)) != of(block)) {
      return block;
    }
    memory = memory.subspan(kBlockBytes);
  }
  return UINT64_MAX;
}

}  // namespace benchfs::store
