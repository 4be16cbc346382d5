// The tables of the namespace alone: entries created and looked up, without journal, network or
// waiting.

#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "meta/namespace.h"

namespace benchfs::micro {
namespace {

wire::EntryKey key_of(std::uint64_t number) {
  return {.parent = kRootInode, .name = "file." + std::to_string(number)};
}

meta::NewInode new_inode() {
  return {.mode = 0644, .uid = 1000, .gid = 1000};
}

/// Files in one directory, up to so many; then again in an empty one.
void entry_create(benchmark::State& state) {
  const auto files = static_cast<std::uint64_t>(state.range(0));
  std::vector<wire::EntryKey> keys;
  for (std::uint64_t i = 0; i < files; ++i) {
    keys.push_back(key_of(i));
  }
  for (auto _ : state) {
    meta::Namespace names(meta::NamespaceOptions{});
    names.begin_run(1);
    names.attach(kRootInode);
    for (const wire::EntryKey& key : keys) {
      benchmark::DoNotOptimize(
          names.create_file(key, new_inode(), {.chunk_bytes = 1 << 20, .stripe_count = 1}, 1));
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(entry_create)->Arg(1000)->Arg(100000);

/// One name of so many, in an order that no cache likes.
void entry_lookup(benchmark::State& state) {
  const auto files = static_cast<std::uint64_t>(state.range(0));
  meta::Namespace names(meta::NamespaceOptions{});
  names.begin_run(1);
  names.attach(kRootInode);
  std::vector<wire::EntryKey> keys;
  for (std::uint64_t i = 0; i < files; ++i) {
    keys.push_back(key_of(i));
    names.create_file(keys.back(), new_inode(), {.chunk_bytes = 1 << 20, .stripe_count = 1}, 1);
  }
  std::uint64_t at = 0;
  for (auto _ : state) {
    at = (at + 7919) % files;
    benchmark::DoNotOptimize(names.find_entry(keys[at]));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(entry_lookup)->Arg(1000)->Arg(100000);

}  // namespace
}  // namespace benchfs::micro
