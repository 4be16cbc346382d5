#include "server/rendezvous.h"

#include <mpi.h>

namespace benchfs::server {

Rendezvous::Rendezvous(int* argc, char*** argv) {
  // MPI's default error handler aborts all ranks: right for a start that cannot succeed any more.
  MPI_Init(argc, argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  MPI_Comm node = MPI_COMM_NULL;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
  MPI_Comm_rank(node, &node_rank_);
  MPI_Comm_size(node, &node_size_);
  MPI_Comm_free(&node);
}

Rendezvous::~Rendezvous() {
  finish();
}

bool Rendezvous::all(bool fine) {
  int mine = fine ? 1 : 0;
  int every = 0;
  MPI_Allreduce(&mine, &every, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
  return every == 1;
}

void Rendezvous::share(Bytes bytes) {
  MPI_Bcast(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, 0, MPI_COMM_WORLD);
}

std::vector<std::vector<std::byte>> Rendezvous::gather(ConstBytes mine) {
  const int my_size = static_cast<int>(mine.size());
  std::vector<int> sizes(static_cast<std::size_t>(size_));
  MPI_Allgather(&my_size, 1, MPI_INT, sizes.data(), 1, MPI_INT, MPI_COMM_WORLD);
  std::vector<int> starts(sizes.size());
  int total = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    starts[i] = total;
    total += sizes[i];
  }
  std::vector<std::byte> all_bytes(static_cast<std::size_t>(total));
  MPI_Allgatherv(mine.data(), my_size, MPI_BYTE, all_bytes.data(), sizes.data(), starts.data(),
                 MPI_BYTE, MPI_COMM_WORLD);
  std::vector<std::vector<std::byte>> parts(sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto* const begin = all_bytes.data() + starts[i];
    parts[i].assign(begin, begin + sizes[i]);
  }
  return parts;
}

void Rendezvous::finish() {
  if (!finished_) {
    finished_ = true;
    MPI_Finalize();
  }
}

}  // namespace benchfs::server
