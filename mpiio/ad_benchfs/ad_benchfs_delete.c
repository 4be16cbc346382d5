#include <errno.h>

#include "ad_benchfs.h"

/* May be the first call of the process that needs the session; not collective. */
void ADIOI_BENCHFS_Delete(const char* filename, int* error_code) {
  benchfs_mpiio_failure failure = {MPI_SUCCESS, ""};
  benchfs_mount* const mount = benchfs_mpiio_session_acquire();
  if (mount == NULL) {
    const int error_number = errno;
    benchfs_mpiio_client_failure(&failure, error_number);
    benchfs_mpiio_say(failure.text);
    if (failure.error_class == MPI_ERR_NO_SUCH_FILE) {
      failure.error_class = MPI_ERR_IO; /* It is the session that is not there. */
    }
  } else {
    if (benchfs_unlink(mount, filename) != 0) {
      failure.error_class = benchfs_mpiio_error_class(errno);
    }
    benchfs_mpiio_session_release();
  }
  *error_code = ADIOI_BENCHFS_Error_code("ADIOI_BENCHFS_Delete", filename, failure.error_class);
}
