/*
 * Atomic mode: every transfer of a rank holds a lock on all bytes from the first to the last that
 * it touches, shared if it reads. The lock is a server's (benchfs_lock_range): fair, and gone with
 * a process that dies. No rank ever holds two, and none waits for another rank while it holds one.
 *
 * The two-phase exchange needs no more than that: where ranks write the same bytes in one call,
 * ROMIO lets the higher rank win everywhere, which is one order of their writes.
 */
#include <errno.h>

#include "ad_benchfs.h"

int ADIOI_BENCHFS_Needs_guard(ADIO_File fd, ADIOI_BENCHFS_Direction direction) {
  const ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  return fd->atomicity || (direction == ADIOI_BENCHFS_WRITE && !file->is_sieving &&
                           ADIOI_BENCHFS_Sieves(fd, direction));
}

int ADIOI_BENCHFS_Guard_begin(ADIOI_BENCHFS_Guard* guard, ADIO_File fd,
                              ADIOI_BENCHFS_Direction direction, ADIO_Offset begin,
                              ADIO_Offset end) {
  guard->lock = NULL;
  if (begin >= end || !ADIOI_BENCHFS_Needs_guard(fd, direction)) {
    return 0;
  }
  guard->lock = benchfs_lock_range(ADIOI_BENCHFS_File_of(fd)->handle,
                                   direction == ADIOI_BENCHFS_READ, begin, end - begin);
  return guard->lock == NULL ? -1 : 0;
}

ADIO_Offset ADIOI_BENCHFS_Guard_end(ADIOI_BENCHFS_Guard* guard, ADIO_Offset moved) {
  if (guard->lock == NULL) {
    return moved;
  }
  const int error_number = errno;
  if (benchfs_unlock(guard->lock) != 0 && moved >= 0) {
    return -1; /* It may not have been atomic. */
  }
  errno = error_number;
  return moved;
}
