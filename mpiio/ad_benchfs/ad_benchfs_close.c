#include "ad_benchfs.h"

/* Collective: OpenColl opened on all ranks or on none. All learn whether everybody's close
 * succeeded. */
void ADIOI_BENCHFS_Close(ADIO_File fd, int* error_code) {
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  ADIOI_BENCHFS_Drain(fd); /* Of what the user has not waited for, and has only freed. */
  benchfs_mpiio_failure mine;
  const int worst = benchfs_mpiio_close(fd->comm, file->handle, &mine);
  if (!file->has_reported) {
    benchfs_mpiio_say(mine.text);
  }
  ADIOI_Free(file);
  fd->fs_ptr = NULL;
  fd->is_open = 0;
  *error_code = ADIOI_BENCHFS_Error_code("ADIOI_BENCHFS_Close", fd->filename, worst);
}
