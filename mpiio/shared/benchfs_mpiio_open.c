#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "benchfs_mpiio.h"

/* Of files for which a number of servers only is asked for. */
enum { kDefaultChunkSize = 1 << 20 };

/* What rank 0 tells the others: the same program on the same machine type, so a plain struct. */
typedef struct Announcement {
  benchfs_mpiio_failure failure;
  int64_t size; /* Of the file, in bytes; only if wanted. */
  unsigned char exported[BENCHFS_EXPORT_SIZE];
} Announcement;

static void fail_with_errno(benchfs_mpiio_failure* failure) {
  benchfs_mpiio_client_failure(failure, errno);
}

/* The session is missing: not to be confused with a missing file. */
static benchfs_mount* join(benchfs_mpiio_failure* failure) {
  benchfs_mount* const mount = benchfs_mpiio_session_acquire();
  if (mount == NULL) {
    const int error_number = errno;
    benchfs_mpiio_client_failure(failure, error_number);
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
static int all_succeeded(MPI_Comm comm, int rank, benchfs_mpiio_failure* failure) {
  struct {
    int error_class;
    int rank;
  } mine = {failure->error_class, rank}, worst = {MPI_SUCCESS, 0};
  MPI_Allreduce(&mine, &worst, 1, MPI_2INT, MPI_MAXLOC, comm);
  if (worst.error_class != MPI_SUCCESS && worst.rank == rank) {
    benchfs_mpiio_say(failure->text);
  }
  failure->error_class = worst.error_class;
  return worst.error_class == MPI_SUCCESS;
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

static benchfs_file* open_by_name(benchfs_mount* mount, const benchfs_mpiio_open_request* request) {
  benchfs_layout filled = request->layout;
  if (filled.chunk_size == 0) {
    filled.chunk_size = kDefaultChunkSize;
  }
  const int asks_nothing = request->layout.chunk_size == 0 && request->layout.stripe_count == 0;
  const benchfs_layout* const layout = asks_nothing ? NULL : &filled;
  const char* const path = request->path;
  const int flags = request->flags;
  benchfs_file* file = benchfs_open(mount, path, flags, request->mode, layout);
  if (file == NULL && errno == ENOENT && (flags & O_CREAT) && request->makes_parents) {
    if (make_parents(mount, path) == 0) {
      file = benchfs_open(mount, path, flags, request->mode, layout);
    }
  }
  if (file == NULL && errno == EACCES && request->falls_back_to_writing) {
    file = benchfs_open(mount, path, (flags & ~O_ACCMODE) | O_WRONLY, request->mode, layout);
  }
  return file;
}

/* Rank 0: opens by name and fills the announcement. NULL: the failure is in the announcement. */
static benchfs_file* open_and_announce(const benchfs_mpiio_open_request* request,
                                       Announcement* out) {
  benchfs_mount* const mount = join(&out->failure);
  if (mount == NULL) {
    return NULL;
  }
  benchfs_file* file = open_by_name(mount, request);
  if (file == NULL) {
    const int is_common = errno == ENOENT || errno == EEXIST;
    fail_with_errno(&out->failure);
    if (is_common) {
      out->failure.text[0] = '\0'; /* Programs ask this way whether a file is there. */
    }
    benchfs_mpiio_session_release();
    return NULL;
  }
  struct stat attributes;
  int failed = benchfs_file_export(file, out->exported, sizeof out->exported);
  if (!failed && request->wants_size) {
    failed = benchfs_fstat(file, &attributes);
    out->size = failed ? 0 : attributes.st_size;
  }
  if (failed) {
    fail_with_errno(&out->failure);
    (void)benchfs_close(file); /* Nothing was written; what failed is reported already. */
    benchfs_mpiio_session_release();
    return NULL;
  }
  return file;
}

/* The other ranks: attaches to what was announced. */
static benchfs_file* attach(const Announcement* announcement, benchfs_mpiio_failure* failure) {
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
    benchfs_mpiio_session_release();
  }
  return file;
}

/* Some rank could not attach: undoes the open everywhere, the opener last. */
static void give_up(MPI_Comm comm, int rank, benchfs_file* file) {
  if (file != NULL && rank != BENCHFS_MPIIO_OPENER) {
    (void)benchfs_close(file); /* Nothing was written. */
    benchfs_mpiio_session_release();
  }
  MPI_Barrier(comm);
  if (file != NULL && rank == BENCHFS_MPIIO_OPENER) {
    (void)benchfs_close(file);
    benchfs_mpiio_session_release();
  }
}

benchfs_file* benchfs_mpiio_open(MPI_Comm comm, const benchfs_mpiio_open_request* request,
                                 int64_t* size, benchfs_mpiio_failure* failure) {
  Announcement announcement;
  memset(&announcement, 0, sizeof announcement);
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  if (!all_succeeded(comm, rank, failure)) {
    return NULL;
  }
  benchfs_file* handle = NULL;
  if (rank == BENCHFS_MPIIO_OPENER) {
    handle = open_and_announce(request, &announcement);
  }
  MPI_Bcast(&announcement, (int)sizeof announcement, MPI_BYTE, BENCHFS_MPIIO_OPENER, comm);
  if (announcement.failure.error_class != MPI_SUCCESS) {
    *failure = announcement.failure;
    if (rank == BENCHFS_MPIIO_OPENER) {
      benchfs_mpiio_say(failure->text);
    }
    return NULL;
  }
  if (rank != BENCHFS_MPIIO_OPENER) {
    handle = attach(&announcement, failure);
  }
  if (!all_succeeded(comm, rank, failure)) {
    give_up(comm, rank, handle);
    return NULL;
  }
  *size = announcement.size;
  return handle;
}

static int close_handle(benchfs_file* handle, benchfs_mpiio_failure* failure) {
  if (benchfs_close(handle) != 0) {
    benchfs_mpiio_client_failure(failure, errno);
  }
  benchfs_mpiio_session_release();
  return failure->error_class;
}

int benchfs_mpiio_close(MPI_Comm comm, benchfs_file* handle, benchfs_mpiio_failure* mine) {
  int rank = 0;
  int worst = MPI_SUCCESS;
  MPI_Comm_rank(comm, &rank);
  *mine = (benchfs_mpiio_failure){MPI_SUCCESS, ""};
  if (rank != BENCHFS_MPIIO_OPENER) {
    close_handle(handle, mine);
  }
  MPI_Reduce(&mine->error_class, &worst, 1, MPI_INT, MPI_MAX, BENCHFS_MPIIO_OPENER, comm);
  if (rank == BENCHFS_MPIIO_OPENER && close_handle(handle, mine) != MPI_SUCCESS) {
    worst = mine->error_class;
  }
  MPI_Bcast(&worst, 1, MPI_INT, BENCHFS_MPIIO_OPENER, comm);
  return worst;
}
