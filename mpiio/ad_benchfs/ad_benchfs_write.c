#include <errno.h>

#include "ad_benchfs.h"

/* Writes `length` bytes at `offset`. Returns the bytes written: all, or none and an error. */
static ADIO_Offset write_at(ADIO_File fd, const void* buffer, ADIO_Offset length,
                            ADIO_Offset offset, int* error_code) {
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  *error_code = MPI_SUCCESS;
  if (length == 0 || ADIOI_BENCHFS_Is_spoilt(fd)) {
    return 0;
  }
  benchfs_mpiio_guard guard;
  ADIO_Offset put =
      ADIOI_BENCHFS_Guard_begin(&guard, fd, BENCHFS_MPIIO_WRITE, offset, offset + length);
  if (put == 0) {
    put = benchfs_mpiio_guard_end(&guard,
                                  benchfs_pwrite(file->handle, buffer, (size_t)length, offset));
  }
  if (put != length) {
    *error_code =
        ADIOI_BENCHFS_Settle(fd, ADIOI_BENCHFS_Failed(fd, "ADIOI_BENCHFS_WriteContig", errno));
    return 0;
  }
  return length;
}

static ADIO_Offset write_contiguous(ADIO_File fd, const ADIOI_BENCHFS_Access* access,
                                    int* error_code) {
  const int is_individual = access->file_ptr_type == ADIO_INDIVIDUAL;
  const ADIO_Offset length = ADIOI_BENCHFS_Size_of(access->count, access->datatype);
  const ADIO_Offset offset = is_individual ? fd->fp_ind : access->offset;
  const ADIO_Offset put = write_at(fd, access->buffer, length, offset, error_code);
  if (is_individual) {
    fd->fp_ind = offset + put;
  }
  fd->fp_sys_posn = -1;
  return put;
}

void ADIOI_BENCHFS_WriteContig(ADIO_File fd, const void* buf, int count, MPI_Datatype datatype,
                               int file_ptr_type, ADIO_Offset offset, ADIO_Status* status,
                               int* error_code) {
  const ADIOI_BENCHFS_Access access = {BENCHFS_MPIIO_WRITE, (void*)buf, count, datatype,
                                       file_ptr_type,       offset};
  const ADIO_Offset put = write_contiguous(fd, &access, error_code);
  MPIR_Status_set_bytes(status, datatype, put);
}
