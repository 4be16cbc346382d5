#include <fcntl.h>
#include <sys/stat.h>

#include "ad_benchfs.h"

static int open_flags(int access_mode) {
  int flags = O_RDONLY;
  /* Two-phase writes read back what lies between the pieces, so a file to write is to read too. */
  if (access_mode & (ADIO_WRONLY | ADIO_RDWR)) {
    flags = O_RDWR;
  }
  if (access_mode & ADIO_CREATE) {
    flags |= O_CREAT;
  }
  if (access_mode & ADIO_EXCL) {
    flags |= O_EXCL;
  }
  return flags;
}

static mode_t permissions(ADIO_File fd) {
  if (fd->perm != ADIO_PERM_NULL) {
    return (mode_t)fd->perm;
  }
  const mode_t mask = umask(022);
  umask(mask);
  return 0666 & ~mask;
}

/* Every rank has `handle` open: fills in what ROMIO and the other functions of the driver look at.
 */
static void adopt(ADIO_File fd, benchfs_file* handle, int is_opener) {
  ADIOI_BENCHFS_File* const file = ADIOI_Calloc(1, sizeof *file);
  file->handle = handle;
  file->is_opener = is_opener;
  fd->fs_ptr = file;
  fd->fd_sys = -1; /* There is no file descriptor; nobody may use one. */
  fd->fd_direct = -1;
  fd->is_open = 1;
}

void ADIOI_BENCHFS_OpenColl(ADIO_File fd, int rank, int access_mode, int* error_code) {
  benchfs_mpiio_failure failure = {MPI_SUCCESS, ""};
  benchfs_mpiio_open_request request = {
      .path = fd->filename,
      .flags = open_flags(access_mode),
      .mode = permissions(fd),
      .makes_parents = ADIOI_BENCHFS_Wants_parents(fd),
      /* Not ours to read: contiguous writes still work. */
      .falls_back_to_writing = (access_mode & ADIO_WRONLY) != 0,
      .wants_size = (access_mode & ADIO_APPEND) != 0,
  };
  fd->access_mode = access_mode;
  fd->blksize = 1; /* ROMIO insists on a positive one, even if the open fails. */
  ADIOI_BENCHFS_Wanted_layout(fd, &request.layout, &failure);
  int64_t size = 0;
  benchfs_file* const handle = benchfs_mpiio_open(fd->comm, &request, &size, &failure);
  if (handle == NULL) {
    *error_code =
        ADIOI_BENCHFS_Error_code("ADIOI_BENCHFS_OpenColl", fd->filename, failure.error_class);
    return;
  }
  adopt(fd, handle, rank == BENCHFS_MPIIO_OPENER);
  if (access_mode & ADIO_APPEND) {
    fd->fp_ind = size;
  }
  benchfs_layout layout = {0, 0};
  if (benchfs_file_layout(handle, &layout) == 0) {
    ADIOI_BENCHFS_Publish_layout(fd, &layout);
  }
  ADIOI_BENCHFS_Choose_aggregators(fd, layout.stripe_count);
  *error_code = MPI_SUCCESS;
}

/* ROMIO opens a file that it had deferred with this, alone; we never defer, but it is the same. */
void ADIOI_BENCHFS_Open(ADIO_File fd, int* error_code) {
  int rank = 0;
  MPI_Comm_rank(fd->comm, &rank);
  ADIOI_BENCHFS_OpenColl(fd, rank, fd->access_mode, error_code);
}
