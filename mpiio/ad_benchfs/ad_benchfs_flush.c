#include <errno.h>

#include "ad_benchfs.h"

/*
 * MPI_File_sync, collective. fsync covers the data of all ranks, so one of them does it, once all
 * have come here; nobody returns before it is done.
 */
void ADIOI_BENCHFS_Flush(ADIO_File fd, int* error_code) {
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  int outcome = MPI_SUCCESS;
  MPI_Barrier(fd->comm);
  if (file->is_opener && benchfs_fsync(file->handle) != 0) {
    outcome = ADIOI_BENCHFS_Failed(fd, "ADIOI_BENCHFS_Flush", errno);
  }
  MPI_Bcast(&outcome, 1, MPI_INT, 0, fd->comm);
  *error_code = outcome;
}
