/*
 * Promises as requests of Open MPI, of the kind that its own MPI-IO has: their failures go to the
 * file's error handler.
 */
#include <adio.h>
#include <mpi.h>
#include <ompi/file/file.h>
#include <ompi/request/request.h>
#include <ompi_config.h>
#include <opal/runtime/opal_progress.h>

#include "../ad_benchfs/ad_benchfs.h"
#include "../ad_benchfs/ad_benchfs_promise.h"

/* An ADIOI_BENCHFS_Promise. Held twice: by the user until it is freed, and by us until it is kept.
 */
typedef struct io_benchfs_promise_t {
  ompi_request_t super;
} io_benchfs_promise_t;

OBJ_CLASS_DECLARATION(io_benchfs_promise_t);
static void construct(io_benchfs_promise_t* promise);
OBJ_CLASS_INSTANCE(io_benchfs_promise_t, ompi_request_t, construct, NULL);

static int free_request(ompi_request_t** request) {
  io_benchfs_promise_t* promise = (io_benchfs_promise_t*)*request;
  OMPI_REQUEST_FINI(&promise->super);
  OBJ_RELEASE(promise);
  *request = MPI_REQUEST_NULL;
  return OMPI_SUCCESS;
}

/* What has been sent to servers cannot be called back. The operation ends as if nobody had asked.
 */
static int cancel_request(ompi_request_t* request, int flag) {
  (void)request;
  (void)flag;
  return OMPI_SUCCESS;
}

static void construct(io_benchfs_promise_t* promise) {
  ompi_request_t* const request = &promise->super;
  OMPI_REQUEST_INIT(request, false);
  request->req_type = OMPI_REQUEST_IO;
  request->req_free = free_request;
  request->req_cancel = cancel_request;
  request->req_status.MPI_SOURCE = MPI_UNDEFINED;
  request->req_status.MPI_TAG = MPI_UNDEFINED;
  request->req_status.MPI_ERROR = MPI_SUCCESS;
  request->req_status._ucount = 0;
  request->req_status._cancelled = 0;
}

ADIOI_BENCHFS_Promise* ADIOI_BENCHFS_Promise_make(ADIO_File fd, ADIO_Request* request) {
  io_benchfs_promise_t* promise = OBJ_NEW(io_benchfs_promise_t);
  if (promise == NULL) {
    return NULL;
  }
  OBJ_RETAIN(promise);
  promise->super.req_mpi_object.file = (struct ompi_file_t*)ADIOI_BENCHFS_File_of(fd)->mpi_file;
  promise->super.req_state = OMPI_REQUEST_ACTIVE;
  *request = &promise->super;
  return (ADIOI_BENCHFS_Promise*)promise;
}

void ADIOI_BENCHFS_Promise_keep(ADIOI_BENCHFS_Promise* promise, MPI_Count byte_count,
                                int error_code) {
  ompi_request_t* request = (ompi_request_t*)promise;
  request->req_status._ucount = (size_t)byte_count;
  request->req_status.MPI_ERROR = error_code;
  ompi_request_complete(request, true);
  OBJ_RELEASE(request);
}

void ADIOI_BENCHFS_Progress_on(int (*progress)(void)) {
  opal_progress_register(progress);
}

void ADIOI_BENCHFS_Progress_off(int (*progress)(void)) {
  opal_progress_unregister(progress);
}
