#include <errno.h>
#include <sys/stat.h>

#include "ad_benchfs.h"

/* Zeros are written in pieces of this many bytes. */
enum { kZerosLength = 4 << 20 };

static int size_of(benchfs_file* handle, ADIO_Offset* size) {
  struct stat attributes;
  if (benchfs_fstat(handle, &attributes) != 0) {
    return -1;
  }
  *size = attributes.st_size;
  return 0;
}

/*
 * MPI_File_preallocate, on one rank. What lies beyond the end of the file is written with zeros,
 * which is what reserves it, so that a full store is known now; data and holes below the end stay
 * as they are.
 */
static int preallocate(benchfs_file* handle, ADIO_Offset wanted) {
  ADIO_Offset size = 0;
  if (size_of(handle, &size) != 0) {
    return -1;
  }
  if (size >= wanted) {
    return 0;
  }
  void* const zeros = ADIOI_Calloc(1, kZerosLength);
  int failed = 0;
  while (size < wanted && !failed) {
    const ADIO_Offset left = wanted - size;
    const ADIO_Offset length = left < kZerosLength ? left : kZerosLength;
    failed = benchfs_pwrite(handle, zeros, (size_t)length, size) != length;
    size += length;
  }
  const int error_number = errno;
  ADIOI_Free(zeros);
  errno = error_number;
  return failed ? -1 : 0;
}

int ADIOI_BENCHFS_Check_size(ADIO_File fd) {
  ADIO_Offset size = 0;
  return size_of(ADIOI_BENCHFS_File_of(fd)->handle, &size) == 0
             ? MPI_SUCCESS
             : ADIOI_BENCHFS_Failed(fd, "ADIOI_BENCHFS_Check_size", errno);
}

void ADIOI_BENCHFS_Fcntl(ADIO_File fd, int flag, ADIO_Fcntl_t* fcntl_struct, int* error_code) {
  static const char kName[] = "ADIOI_BENCHFS_Fcntl";
  benchfs_file* const handle = ADIOI_BENCHFS_File_of(fd)->handle;
  *error_code = MPI_SUCCESS;
  switch (flag) {
    case ADIO_FCNTL_GET_FSIZE:
      fcntl_struct->fsize = 0; /* Not all callers look at the error. */
      if (size_of(handle, &fcntl_struct->fsize) != 0) {
        *error_code = ADIOI_BENCHFS_Failed(fd, kName, errno);
      }
      break;
    case ADIO_FCNTL_SET_DISKSPACE:
      if (preallocate(handle, fcntl_struct->diskspace) != 0) {
        *error_code = ADIOI_BENCHFS_Failed(fd, kName, errno);
      }
      break;
    case ADIO_FCNTL_SET_ATOMICITY:
      ADIOI_BENCHFS_Drain(fd); /* What was begun without it is over. */
      fd->atomicity = fcntl_struct->atomicity != 0;
      break;
    default:
      *error_code = ADIOI_BENCHFS_Error_code(kName, fd->filename, MPI_ERR_ARG);
      break;
  }
}
