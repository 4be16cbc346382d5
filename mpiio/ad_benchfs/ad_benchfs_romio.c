/*
 * Stands in for files of ROMIO that are not linked under Open MPI: ad_fstype.c, with its fixed list
 * of drivers; ad_get_sh_fp.c, ad_set_sh_fp.c and shfp_fname.c, with a hidden file; lock.c, which
 * locks kernel file descriptors; onesided_aggregation.c, which writes to them. That copy of ROMIO
 * only ever sees files of benchfs.
 */
#include "ad_benchfs.h"

void ADIO_ResolveFileType(MPI_Comm comm, const char* filename, int* fstype, ADIOI_Fns** ops,
                          int* error_code) {
  (void)comm;
  (void)filename;
  *fstype = ADIO_BENCHFS;
  *ops = &ADIO_BENCHFS_operations;
  *error_code = MPI_SUCCESS;
}

void ADIO_Get_shared_fp(ADIO_File fd, ADIO_Offset incr, ADIO_Offset* shared_fp, int* error_code) {
  ADIOI_BENCHFS_Get_shared_fp(fd, incr, shared_fp, error_code);
}

void ADIO_Set_shared_fp(ADIO_File fd, ADIO_Offset offset, int* error_code) {
  ADIOI_BENCHFS_Set_shared_fp(fd, offset, error_code);
}

void ADIOI_Shfp_fname(ADIO_File fd, int rank, int* error_code) {
  ADIOI_BENCHFS_Shfp_fname(fd, rank, error_code);
}

/*
 * ROMIO calls this around a transfer by the shared file pointer in atomic mode, whatever the driver
 * offers; the transfer itself locks what it touches.
 */
int ADIOI_Set_lock(FDTYPE fd, int cmd, int type, ADIO_Offset offset, int whence, ADIO_Offset len) {
  (void)fd;
  (void)cmd;
  (void)type;
  (void)offset;
  (void)whence;
  (void)len;
  return MPI_SUCCESS;
}

/* Called at close. Only the one-sided aggregation, which is not here, would have left anything. */
int ADIOI_OneSidedCleanup(ADIO_File fd) {
  (void)fd;
  return MPI_SUCCESS;
}
