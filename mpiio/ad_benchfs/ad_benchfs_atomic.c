/*
 * Atomic mode: every transfer of a rank holds a lock on all bytes from the first to the last that
 * it touches, shared if it reads. The lock is a server's (benchfs_lock_range): fair, and gone with
 * a process that dies. No rank ever holds two, and none waits for another rank while it holds one.
 *
 * The two-phase exchange needs no more than that: where ranks write the same bytes in one call,
 * ROMIO lets the higher rank win everywhere, which is one order of their writes.
 */
#include "ad_benchfs.h"

int ADIOI_BENCHFS_Needs_guard(ADIO_File fd, benchfs_mpiio_direction direction) {
  const ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  return fd->atomicity || (direction == BENCHFS_MPIIO_WRITE && !file->is_sieving &&
                           ADIOI_BENCHFS_Sieves(fd, direction));
}

int ADIOI_BENCHFS_Guard_begin(benchfs_mpiio_guard* guard, ADIO_File fd,
                              benchfs_mpiio_direction direction, ADIO_Offset begin,
                              ADIO_Offset end) {
  guard->lock = NULL;
  if (begin >= end || !ADIOI_BENCHFS_Needs_guard(fd, direction)) {
    return 0;
  }
  return benchfs_mpiio_guard_begin(guard, ADIOI_BENCHFS_File_of(fd)->handle, direction, begin, end);
}
