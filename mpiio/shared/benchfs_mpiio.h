/*
 * What MPI-IO over benchfs needs whatever calls it: opening on all ranks by one request, list I/O,
 * locks, the session of the process, and errors as MPI has them. It knows MPI and
 * <benchfs/benchfs.h>, and nothing of ROMIO: it is compiled without ROMIO's headers. The ADIO
 * driver (ad_benchfs/) is one user; README.md says what another would be.
 */
#ifndef BENCHFS_MPIIO_H
#define BENCHFS_MPIIO_H

#include <benchfs/benchfs.h>
#include <mpi.h>
#include <stdint.h>
#include <sys/types.h>

#include "benchfs_mpiio_runs.h"

typedef enum benchfs_mpiio_direction {
  BENCHFS_MPIIO_READ,
  BENCHFS_MPIIO_WRITE,
} benchfs_mpiio_direction;

/* ---- Errors */

/* What a failed step has to say. */
typedef struct benchfs_mpiio_failure {
  int error_class; /* MPI_SUCCESS: it did not fail. */
  char text[512];  /* One sentence for the user; empty if the error class says it all. */
} benchfs_mpiio_failure;

/* The MPI error class of an errno of the client; MPI_SUCCESS for 0. */
int benchfs_mpiio_error_class(int error_number);

/* What the client says of the call that has just failed in this thread; `error_number` is its
 * errno. */
void benchfs_mpiio_client_failure(benchfs_mpiio_failure* failure, int error_number);

/* One line on stderr. */
void benchfs_mpiio_say(const char* text);

/* ---- The session */

/*
 * The session of this process, $BENCHFS_SESSION, joined at the first call and left when MPI is
 * finalised and the last user has released it. NULL and errno if it cannot be joined; the next call
 * tries again. Any thread.
 */
benchfs_mount* benchfs_mpiio_session_acquire(void);
void benchfs_mpiio_session_release(void);

/* ---- Open and close */

enum { BENCHFS_MPIIO_OPENER = 0 }; /* The rank that opens by name, and closes last. */

typedef struct benchfs_mpiio_open_request {
  const char* path;
  int flags; /* As of benchfs_open(). */
  mode_t mode;
  benchfs_layout layout;     /* 0 for what is left open. */
  int makes_parents;         /* Create missing directories above a file that is created. */
  int falls_back_to_writing; /* If it may not be read, open it to be written only. */
  int wants_size;
} benchfs_mpiio_open_request;

/*
 * Collective over `comm`: opens on all ranks or on none. One rank asks the servers, the others
 * attach to what it has. `*failure` may already hold why this rank cannot go on, such as a wrong
 * hint; then none opens. Returns this rank's handle and, if wanted, the file's size in bytes; or
 * NULL and in
 * `*failure` the error class that all ranks get. One rank says on stderr why, unless the file is
 * just missing or there, which programs ask for.
 */
benchfs_file* benchfs_mpiio_open(MPI_Comm comm, const benchfs_mpiio_open_request* request,
                                 int64_t* size, benchfs_mpiio_failure* failure);

/*
 * Collective: closes the handle on all ranks, the opener last. `*mine` gets what this rank's close
 * has to say; returns the error class that all ranks get.
 */
int benchfs_mpiio_close(MPI_Comm comm, benchfs_file* handle, benchfs_mpiio_failure* mine);

/* ---- Who does the I/O */

/*
 * Puts up to `wanted` ranks, 1 or more, into `chosen`, which has room for them: the first rank of
 * each node, then the second of each; of a row of which not all are needed, some in even distances.
 * `names` has the node of each of `rank_count` ranks. Returns how many; 0 if there is no memory.
 */
int benchfs_mpiio_spread(char* const* names, int rank_count, int wanted, int* chosen);

/* ---- Locks */

/* What a transfer holds while it goes on. */
typedef struct benchfs_mpiio_guard {
  benchfs_lock* lock; /* NULL: nothing. */
} benchfs_mpiio_guard;

/* Waits for a lock on the bytes from `begin` to `end`, shared if it reads. -1 and errno. */
int benchfs_mpiio_guard_begin(benchfs_mpiio_guard* guard, benchfs_file* handle,
                              benchfs_mpiio_direction direction, MPI_Offset begin, MPI_Offset end);

/* Returns `moved`, which is what was moved or -1 and errno; -1 and errno also if the lock was lost.
 */
MPI_Offset benchfs_mpiio_guard_end(benchfs_mpiio_guard* guard, MPI_Offset moved);

/* ---- List I/O */

/* The pieces of a transfer as the client's list calls take them. Those that touch are joined. All
 * zero: none. */
typedef struct benchfs_mpiio_pieces {
  struct iovec* memory;
  benchfs_extent* extents;
  size_t memory_count;
  size_t memory_room;
  size_t extent_count;
  size_t extent_room;
  MPI_Offset length; /* Of either side, in bytes. */
} benchfs_mpiio_pieces;

/* A transfer on its way through the user's memory and the file's view. */
typedef struct benchfs_mpiio_walk {
  benchfs_mpiio_runs memory;
  benchfs_mpiio_runs file;
  char* buffer;
} benchfs_mpiio_walk;

/*
 * Replaces the pieces by the next of the walk: `wanted` bytes, or as many as `count_max` pieces on
 * either side have. 0, or -1 if there is no memory.
 */
int benchfs_mpiio_pieces_fill(benchfs_mpiio_pieces* pieces, benchfs_mpiio_walk* walk,
                              MPI_Offset wanted, size_t count_max);
void benchfs_mpiio_pieces_free(benchfs_mpiio_pieces* pieces);

/*
 * Moves `wanted` bytes from where `walk` is. `*moved` gets how many were; fewer at the end of the
 * file, behind which memory is zeroed. Returns 0, or -1 and errno.
 */
int benchfs_mpiio_move(benchfs_file* handle, benchfs_mpiio_direction direction,
                       benchfs_mpiio_walk* walk, MPI_Offset wanted, MPI_Offset* moved);

/* Starts to move the pieces; NULL and errno if that cannot be. */
benchfs_request* benchfs_mpiio_begin(benchfs_file* handle, benchfs_mpiio_direction direction,
                                     const benchfs_mpiio_pieces* pieces);

#endif /* BENCHFS_MPIIO_H */
