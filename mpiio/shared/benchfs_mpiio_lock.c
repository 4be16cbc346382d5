#include <errno.h>

#include "benchfs_mpiio.h"

int benchfs_mpiio_guard_begin(benchfs_mpiio_guard* guard, benchfs_file* handle,
                              benchfs_mpiio_direction direction, MPI_Offset begin, MPI_Offset end) {
  guard->lock = benchfs_lock_range(handle, direction == BENCHFS_MPIIO_READ, begin, end - begin);
  return guard->lock == NULL ? -1 : 0;
}

MPI_Offset benchfs_mpiio_guard_end(benchfs_mpiio_guard* guard, MPI_Offset moved) {
  if (guard->lock == NULL) {
    return moved;
  }
  const int error_number = errno;
  if (benchfs_unlock(guard->lock) != 0 && moved >= 0) {
    return -1; /* Others may have been in between. */
  }
  errno = error_number;
  return moved;
}
