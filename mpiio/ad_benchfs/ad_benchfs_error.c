#include "ad_benchfs.h"

int ADIOI_BENCHFS_Error_code(const char* function, const char* filename, int error_class) {
  if (error_class == MPI_SUCCESS) {
    return MPI_SUCCESS;
  }
  return MPIO_Err_create_code(MPI_SUCCESS, MPIR_ERR_RECOVERABLE, function, __LINE__, error_class,
                              "**io", "**io %s", filename);
}

int ADIOI_BENCHFS_Failed(ADIO_File fd, const char* function, int error_number) {
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  benchfs_mpiio_failure failure;
  benchfs_mpiio_client_failure(&failure, error_number);
  if (!file->has_reported) {
    file->has_reported = 1;
    benchfs_mpiio_say(failure.text);
  }
  return ADIOI_BENCHFS_Error_code(function, fd->filename, failure.error_class);
}
