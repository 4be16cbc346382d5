/*
 * ROMIO's data sieving, for who asks for it by a hint: it moves everything from the first piece to
 * the last, in buffers, where list I/O moves the pieces. A write reads such a buffer and writes it
 * back, under one lock on all that it covers; every other write of that open takes the lock too.
 */
#include <errno.h>

#include "ad_benchfs.h"

int ADIOI_BENCHFS_Sieves(ADIO_File fd, benchfs_mpiio_direction direction) {
  const int hint = direction == BENCHFS_MPIIO_WRITE ? fd->hints->ds_write : fd->hints->ds_read;
  return hint == ADIOI_HINT_ENABLE && !fd->atomicity;
}

/* Where the access begins in the file, in bytes. */
static ADIO_Offset begin_of(ADIO_File fd, const ADIOI_BENCHFS_Access* access) {
  ADIOI_BENCHFS_Access first = *access;
  first.datatype = MPI_BYTE;
  first.count = 1;
  return ADIOI_BENCHFS_End_of(fd, &first) - 1;
}

void ADIOI_BENCHFS_Transfer_sieved(ADIO_File fd, const ADIOI_BENCHFS_Access* access,
                                   ADIO_Status* status, int* error_code) {
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  const ADIO_Offset end = ADIOI_BENCHFS_End_of(fd, access);
  *error_code = MPI_SUCCESS;
  if (end == 0) {
    MPIR_Status_set_bytes(status, access->datatype, 0);
    return;
  }
  benchfs_mpiio_guard guard;
  int failed =
      ADIOI_BENCHFS_Guard_begin(&guard, fd, access->direction, begin_of(fd, access), end) != 0;
  if (!failed) {
    file->is_sieving = 1;
    file->fills_reads++;
    if (access->direction == BENCHFS_MPIIO_WRITE) {
      ADIOI_GEN_WriteStrided(fd, access->buffer, access->count, access->datatype,
                             access->file_ptr_type, access->offset, status, error_code);
    } else {
      ADIOI_GEN_ReadStrided(fd, access->buffer, access->count, access->datatype,
                            access->file_ptr_type, access->offset, status, error_code);
    }
    file->fills_reads--;
    file->is_sieving = 0;
    failed = benchfs_mpiio_guard_end(&guard, 0) < 0;
  }
  if (failed && *error_code == MPI_SUCCESS) {
    *error_code = ADIOI_BENCHFS_Settle(fd, ADIOI_BENCHFS_Failed(fd, "ADIOI_BENCHFS_Sieve", errno));
  }
}
