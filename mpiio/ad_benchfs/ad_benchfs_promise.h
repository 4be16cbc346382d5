/*
 * What a non-blocking call returns: a request of the MPI library that the driver completes itself.
 * This is the one thing that the driver needs of an MPI library beyond MPI and ROMIO; for Open MPI
 * it is in component/io_benchfs_promise.c. (MPI's generalized requests would not do: a failure of
 * one goes to the error handler of MPI_COMM_WORLD, which by default ends the job.)
 */
#ifndef BENCHFS_MPIIO_AD_BENCHFS_PROMISE_H
#define BENCHFS_MPIIO_AD_BENCHFS_PROMISE_H

#include <adio.h>

/*
 * An active request for an operation on `fd`, whose error handler hears of a failure.
 * MPI_REQUEST_NULL if there is no memory.
 */
ADIO_Request ADIOI_BENCHFS_Promise_make(ADIO_File fd);

/*
 * Completes it, once; the user may have freed it before, and may free it at once. `error_code` is
 * what MPI_Wait and the like are to return. In a thread that may call MPI.
 */
void ADIOI_BENCHFS_Promise_keep(ADIO_Request request, MPI_Count byte_count, int error_code);

/*
 * From the next call on the MPI library calls `progress` whenever a thread of the user waits inside
 * of MPI, or looks whether something has come; it returns how many promises it has kept. Until
 * Progress_off.
 */
void ADIOI_BENCHFS_Progress_on(int (*progress)(void));
void ADIOI_BENCHFS_Progress_off(int (*progress)(void));

#endif /* BENCHFS_MPIIO_AD_BENCHFS_PROMISE_H */
