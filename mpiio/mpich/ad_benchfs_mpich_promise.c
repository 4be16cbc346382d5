/*
 * Promises as generalized requests of MPICH, with its extension that lets a wait ask whether they
 * are kept. A failure goes to the error handler of MPI_COMM_WORLD, as that of every request which
 * is none of a communicator: MPICH has no other for them.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "ad_benchfs_promise.h"

/* Held twice: by the request until the user's is freed, and by the driver until it is kept. */
struct ADIOI_BENCHFS_Promise {
  MPI_Request request;
  MPI_Count byte_count;
  int error_code;
  atomic_int is_kept;
  atomic_int holder_count;
};

static int (*_Atomic progress_of_driver)(void);

static void let_go(ADIOI_BENCHFS_Promise* promise) {
  if (atomic_fetch_sub(&promise->holder_count, 1) == 1) {
    free(promise);
  }
}

static void make_progress(void) {
  int (*const progress)(void) = atomic_load(&progress_of_driver);
  if (progress != NULL) {
    (void)progress();
  }
}

static int query(void* state, MPI_Status* status) {
  const ADIOI_BENCHFS_Promise* const promise = state;
  MPI_Status_set_elements_x(status, MPI_BYTE, promise->byte_count);
  MPI_Status_set_cancelled(status, 0);
  status->MPI_SOURCE = MPI_UNDEFINED;
  status->MPI_TAG = MPI_UNDEFINED;
  return promise->error_code;
}

static int free_promise(void* state) {
  let_go(state);
  return MPI_SUCCESS;
}

/* What has been sent to servers cannot be called back. The operation ends as if nobody had asked.
 */
static int cancel(void* state, int is_complete) {
  (void)state;
  (void)is_complete;
  return MPI_SUCCESS;
}

static int poll(void* state, MPI_Status* status) {
  (void)state;
  (void)status;
  make_progress();
  return MPI_SUCCESS;
}

static int wait(int count, void** states, double timeout, MPI_Status* status) {
  (void)timeout;
  (void)status;
  for (int i = 0; i < count; i++) {
    const ADIOI_BENCHFS_Promise* const promise = states[i];
    while (!atomic_load(&promise->is_kept)) {
      make_progress();
      sched_yield();
    }
  }
  return MPI_SUCCESS;
}

ADIOI_BENCHFS_Promise* ADIOI_BENCHFS_Promise_make(ADIO_File fd, ADIO_Request* request) {
  (void)fd;
  ADIOI_BENCHFS_Promise* const promise = calloc(1, sizeof *promise);
  if (promise == NULL) {
    return NULL;
  }
  atomic_store(&promise->holder_count, 2);
  if (MPIX_Grequest_start(query, free_promise, cancel, poll, wait, promise, request) !=
      MPI_SUCCESS) {
    free(promise);
    return NULL;
  }
  promise->request = *request;
  return promise;
}

void ADIOI_BENCHFS_Promise_keep(ADIOI_BENCHFS_Promise* promise, MPI_Count byte_count,
                                int error_code) {
  promise->byte_count = byte_count;
  promise->error_code = error_code;
  MPI_Grequest_complete(promise->request);
  atomic_store(&promise->is_kept, 1);
  let_go(promise);
}

void ADIOI_BENCHFS_Progress_on(int (*progress)(void)) {
  atomic_store(&progress_of_driver, progress);
}

void ADIOI_BENCHFS_Progress_off(int (*progress)(void)) {
  (void)progress;
  atomic_store(&progress_of_driver, NULL);
}
