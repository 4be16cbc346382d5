#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "benchfs_mpiio.h"

int benchfs_mpiio_error_class(int error_number) {
  static const struct {
    int error_number;
    int error_class;
  } kClasses[] = {
      {0, MPI_SUCCESS},
      {ENOENT, MPI_ERR_NO_SUCH_FILE},
      {EEXIST, MPI_ERR_FILE_EXISTS},
      {EACCES, MPI_ERR_ACCESS},
      {EPERM, MPI_ERR_ACCESS},
      {EBADF, MPI_ERR_ACCESS}, /* Not open for what was asked: the file's mode forbade it. */
      {EROFS, MPI_ERR_READ_ONLY},
      {ENOSPC, MPI_ERR_NO_SPACE},
      {EDQUOT, MPI_ERR_QUOTA},
      {EBUSY, MPI_ERR_FILE_IN_USE},
      {ETXTBSY, MPI_ERR_FILE_IN_USE},
      {EISDIR, MPI_ERR_BAD_FILE},
      {ENOTDIR, MPI_ERR_BAD_FILE},
      {ELOOP, MPI_ERR_BAD_FILE},
      {ENAMETOOLONG, MPI_ERR_BAD_FILE},
      {EINVAL, MPI_ERR_ARG},
      {ENOMEM, MPI_ERR_NO_MEM},
      {ENOTSUP, MPI_ERR_UNSUPPORTED_OPERATION},
      {ENOSYS, MPI_ERR_UNSUPPORTED_OPERATION},
  };
  for (size_t i = 0; i < sizeof kClasses / sizeof kClasses[0]; i++) {
    if (kClasses[i].error_number == error_number) {
      return kClasses[i].error_class;
    }
  }
  return MPI_ERR_IO;
}

void benchfs_mpiio_client_failure(benchfs_mpiio_failure* failure, int error_number) {
  const char* const text = benchfs_error_text();
  failure->error_class = benchfs_mpiio_error_class(error_number);
  if (failure->error_class == MPI_SUCCESS) {
    failure->error_class = MPI_ERR_IO; /* It failed, whatever errno says. */
  }
  snprintf(failure->text, sizeof failure->text, "%s",
           text[0] != '\0' ? text : strerror(error_number));
}

void benchfs_mpiio_say(const char* text) {
  if (text[0] != '\0') {
    fprintf(stderr, "benchfs: %s\n", text);
  }
}
