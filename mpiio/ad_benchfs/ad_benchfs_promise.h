/*
 * What a non-blocking call returns: a request of the MPI library that the driver completes itself.
 * This is the one thing that the driver needs of an MPI library beyond MPI and ROMIO; for Open MPI
 * it is in component/io_benchfs_promise.c, for MPICH in mpich/ad_benchfs_mpich_promise.c.
 */
#ifndef BENCHFS_MPIIO_AD_BENCHFS_PROMISE_H
#define BENCHFS_MPIIO_AD_BENCHFS_PROMISE_H

#include <adio.h>

typedef struct ADIOI_BENCHFS_Promise ADIOI_BENCHFS_Promise;

/*
 * An active request for an operation on `fd`, which is put into `*request`; Open MPI lets that
 * file's error handler hear of a failure, MPICH that of the world. NULL if there is no memory.
 */
ADIOI_BENCHFS_Promise* ADIOI_BENCHFS_Promise_make(ADIO_File fd, ADIO_Request* request);

/*
 * Completes it, once, and frees the promise; the user may have freed the request before, and may
 * free it at once. `error_code` is what MPI_Wait and the like are to return. In a thread that may
 * call MPI.
 */
void ADIOI_BENCHFS_Promise_keep(ADIOI_BENCHFS_Promise* promise, MPI_Count byte_count,
                                int error_code);

/*
 * From the next call on the MPI library calls `progress` whenever a thread of the user waits inside
 * of MPI for a promise, or looks whether it is kept; it returns how many it has kept. Until
 * Progress_off.
 */
void ADIOI_BENCHFS_Progress_on(int (*progress)(void));
void ADIOI_BENCHFS_Progress_off(int (*progress)(void));

#endif /* BENCHFS_MPIIO_AD_BENCHFS_PROMISE_H */
