#include <errno.h>

#include "ad_benchfs.h"

/* MPI_File_set_size, collective: one rank resizes, all return its outcome. */
void ADIOI_BENCHFS_Resize(ADIO_File fd, ADIO_Offset size, int* error_code) {
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  int outcome = MPI_SUCCESS;
  file->known_size = 0;
  if (file->is_opener && benchfs_ftruncate(file->handle, size) != 0) {
    outcome = ADIOI_BENCHFS_Failed(fd, "ADIOI_BENCHFS_Resize", errno);
  }
  MPI_Bcast(&outcome, 1, MPI_INT, 0, fd->comm);
  *error_code = outcome;
}
