#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ad_benchfs.h"

enum { kOpenerRank = 0 };

/* Of files for which the hints ask for a number of servers only. */
enum { kDefaultChunkSize = 1 << 20 };

/* What rank 0 tells the others: the same program on the same machine type, so a plain struct. */
typedef struct Announcement {
  ADIOI_BENCHFS_Failure failure;
  int64_t size; /* Of the file, in bytes; only with ADIO_APPEND. */
  unsigned char exported[BENCHFS_EXPORT_SIZE];
} Announcement;

static void fail_with_errno(ADIOI_BENCHFS_Failure* failure) {
  ADIOI_BENCHFS_Client_failure(failure, errno);
}

/* The session is missing: not to be confused with a missing file. */
static benchfs_mount* join(ADIOI_BENCHFS_Failure* failure) {
  benchfs_mount* const mount = ADIOI_BENCHFS_Mount_acquire();
  if (mount == NULL) {
    const int error_number = errno;
    ADIOI_BENCHFS_Client_failure(failure, error_number);
    if (error_number != EACCES && error_number != ENOMEM) {
      failure->error_class = MPI_ERR_IO;
    }
  }
  return mount;
}

/*
 * Whether all ranks of the file have succeeded; the same answer on all. If not, `*failure` gets the
 * error class of one that failed, which alone prints its text.
 */
static int all_succeeded(ADIO_File fd, int rank, ADIOI_BENCHFS_Failure* failure) {
  struct {
    int error_class;
    int rank;
  } mine = {failure->error_class, rank}, worst = {MPI_SUCCESS, 0};
  MPI_Allreduce(&mine, &worst, 1, MPI_2INT, MPI_MAXLOC, fd->comm);
  if (worst.error_class != MPI_SUCCESS && worst.rank == rank) {
    ADIOI_BENCHFS_Say(failure->text);
  }
  failure->error_class = worst.error_class;
  return worst.error_class == MPI_SUCCESS;
}

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

/* Makes the directories above `path`. Another rank or job may make the same ones at the same time.
 */
static int make_parents(benchfs_mount* mount, const char* path) {
  char parent[PATH_MAX];
  if (strlen(path) >= sizeof parent) {
    errno = ENAMETOOLONG;
    return -1;
  }
  for (const char* slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    const size_t length = (size_t)(slash - path);
    memcpy(parent, path, length);
    parent[length] = '\0';
    if (benchfs_mkdir(mount, parent, 0777) != 0 && errno != EEXIST) {
      return -1;
    }
  }
  return 0;
}

static benchfs_file* open_by_name(ADIO_File fd, benchfs_mount* mount, int access_mode,
                                  const benchfs_layout* wanted) {
  benchfs_layout filled = *wanted;
  if (filled.chunk_size == 0) {
    filled.chunk_size = kDefaultChunkSize;
  }
  const int asks_nothing = wanted->chunk_size == 0 && wanted->stripe_count == 0;
  const benchfs_layout* const layout = asks_nothing ? NULL : &filled;
  const int flags = open_flags(access_mode);
  const mode_t mode = permissions(fd);
  benchfs_file* file = benchfs_open(mount, fd->filename, flags, mode, layout);
  if (file == NULL && errno == ENOENT && (flags & O_CREAT) && ADIOI_BENCHFS_Wants_parents(fd)) {
    if (make_parents(mount, fd->filename) == 0) {
      file = benchfs_open(mount, fd->filename, flags, mode, layout);
    }
  }
  if (file == NULL && errno == EACCES && (access_mode & ADIO_WRONLY)) {
    /* Not ours to read: contiguous writes still work. */
    file = benchfs_open(mount, fd->filename, (flags & ~O_ACCMODE) | O_WRONLY, mode, layout);
  }
  return file;
}

/* Rank 0: opens by name and fills the announcement. NULL: the failure is in the announcement. */
static benchfs_file* open_and_announce(ADIO_File fd, int access_mode, const benchfs_layout* layout,
                                       Announcement* out) {
  benchfs_mount* const mount = join(&out->failure);
  if (mount == NULL) {
    return NULL;
  }
  benchfs_file* file = open_by_name(fd, mount, access_mode, layout);
  if (file == NULL) {
    const int is_common = errno == ENOENT || errno == EEXIST;
    fail_with_errno(&out->failure);
    if (is_common) {
      out->failure.text[0] = '\0'; /* Programs ask this way whether a file is there. */
    }
    ADIOI_BENCHFS_Mount_release();
    return NULL;
  }
  struct stat attributes;
  int failed = benchfs_file_export(file, out->exported, sizeof out->exported);
  if (!failed && (access_mode & ADIO_APPEND)) {
    failed = benchfs_fstat(file, &attributes);
    out->size = failed ? 0 : attributes.st_size;
  }
  if (failed) {
    fail_with_errno(&out->failure);
    (void)benchfs_close(file); /* Nothing was written; what failed is reported already. */
    ADIOI_BENCHFS_Mount_release();
    return NULL;
  }
  return file;
}

/* The other ranks: attaches to what was announced. */
static benchfs_file* attach(const Announcement* announcement, ADIOI_BENCHFS_Failure* failure) {
  benchfs_mount* const mount = join(failure);
  if (mount == NULL) {
    return NULL;
  }
  benchfs_file* const file =
      benchfs_file_attach(mount, announcement->exported, sizeof announcement->exported);
  if (file == NULL) {
    fail_with_errno(failure);
    if (failure->error_class == MPI_ERR_NO_SUCH_FILE) {
      failure->error_class = MPI_ERR_IO; /* Rank 0 has it open. */
    }
    ADIOI_BENCHFS_Mount_release();
  }
  return file;
}

/* Some rank could not attach: undoes the open everywhere, the opener last. */
static void give_up(ADIO_File fd, int rank, benchfs_file* file) {
  if (file != NULL && rank != kOpenerRank) {
    (void)benchfs_close(file); /* Nothing was written. */
    ADIOI_BENCHFS_Mount_release();
  }
  MPI_Barrier(fd->comm);
  if (file != NULL && rank == kOpenerRank) {
    (void)benchfs_close(file);
    ADIOI_BENCHFS_Mount_release();
  }
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

/* Opens on all ranks or on none. Returns this rank's handle, or NULL and the common failure. */
static benchfs_file* open_on_all(ADIO_File fd, int rank, Announcement* announcement,
                                 ADIOI_BENCHFS_Failure* failure, int access_mode) {
  benchfs_layout layout = {0, 0};
  ADIOI_BENCHFS_Wanted_layout(fd, &layout, failure);
  if (!all_succeeded(fd, rank, failure)) {
    return NULL;
  }
  benchfs_file* handle = NULL;
  if (rank == kOpenerRank) {
    handle = open_and_announce(fd, access_mode, &layout, announcement);
  }
  MPI_Bcast(announcement, (int)sizeof *announcement, MPI_BYTE, kOpenerRank, fd->comm);
  if (announcement->failure.error_class != MPI_SUCCESS) {
    *failure = announcement->failure;
    if (rank == kOpenerRank) {
      ADIOI_BENCHFS_Say(failure->text);
    }
    return NULL;
  }
  if (rank != kOpenerRank) {
    handle = attach(announcement, failure);
  }
  if (!all_succeeded(fd, rank, failure)) {
    give_up(fd, rank, handle);
    return NULL;
  }
  return handle;
}

void ADIOI_BENCHFS_OpenColl(ADIO_File fd, int rank, int access_mode, int* error_code) {
  Announcement announcement;
  memset(&announcement, 0, sizeof announcement);
  ADIOI_BENCHFS_Failure failure = {MPI_SUCCESS, ""};

  fd->access_mode = access_mode;
  fd->blksize = 1; /* ROMIO insists on a positive one, even if the open fails. */
  benchfs_file* const handle = open_on_all(fd, rank, &announcement, &failure, access_mode);
  if (handle == NULL) {
    *error_code =
        ADIOI_BENCHFS_Error_code("ADIOI_BENCHFS_OpenColl", fd->filename, failure.error_class);
    return;
  }
  adopt(fd, handle, rank == kOpenerRank);
  if (access_mode & ADIO_APPEND) {
    fd->fp_ind = announcement.size;
  }
  benchfs_layout layout;
  if (benchfs_file_layout(handle, &layout) == 0) {
    ADIOI_BENCHFS_Publish_layout(fd, &layout);
    ADIOI_BENCHFS_Choose_aggregators(fd, layout.stripe_count);
  }
  *error_code = MPI_SUCCESS;
}

/* ROMIO opens a file that it had deferred with this, alone; we never defer, but it is the same. */
void ADIOI_BENCHFS_Open(ADIO_File fd, int* error_code) {
  int rank = 0;
  MPI_Comm_rank(fd->comm, &rank);
  ADIOI_BENCHFS_OpenColl(fd, rank, fd->access_mode, error_code);
}
