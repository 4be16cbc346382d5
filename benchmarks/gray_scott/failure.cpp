#include "failure.h"

#include <limits>

namespace gray_scott {

std::string mpi_error_text(int code) {
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  return {text, static_cast<std::size_t>(length)};
}

Status agree(MPI_Comm comm, const Status& mine) {
  constexpr int kNobody = std::numeric_limits<int>::max();
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  const int failed = mine ? kNobody : rank;
  int speaker = kNobody;
  MPI_Allreduce(&failed, &speaker, 1, MPI_INT, MPI_MIN, comm);
  if (speaker == kNobody) {
    return {};
  }
  std::string text = speaker == rank ? mine.error() : std::string();
  int length = static_cast<int>(text.size());
  MPI_Bcast(&length, 1, MPI_INT, speaker, comm);
  text.resize(static_cast<std::size_t>(length));
  MPI_Bcast(text.data(), length, MPI_CHAR, speaker, comm);
  return fail(std::move(text));
}

}  // namespace gray_scott
