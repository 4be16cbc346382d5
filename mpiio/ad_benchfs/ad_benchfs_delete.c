#include <errno.h>

#include "ad_benchfs.h"

/* May be the first call of the process that needs the session; not collective. */
void ADIOI_BENCHFS_Delete(const char* filename, int* error_code) {
  ADIOI_BENCHFS_Failure failure = {MPI_SUCCESS, ""};
  benchfs_mount* const mount = ADIOI_BENCHFS_Mount_acquire();
  if (mount == NULL) {
    const int error_number = errno;
    ADIOI_BENCHFS_Client_failure(&failure, error_number);
    ADIOI_BENCHFS_Say(failure.text);
    if (failure.error_class == MPI_ERR_NO_SUCH_FILE) {
      failure.error_class = MPI_ERR_IO; /* It is the session that is not there. */
    }
  } else {
    if (benchfs_unlink(mount, filename) != 0) {
      failure.error_class = ADIOI_BENCHFS_Error_class(errno);
    }
    ADIOI_BENCHFS_Mount_release();
  }
  *error_code = ADIOI_BENCHFS_Error_code("ADIOI_BENCHFS_Delete", filename, failure.error_class);
}
