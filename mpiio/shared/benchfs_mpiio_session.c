#include <errno.h>
#include <pthread.h>

#include "benchfs_mpiio.h"

/* MPI-IO hands no context of ours to those it calls, so the process's session is kept here. */
static struct {
  pthread_mutex_t lock; /* Guards the rest. */
  benchfs_mount* mount; /* NULL: not joined. */
  int user_count;
  int is_leaving; /* MPI is being finalised: the last user leaves the session. */
} session = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void leave_if_unused(void) {
  if (session.is_leaving && session.user_count == 0 && session.mount != NULL) {
    (void)benchfs_mount_close(session.mount); /* Nothing is open; there is nothing left to lose. */
    session.mount = NULL;
  }
}

/*
 * Called as the first thing in MPI_Finalize. Files may still be open then: HDF5 closes its files in
 * such a function too, which may run after this one.
 */
static int on_finalize(MPI_Comm comm, int keyval, void* attribute, void* extra_state) {
  (void)comm;
  (void)keyval;
  (void)attribute;
  (void)extra_state;
  pthread_mutex_lock(&session.lock);
  session.is_leaving = 1;
  leave_if_unused();
  pthread_mutex_unlock(&session.lock);
  return MPI_SUCCESS;
}

/* An attribute of MPI_COMM_SELF is deleted when MPI is finalised. */
static void watch_finalize(void) {
  int keyval = MPI_KEYVAL_INVALID;
  if (MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, on_finalize, &keyval, NULL) == MPI_SUCCESS) {
    MPI_Comm_set_attr(MPI_COMM_SELF, keyval, &session);
    MPI_Comm_free_keyval(&keyval);
  }
}

benchfs_mount* benchfs_mpiio_session_acquire(void) {
  pthread_mutex_lock(&session.lock);
  if (session.mount == NULL) {
    session.mount = benchfs_mount_open(NULL);
    if (session.mount != NULL && !session.is_leaving) {
      watch_finalize();
    }
  }
  benchfs_mount* const mount = session.mount;
  if (mount != NULL) {
    session.user_count++;
  }
  pthread_mutex_unlock(&session.lock);
  return mount;
}

void benchfs_mpiio_session_release(void) {
  pthread_mutex_lock(&session.lock);
  session.user_count--;
  leave_if_unused();
  pthread_mutex_unlock(&session.lock);
}
