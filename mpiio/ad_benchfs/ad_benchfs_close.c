#include <errno.h>

#include "ad_benchfs.h"

static int close_handle(ADIO_File fd, ADIOI_BENCHFS_File* file) {
  int error_class = MPI_SUCCESS;
  if (benchfs_close(file->handle) != 0) {
    error_class = ADIOI_BENCHFS_Failed(fd, "ADIOI_BENCHFS_Close", errno);
  }
  ADIOI_BENCHFS_Mount_release();
  return error_class;
}

/*
 * Collective: OpenColl opened on all ranks or on none. The opener waits until all that attached
 * have closed; then all learn whether everybody's close succeeded.
 */
void ADIOI_BENCHFS_Close(ADIO_File fd, int* error_code) {
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  int rank = 0;
  MPI_Comm_rank(fd->comm, &rank);
  ADIOI_BENCHFS_Drain(fd); /* Of what the user has not waited for, and has only freed. */

  int mine = MPI_SUCCESS;
  int worst = MPI_SUCCESS;
  if (!file->is_opener) {
    mine = close_handle(fd, file);
  }
  MPI_Reduce(&mine, &worst, 1, MPI_INT, MPI_MAX, 0, fd->comm);
  if (file->is_opener) {
    mine = close_handle(fd, file);
    worst = mine != MPI_SUCCESS ? mine : worst;
  }
  MPI_Bcast(&worst, 1, MPI_INT, 0, fd->comm);

  ADIOI_Free(file);
  fd->fs_ptr = NULL;
  fd->is_open = 0;
  *error_code = worst;
}
