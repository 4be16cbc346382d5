#include <errno.h>

#include "ad_benchfs_walk.h"

/* Moves `wanted` bytes from where `walk` is. Returns the bytes moved. */
static ADIO_Offset move_all(ADIO_File fd, const ADIOI_BENCHFS_Access* access,
                            benchfs_mpiio_walk* walk, ADIO_Offset wanted, int* error_code) {
  ADIO_Offset moved = 0;
  if (!ADIOI_BENCHFS_Is_spoilt(fd) &&
      benchfs_mpiio_move(ADIOI_BENCHFS_File_of(fd)->handle, access->direction, walk, wanted,
                         &moved) != 0) {
    *error_code =
        ADIOI_BENCHFS_Settle(fd, ADIOI_BENCHFS_Failed(fd, "ADIOI_BENCHFS_Strided", errno));
  }
  return moved;
}

ADIO_Offset ADIOI_BENCHFS_End_of(ADIO_File fd, const ADIOI_BENCHFS_Access* access) {
  MPI_Count view_size = 0;
  MPI_Type_size_x(fd->filetype, &view_size);
  const ADIO_Offset wanted = ADIOI_BENCHFS_Size_of(access->count, access->datatype);
  if (wanted == 0 || view_size == 0) {
    return 0;
  }
  benchfs_mpiio_runs file;
  ADIO_Offset last = 0;
  ADIOI_BENCHFS_Walk_file(&file, fd, access);
  benchfs_mpiio_runs_advance(&file, wanted - 1);
  benchfs_mpiio_runs_peek(&file, &last);
  return last + 1;
}

/* The same, apart from others where that is needed. */
static ADIO_Offset move_all_guarded(ADIO_File fd, const ADIOI_BENCHFS_Access* access,
                                    benchfs_mpiio_walk* walk, ADIO_Offset wanted, int* error_code) {
  if (!ADIOI_BENCHFS_Needs_guard(fd, access->direction)) {
    return move_all(fd, access, walk, wanted, error_code);
  }
  benchfs_mpiio_guard guard;
  ADIO_Offset begin = 0;
  ADIO_Offset moved = 0;
  benchfs_mpiio_runs_peek(&walk->file, &begin);
  int failed = ADIOI_BENCHFS_Guard_begin(&guard, fd, access->direction, begin,
                                         ADIOI_BENCHFS_End_of(fd, access)) != 0;
  if (!failed) {
    moved = move_all(fd, access, walk, wanted, error_code);
    failed = benchfs_mpiio_guard_end(&guard, moved) < 0;
  }
  if (failed && *error_code == MPI_SUCCESS) {
    *error_code =
        ADIOI_BENCHFS_Settle(fd, ADIOI_BENCHFS_Failed(fd, "ADIOI_BENCHFS_Strided", errno));
    moved = 0;
  }
  return moved;
}

ADIO_Offset ADIOI_BENCHFS_Transfer_strided(ADIO_File fd, const ADIOI_BENCHFS_Access* access,
                                           int* error_code) {
  MPI_Count view_size = 0;
  MPI_Type_size_x(fd->filetype, &view_size);
  const ADIO_Offset wanted = ADIOI_BENCHFS_Size_of(access->count, access->datatype);
  *error_code = MPI_SUCCESS;
  if (wanted == 0 || view_size == 0) {
    return 0;
  }
  benchfs_mpiio_walk walk;
  ADIOI_BENCHFS_Walk_start(&walk, fd, access);
  benchfs_mpiio_runs after = walk.file;
  const ADIO_Offset moved = move_all_guarded(fd, access, &walk, wanted, error_code);
  if (access->file_ptr_type == ADIO_INDIVIDUAL) {
    if (moved == wanted) {
      after = walk.file;
    } else {
      benchfs_mpiio_runs_advance(&after, moved);
    }
    benchfs_mpiio_runs_peek(&after, &fd->fp_ind);
  }
  ADIOI_BENCHFS_Walk_end(access);
  fd->fp_sys_posn = -1;
  return moved;
}

void ADIOI_BENCHFS_ReadStrided(ADIO_File fd, void* buf, int count, MPI_Datatype datatype,
                               int file_ptr_type, ADIO_Offset offset, ADIO_Status* status,
                               int* error_code) {
  const ADIOI_BENCHFS_Access access = {BENCHFS_MPIIO_READ, buf,           count,
                                       datatype,           file_ptr_type, offset};
  if (ADIOI_BENCHFS_Sieves(fd, access.direction)) {
    ADIOI_BENCHFS_Transfer_sieved(fd, &access, status, error_code);
    return;
  }
  const ADIO_Offset moved = ADIOI_BENCHFS_Transfer_strided(fd, &access, error_code);
  MPIR_Status_set_bytes(status, datatype, moved);
}

void ADIOI_BENCHFS_WriteStrided(ADIO_File fd, const void* buf, int count, MPI_Datatype datatype,
                                int file_ptr_type, ADIO_Offset offset, ADIO_Status* status,
                                int* error_code) {
  const ADIOI_BENCHFS_Access access = {BENCHFS_MPIIO_WRITE, (void*)buf, count, datatype,
                                       file_ptr_type,       offset};
  if (ADIOI_BENCHFS_Sieves(fd, access.direction)) {
    ADIOI_BENCHFS_Transfer_sieved(fd, &access, status, error_code);
    return;
  }
  const ADIO_Offset moved = ADIOI_BENCHFS_Transfer_strided(fd, &access, error_code);
  MPIR_Status_set_bytes(status, datatype, moved);
}
