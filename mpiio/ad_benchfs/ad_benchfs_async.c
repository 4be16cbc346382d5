/*
 * Non-blocking transfers. The calling thread sends what there is to send, and a thread of this
 * process, which is there from the first such transfer on, waits for the answers: so data moves
 * while the program computes, without a call to MPI. That thread calls nothing of MPI. What it has
 * seen end is completed by whoever is inside of MPI next (progress()).
 *
 * It waits for transfers in the order in which they began; one that ends earlier than those before
 * it is completed after them.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "ad_benchfs_promise.h"
#include "ad_benchfs_walk.h"

/*
 * Pieces on either side that a transfer may have to go on by itself: what it keeps of them takes
 * 64 MiB at the most. With more it is done at once.
 */
enum { kPieceCountMax = 1 << 20 };

typedef struct Transfer {
  struct Transfer* next;
  ADIO_File fd;
  benchfs_request* request;
  ADIOI_BENCHFS_Promise* promise;
  ADIO_Offset moved;
  benchfs_mpiio_failure failure;
} Transfer;

/* In order; `end` is where the next is hung up. */
typedef struct Queue {
  Transfer* first;
  Transfer** end;
} Queue;

static struct {
  pthread_mutex_t lock;   /* Guards the rest, and `running_count` of the files. */
  pthread_cond_t changed; /* Something has begun or ended, or the watcher is to stop. */
  Queue running;
  Queue ended;
  atomic_int ended_count; /* Also read without the lock, since MPI asks very often. */
  pthread_t watcher;
  int has_watcher;
  int is_stopping;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .changed = PTHREAD_COND_INITIALIZER,
           .running = {NULL, &state.running.first},
           .ended = {NULL, &state.ended.first}};

static void put(Queue* queue, Transfer* transfer) {
  transfer->next = NULL;
  *queue->end = transfer;
  queue->end = &transfer->next;
}

static Transfer* take_first(Queue* queue) {
  Transfer* const first = queue->first;
  queue->first = first->next;
  if (first->next == NULL) {
    queue->end = &queue->first;
  }
  return first;
}

static void* watch(void* unused) {
  (void)unused;
  pthread_mutex_lock(&state.lock);
  while (state.running.first != NULL || !state.is_stopping) {
    Transfer* const oldest = state.running.first;
    if (oldest == NULL) {
      pthread_cond_wait(&state.changed, &state.lock);
      continue;
    }
    pthread_mutex_unlock(&state.lock);
    oldest->moved = benchfs_request_wait(oldest->request);
    if (oldest->moved < 0) {
      benchfs_mpiio_client_failure(&oldest->failure, errno);
    }
    pthread_mutex_lock(&state.lock);
    put(&state.ended, take_first(&state.running));
    atomic_fetch_add(&state.ended_count, 1);
    pthread_cond_broadcast(&state.changed);
  }
  pthread_mutex_unlock(&state.lock);
  return NULL;
}

/* Completes what has ended, in a thread that is inside of MPI. The lock is held, and given up in
 * between. */
static int complete_ended(void) {
  int count = 0;
  while (state.ended.first != NULL) {
    Transfer* const transfer = take_first(&state.ended);
    ADIO_File const fd = transfer->fd;
    ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
    atomic_fetch_sub(&state.ended_count, 1);
    file->running_count--;
    const int fails = transfer->moved < 0;
    const int is_first_failure = fails && !file->has_reported;
    file->has_reported |= fails;
    const int error_code = ADIOI_BENCHFS_Error_code("ADIOI_BENCHFS_Begin", fd->filename,
                                                    transfer->failure.error_class);
    pthread_mutex_unlock(&state.lock);
    if (is_first_failure) {
      benchfs_mpiio_say(transfer->failure.text);
    }
    ADIOI_BENCHFS_Promise_keep(transfer->promise, fails ? 0 : transfer->moved, error_code);
    free(transfer);
    count++;
    pthread_mutex_lock(&state.lock);
  }
  return count;
}

static int progress(void) {
  if (atomic_load_explicit(&state.ended_count, memory_order_acquire) == 0) {
    return 0;
  }
  pthread_mutex_lock(&state.lock);
  const int count = complete_ended();
  pthread_mutex_unlock(&state.lock);
  return count;
}

/* Whether there is a watcher. The lock is held. */
static int have_watcher(void) {
  if (!state.has_watcher) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all); /* The program's signals are for its own threads. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    state.has_watcher = pthread_create(&state.watcher, NULL, watch, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (state.has_watcher) {
      ADIOI_BENCHFS_Progress_on(progress);
    }
  }
  return state.has_watcher;
}

/* From here on the watcher has it. 0, or -1 if there is none. */
static int hand_over(Transfer* transfer) {
  pthread_mutex_lock(&state.lock);
  const int outcome = have_watcher() ? 0 : -1;
  if (outcome == 0) {
    ADIOI_BENCHFS_File_of(transfer->fd)->running_count++;
    put(&state.running, transfer);
    pthread_cond_broadcast(&state.changed);
  }
  pthread_mutex_unlock(&state.lock);
  return outcome;
}

/* Waits here, for want of a watcher. */
static void finish_here(Transfer* transfer) {
  int error_code = MPI_SUCCESS;
  ADIO_Offset moved = benchfs_request_wait(transfer->request);
  if (moved < 0) {
    error_code = ADIOI_BENCHFS_Failed(transfer->fd, "ADIOI_BENCHFS_Begin", errno);
    moved = 0;
  }
  ADIOI_BENCHFS_Promise_keep(transfer->promise, moved, error_code);
  free(transfer);
}

/* Begins the transfer of all pieces. */
static void begin(ADIO_File fd, benchfs_mpiio_direction direction,
                  const benchfs_mpiio_pieces* pieces, ADIO_Request* request, int* error_code) {
  *request = MPI_REQUEST_NULL;
  Transfer* const transfer = calloc(1, sizeof *transfer);
  ADIOI_BENCHFS_Promise* const promise =
      transfer != NULL ? ADIOI_BENCHFS_Promise_make(fd, request) : NULL;
  if (promise == NULL) {
    free(transfer);
    *error_code = ADIOI_BENCHFS_Error_code("ADIOI_BENCHFS_Begin", fd->filename, MPI_ERR_NO_MEM);
    return;
  }
  transfer->fd = fd;
  transfer->promise = promise;
  transfer->failure.error_class = MPI_SUCCESS;
  transfer->request = benchfs_mpiio_begin(ADIOI_BENCHFS_File_of(fd)->handle, direction, pieces);
  *error_code = MPI_SUCCESS;
  if (transfer->request == NULL) {
    /* As if it had begun and then failed: who waits hears of it, as of any other failure. */
    const int failed = ADIOI_BENCHFS_Failed(fd, "ADIOI_BENCHFS_Begin", errno);
    ADIOI_BENCHFS_Promise_keep(promise, 0, failed);
    free(transfer);
  } else if (hand_over(transfer) != 0) {
    finish_here(transfer);
  }
}

/* Where the access goes on in the file if all of it is moved, as MPI counts it from the beginning
 * of a non-blocking call on. `after` is where its last byte was. */
static void move_pointer(ADIO_File fd, const ADIOI_BENCHFS_Access* access,
                         benchfs_mpiio_runs* after) {
  if (access->file_ptr_type == ADIO_INDIVIDUAL) {
    benchfs_mpiio_runs_peek(after, &fd->fp_ind);
  }
  fd->fp_sys_posn = -1;
}

/* Whether a transfer has to be over when its call returns. What needs a lock: held while the
 * program computes, it would keep others waiting for that. In a view of external32: the buffer of a
 * collective call is one of ROMIO's with the converted data, which ROMIO frees then. */
static int must_be_done_at_once(ADIO_File fd, benchfs_mpiio_direction direction) {
  return fd->is_external32 || ADIOI_BENCHFS_Needs_guard(fd, direction);
}

/* Contiguous in file and memory: over when this returns. In atomic mode ROMIO asks for a blocking
 * transfer itself. */
static void begin_at_once(ADIO_File fd, const ADIOI_BENCHFS_Access* access, ADIO_Request* request,
                          int* error_code) {
  ADIO_Status status;
  *request = MPI_REQUEST_NULL;
  if (access->direction == BENCHFS_MPIIO_WRITE) {
    ADIOI_BENCHFS_WriteContig(fd, access->buffer, access->count, access->datatype,
                              access->file_ptr_type, access->offset, &status, error_code);
  } else {
    ADIOI_BENCHFS_ReadContig(fd, access->buffer, access->count, access->datatype,
                             access->file_ptr_type, access->offset, &status, error_code);
  }
  if (*error_code == MPI_SUCCESS) {
    MPI_Count moved = 0;
    MPI_Get_elements_x(&status, MPI_BYTE, &moved);
    MPIO_Completed_request_create(&fd, moved, error_code, request);
  }
}

static void begin_contiguous(ADIO_File fd, const ADIOI_BENCHFS_Access* access,
                             ADIO_Request* request, int* error_code) {
  const int is_individual = access->file_ptr_type == ADIO_INDIVIDUAL;
  const ADIO_Offset length = ADIOI_BENCHFS_Size_of(access->count, access->datatype);
  const ADIO_Offset offset = is_individual ? fd->fp_ind : access->offset;
  if (must_be_done_at_once(fd, access->direction)) {
    begin_at_once(fd, access, request, error_code);
    return;
  }
  struct iovec memory = {.iov_base = access->buffer, .iov_len = (size_t)length};
  benchfs_extent extent = {.offset = (uint64_t)offset, .length = (uint64_t)length};
  const benchfs_mpiio_pieces pieces = {.memory = &memory,
                                       .extents = &extent,
                                       .memory_count = length > 0,
                                       .extent_count = length > 0,
                                       .length = length};
  begin(fd, access->direction, &pieces, request, error_code);
  if (is_individual && *error_code == MPI_SUCCESS) {
    fd->fp_ind = offset + length;
  }
  fd->fp_sys_posn = -1;
}

static void begin_strided(ADIO_File fd, const ADIOI_BENCHFS_Access* access, ADIO_Request* request,
                          int* error_code) {
  MPI_Count view_size = 0;
  MPI_Type_size_x(fd->filetype, &view_size);
  const ADIO_Offset wanted =
      view_size == 0 ? 0 : ADIOI_BENCHFS_Size_of(access->count, access->datatype);
  benchfs_mpiio_pieces pieces = {0};
  if (wanted == 0) {
    begin(fd, access->direction, &pieces, request, error_code);
    return;
  }
  benchfs_mpiio_walk walk;
  ADIOI_BENCHFS_Walk_start(&walk, fd, access);
  const int has_memory = benchfs_mpiio_pieces_fill(&pieces, &walk, wanted, kPieceCountMax) == 0;
  ADIOI_BENCHFS_Walk_end(access);
  if (has_memory && pieces.length == wanted && !must_be_done_at_once(fd, access->direction)) {
    begin(fd, access->direction, &pieces, request, error_code);
    if (*error_code == MPI_SUCCESS) {
      move_pointer(fd, access, &walk.file);
    }
  } else {
    const ADIO_Offset moved = ADIOI_BENCHFS_Transfer_strided(fd, access, error_code);
    *request = MPI_REQUEST_NULL;
    if (*error_code == MPI_SUCCESS) {
      MPIO_Completed_request_create(&fd, moved, error_code, request);
    }
  }
  benchfs_mpiio_pieces_free(&pieces);
}

void ADIOI_BENCHFS_Drain(ADIO_File fd) {
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  pthread_mutex_lock(&state.lock);
  while (file->running_count > 0) {
    if (complete_ended() == 0) {
      pthread_cond_wait(&state.changed, &state.lock);
    }
  }
  pthread_mutex_unlock(&state.lock);
}

void ADIOI_BENCHFS_Stop_watching(void) {
  pthread_mutex_lock(&state.lock);
  const int had_watcher = state.has_watcher;
  state.is_stopping = 1;
  pthread_cond_broadcast(&state.changed);
  pthread_mutex_unlock(&state.lock);
  if (had_watcher) {
    ADIOI_BENCHFS_Progress_off(progress);
    pthread_join(state.watcher, NULL);
    state.has_watcher = 0;
  }
  state.is_stopping = 0;
}

void ADIOI_BENCHFS_IreadContig(ADIO_File fd, void* buf, int count, MPI_Datatype datatype,
                               int file_ptr_type, ADIO_Offset offset, ADIO_Request* request,
                               int* error_code) {
  const ADIOI_BENCHFS_Access access = {BENCHFS_MPIIO_READ, buf,           count,
                                       datatype,           file_ptr_type, offset};
  begin_contiguous(fd, &access, request, error_code);
}

void ADIOI_BENCHFS_IwriteContig(ADIO_File fd, const void* buf, int count, MPI_Datatype datatype,
                                int file_ptr_type, ADIO_Offset offset, ADIO_Request* request,
                                int* error_code) {
  const ADIOI_BENCHFS_Access access = {BENCHFS_MPIIO_WRITE, (void*)buf, count, datatype,
                                       file_ptr_type,       offset};
  begin_contiguous(fd, &access, request, error_code);
}

void ADIOI_BENCHFS_IreadStrided(ADIO_File fd, void* buf, int count, MPI_Datatype datatype,
                                int file_ptr_type, ADIO_Offset offset, ADIO_Request* request,
                                int* error_code) {
  const ADIOI_BENCHFS_Access access = {BENCHFS_MPIIO_READ, buf,           count,
                                       datatype,           file_ptr_type, offset};
  begin_strided(fd, &access, request, error_code);
}

void ADIOI_BENCHFS_IwriteStrided(ADIO_File fd, const void* buf, int count, MPI_Datatype datatype,
                                 int file_ptr_type, ADIO_Offset offset, ADIO_Request* request,
                                 int* error_code) {
  const ADIOI_BENCHFS_Access access = {BENCHFS_MPIIO_WRITE, (void*)buf, count, datatype,
                                       file_ptr_type,       offset};
  begin_strided(fd, &access, request, error_code);
}
