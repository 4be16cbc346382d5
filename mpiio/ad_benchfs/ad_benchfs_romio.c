/*
 * Stands in for files of ROMIO that are not linked: ad_fstype.c, with its fixed list of drivers;
 * lock.c, which locks kernel file descriptors; onesided_aggregation.c, which writes to them. This
 * copy of ROMIO only ever sees files of benchfs.
 */
#include <stdio.h>

#include "ad_benchfs.h"

void ADIO_ResolveFileType(MPI_Comm comm, const char* filename, int* fstype, ADIOI_Fns** ops,
                          int* error_code) {
  (void)comm;
  (void)filename;
  *fstype = ADIO_BENCHFS;
  *ops = &ADIO_BENCHFS_operations;
  *error_code = MPI_SUCCESS;
}

/* We offer nothing that locks, and ROMIO ignores what this returns: going on could lose data. */
int ADIOI_Set_lock(FDTYPE fd, int cmd, int type, ADIO_Offset offset, int whence, ADIO_Offset len) {
  (void)fd;
  (void)cmd;
  (void)type;
  (void)offset;
  (void)whence;
  (void)len;
  fputs("benchfs: MPI-IO asked for a byte-range lock, which there is none of\n", stderr);
  MPI_Abort(MPI_COMM_WORLD, 1);
  return MPI_ERR_UNSUPPORTED_OPERATION;
}

/* Called at close. Only the one-sided aggregation, which is not here, would have left anything. */
int ADIOI_OneSidedCleanup(ADIO_File fd) {
  (void)fd;
  return MPI_SUCCESS;
}
