#include <errno.h>
#include <string.h>

#include "ad_benchfs.h"

/*
 * Reads `length` bytes at `offset`. Returns the bytes read, fewer at the end of the file. Where
 * ROMIO takes its buffer for full, the rest reads as zeros.
 */
static ADIO_Offset read_at(ADIO_File fd, void* buffer, ADIO_Offset length, ADIO_Offset offset,
                           int* error_code) {
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  ADIO_Offset got = 0;
  *error_code = MPI_SUCCESS;
  if (length > 0 && !ADIOI_BENCHFS_Is_spoilt(fd)) {
    benchfs_mpiio_guard guard;
    got = ADIOI_BENCHFS_Guard_begin(&guard, fd, BENCHFS_MPIIO_READ, offset, offset + length);
    if (got == 0) {
      got = benchfs_mpiio_guard_end(&guard,
                                    benchfs_pread(file->handle, buffer, (size_t)length, offset));
    }
    if (got < 0) {
      *error_code =
          ADIOI_BENCHFS_Settle(fd, ADIOI_BENCHFS_Failed(fd, "ADIOI_BENCHFS_ReadContig", errno));
      got = 0;
    }
  }
  if (file->fills_reads && got < length) {
    memset((char*)buffer + got, 0, (size_t)(length - got));
  }
  return got;
}

static ADIO_Offset read_contiguous(ADIO_File fd, const ADIOI_BENCHFS_Access* access,
                                   int* error_code) {
  const int is_individual = access->file_ptr_type == ADIO_INDIVIDUAL;
  const ADIO_Offset length = ADIOI_BENCHFS_Size_of(access->count, access->datatype);
  const ADIO_Offset offset = is_individual ? fd->fp_ind : access->offset;
  const ADIO_Offset got = read_at(fd, access->buffer, length, offset, error_code);
  if (is_individual) {
    fd->fp_ind = offset + got;
  }
  fd->fp_sys_posn = -1; /* There is no such thing as the system's position. */
  return got;
}

void ADIOI_BENCHFS_ReadContig(ADIO_File fd, void* buf, int count, MPI_Datatype datatype,
                              int file_ptr_type, ADIO_Offset offset, ADIO_Status* status,
                              int* error_code) {
  const ADIOI_BENCHFS_Access access = {BENCHFS_MPIIO_READ, buf,           count,
                                       datatype,           file_ptr_type, offset};
  const ADIO_Offset got = read_contiguous(fd, &access, error_code);
  MPIR_Status_set_bytes(status, datatype, got);
}
