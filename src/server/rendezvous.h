#pragma once

// How the servers of a session find each other: over MPI, at the start only. MPI is finalised
// before the first request is served, so that no server waits for a dead one at its end, and none
// carries MPI's memory and progress along.
//
// Threading: main thread; calls are collective over all servers and block.

#include <cstddef>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace benchfs::server {

class Rendezvous {
 public:
  /// Initialises MPI.
  Rendezvous(int* argc, char*** argv);
  /// Finalises MPI if finish() was not called.
  ~Rendezvous();
  Rendezvous(const Rendezvous&) = delete;
  Rendezvous& operator=(const Rendezvous&) = delete;

  int rank() const noexcept { return rank_; }
  int size() const noexcept { return size_; }
  /// Among the servers of this node.
  int node_rank() const noexcept { return node_rank_; }
  int node_size() const noexcept { return node_size_; }

  /// True if every server says `fine`. The point where all give up together if one cannot start.
  bool all(bool fine);

  /// Copies rank 0's bytes to all.
  void share(Bytes bytes);

  /// What each server brought, by rank.
  std::vector<std::vector<std::byte>> gather(ConstBytes mine);

  /// Collective: MPI is over.
  void finish();

 private:
  int rank_ = 0;
  int size_ = 1;
  int node_rank_ = 0;
  int node_size_ = 1;
  bool finished_ = false;
};

}  // namespace benchfs::server
