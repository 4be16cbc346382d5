/*
 * Client interface of benchfs, the burst-buffer file system of a job, for C and whatever can call C.
 *
 * Errors. Functions that return int or ssize_t return -1 and set errno; functions that return a pointer
 * return NULL and set errno. benchfs_error_text() then tells what failed, naming the file or server.
 * What benchfs does not support fails with ENOTSUP. Errors that any call may meet: EHOSTDOWN (a server
 * that is needed is gone), EIO (no reply within the time-out, or none but that it has to wait for another
 * operation; or the drive failed), ENOMEM, EMFILE (no descriptor is left for a connection).
 *
 * Visibility. Data is visible to every client of the job when the call that wrote it has returned; so is
 * the size of the file.
 *
 * Threads. Every function may be called from any thread at any time, unless its comment says otherwise.
 * Several mounts, of the same or of different sessions, share no state.
 *
 * Processes. A mount is the process's that made it: a child of fork() uses nothing of it. The child may
 * join for itself if its parent had no mount when it forked; otherwise call exec first. UCX has a thread
 * in a process with a mount, which a child does not inherit: without it a lock may stay closed for ever,
 * and over TCP servers may not get through (EIO or EHOSTDOWN after the time-out).
 *
 * Progress. The library has no thread of its own: operations advance while any thread is inside a call
 * on the same mount. An asynchronous operation that nobody waits for or tests stands still; if that lasts
 * longer than the time-out ($BENCHFS_TIMEOUT, 10 s), it may fail with EIO or EHOSTDOWN, as if the servers
 * had been silent. Test it now and then while you compute.
 *
 * Memory. A buffer is borrowed: until the call returns, or for an asynchronous operation until
 * benchfs_request_wait() or _test() has reported its end. Sizes and offsets are bytes.
 *
 * Paths are absolute inside the session ("/ckpt/a.h5"); ".." above the root is the root, as in POSIX. Up
 * to 4096 bytes, each name up to 255. Symbolic links are followed, up to 40 in one path (ELOOP); what
 * they say begins in their directory, or with "/" in the session's root.
 */
#ifndef BENCHFS_BENCHFS_H
#define BENCHFS_BENCHFS_H

/* NOLINTBEGIN(modernize-*): this header is C. */

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The only symbols that leave the library. */
#define BENCHFS_API __attribute__((visibility("default")))

typedef struct benchfs_mount benchfs_mount;     /* One session, joined. */
typedef struct benchfs_file benchfs_file;       /* One open file. */
typedef struct benchfs_dir benchfs_dir;         /* One open directory. */
typedef struct benchfs_request benchfs_request; /* One asynchronous operation. */
typedef struct benchfs_lock benchfs_lock;       /* One lock on a range of a file. */

/* How a file is cut and spread; fixed when the file is created. */
typedef struct benchfs_layout {
  uint64_t chunk_size;   /* Bytes, 1 or more; chunk i lies whole on one server. */
  uint32_t stripe_count; /* Servers used, from 1; 0 or more than there are: all of them. */
} benchfs_layout;

/* A contiguous range of a file. */
typedef struct benchfs_extent {
  uint64_t offset;
  uint64_t length;
} benchfs_extent;

/* One name of a directory with its attributes. */
typedef struct benchfs_dirent {
  char name[256]; /* NUL-terminated. */
  struct stat attributes;
} benchfs_dirent;

/* "major.minor.patch" of the library in use. Static; never freed. */
BENCHFS_API const char* benchfs_version(void);

/*
 * What the last failed call of this thread has to say: one sentence without a newline that names the
 * thing and the cause ("/ckpt/a.h5: server 2 (n3) did not answer within 10 s"). Valid until the thread's
 * next call of the library. Empty if nothing failed yet.
 */
BENCHFS_API const char* benchfs_error_text(void);

/* ---- Sessions ------------------------------------------------------------------------------------ */

/*
 * Joins the session whose directory is `session_directory`; NULL means $BENCHFS_SESSION. Reads the
 * session file; connections to servers are made when first needed.
 *
 * ENOENT: no session there (the servers are not up). EACCES: not the session's user, or permissions of
 * the session file wider than 0600. EINVAL: no directory named, or not a session file of this version. EMFILE: fewer than 24 descriptors are left.
 */
BENCHFS_API benchfs_mount* benchfs_mount_open(const char* session_directory);

/*
 * Leaves the session and frees `mount`. Every file, directory and request of it must have been closed
 * or waited for, else EBUSY and nothing happens. No other thread may be inside a call on it.
 */
BENCHFS_API int benchfs_mount_close(benchfs_mount* mount);

/* Number of servers of the session, from 1. */
BENCHFS_API int benchfs_server_count(const benchfs_mount* mount);

/* Sends one empty request to `server` (0 to count - 1) and waits for the reply. */
BENCHFS_API int benchfs_ping(benchfs_mount* mount, int server);

/* What one server tells of itself; figures since it started. Sizes in bytes, times in nanoseconds. */
typedef struct benchfs_server_status {
  int server;
  unsigned pid;
  char host[256];
  char version[32];
  char disk_backend[16]; /* "io_uring", "posix" or "memory". */
  char store_directory[1024];
  int direct_io; /* 1: O_DIRECT; 0: its file system has none. */
  uint64_t uptime_ns;
  uint64_t capacity;
  uint64_t used;
  uint64_t inode_count;
  uint64_t open_count;
  uint64_t client_count;
  uint64_t written_bytes;
  uint64_t read_bytes;
  uint64_t cpu_ns; /* User and system time of the process. */
  uint64_t memory_bytes;
  uint64_t memory_peak_bytes;
  uint64_t pool_bytes;
  uint64_t pool_used_bytes;
  int read_only; /* 1: its log could not be written; until it starts again changes there are EIO. */
} benchfs_server_status;

/* Asks `server` (0 to count - 1). */
BENCHFS_API int benchfs_server_status_get(benchfs_mount* mount, int server,
                                          benchfs_server_status* out);

/* Asks `server` to stop in order; returns when it has agreed. Its data ends with it, unless
 * `keep_store` is not 0: then the session can be started again on what all servers have kept. */
BENCHFS_API int benchfs_server_shutdown(benchfs_mount* mount, int server, int keep_store);

/* Capacity, free and used space over all servers, in units of f_frsize; inode counts in f_files. */
BENCHFS_API int benchfs_statvfs(benchfs_mount* mount, struct statvfs* out);

/* ---- Files --------------------------------------------------------------------------------------- */

/*
 * Opens `path`. `flags`: O_RDONLY, O_WRONLY or O_RDWR, with any of O_CREAT, O_EXCL, O_TRUNC, O_APPEND,
 * O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC; other flags are EINVAL. `mode` is used by O_CREAT as given (no umask).
 * `layout` is used if the call creates the file; NULL means the session's default (1 MiB chunks over
 * all servers).
 *
 * Of several clients that create the same name at once exactly one creates, the others open what it
 * made; with O_EXCL exactly one succeeds. ELOOP (O_NOFOLLOW, and it is a symbolic link), ENOENT, EEXIST, EISDIR (a directory cannot be opened as a
 * file), ENOTDIR, EINVAL (a chunk size of 0 or above 2^40), ENAMETOOLONG, ENOSPC.
 */
BENCHFS_API benchfs_file* benchfs_open(benchfs_mount* mount, const char* path, int flags, mode_t mode,
                                       const benchfs_layout* layout);

/*
 * Settles the size and frees `file`, whatever is returned. Its requests must have ended (else EBUSY, and
 * the file stays open). Data is on the servers since the writes returned; close does not fsync.
 * EIO also if some of what was written through `file` and not synced may be gone since a server's node has
 * been without power.
 */
BENCHFS_API int benchfs_close(benchfs_file* file);

/*
 * Reads up to `length` bytes at `offset`. Returns the bytes read: less than `length` only at the end of
 * the file, 0 at or behind it. Holes read as zeros. EBADF (not open for reading), EINVAL (offset < 0).
 */
BENCHFS_API ssize_t benchfs_pread(benchfs_file* file, void* buffer, size_t length, off_t offset);

/*
 * Writes `length` bytes at `offset`, also if the file was opened with O_APPEND (as POSIX says).
 * Returns `length`, or -1: then any part of the range may have been written. EBADF, EINVAL, EFBIG,
 * ENOSPC.
 */
BENCHFS_API ssize_t benchfs_pwrite(benchfs_file* file, const void* buffer, size_t length, off_t offset);

/* As above, from or into `count` pieces of memory, which are one contiguous range of the file. */
BENCHFS_API ssize_t benchfs_preadv(benchfs_file* file, const struct iovec* iov, int count,
                                   off_t offset);
BENCHFS_API ssize_t benchfs_pwritev(benchfs_file* file, const struct iovec* iov, int count,
                                    off_t offset);

/*
 * Scattered on both sides: the bytes of `iov`, in order, are the bytes of `extents`, in order. Both
 * lists must have the same total, else EINVAL. Extents may come in any order and, for reads, overlap;
 * where written extents overlap any of the writes wins. One request per server carries many extents.
 *
 * read_list returns the bytes of all extents that lie below the end of the file; what lies behind it
 * is zeroed in memory. write_list returns the total.
 */
BENCHFS_API ssize_t benchfs_read_list(benchfs_file* file, const struct iovec* iov, int iov_count,
                                      const benchfs_extent* extents, size_t extent_count);
BENCHFS_API ssize_t benchfs_write_list(benchfs_file* file, const struct iovec* iov, int iov_count,
                                       const benchfs_extent* extents, size_t extent_count);

/*
 * With the file's own position, which every handle has: read, write and seek as POSIX. A write on a
 * handle opened with O_APPEND goes to the end of the file, in one piece, whoever else appends. lseek:
 * EINVAL (before the begin, no such whence), EOVERFLOW, ENOTSUP (SEEK_DATA, SEEK_HOLE).
 */
BENCHFS_API ssize_t benchfs_read(benchfs_file* file, void* buffer, size_t length);
BENCHFS_API ssize_t benchfs_write(benchfs_file* file, const void* buffer, size_t length);
BENCHFS_API off_t benchfs_lseek(benchfs_file* file, off_t offset, int whence);

BENCHFS_API int benchfs_fstat(benchfs_file* file, struct stat* out);
BENCHFS_API int benchfs_ftruncate(benchfs_file* file, off_t size);

/*
 * Returns when all data of the file, whoever wrote it, is on the servers' drives, and the name by which it
 * was opened. EIO also if a server's node has been without power since the file was opened or synced last
 * through this handle: what was acknowledged and not synced then may be gone (benchfs_error_text() names the
 * server). This is said once; the next one speaks of what is there now.
 */
BENCHFS_API int benchfs_fsync(benchfs_file* file);

/* The layout that the file was created with, with stripe_count as it is in effect (from 1). */
BENCHFS_API int benchfs_file_layout(const benchfs_file* file, benchfs_layout* out);

/* ---- Asynchronous operations ----------------------------------------------------------------------- */

/*
 * Start an operation and return its request, or NULL and errno if it could not be started. Many may be
 * in flight, on one file too; they may take effect in any order.
 */
BENCHFS_API benchfs_request* benchfs_pread_begin(benchfs_file* file, void* buffer, size_t length,
                                                 off_t offset);
BENCHFS_API benchfs_request* benchfs_pwrite_begin(benchfs_file* file, const void* buffer,
                                                  size_t length, off_t offset);

/* `iov` and `extents` are copied; the memory that `iov` points to is borrowed until the end. */
BENCHFS_API benchfs_request* benchfs_read_list_begin(benchfs_file* file, const struct iovec* iov,
                                                     int iov_count, const benchfs_extent* extents,
                                                     size_t extent_count);
BENCHFS_API benchfs_request* benchfs_write_list_begin(benchfs_file* file, const struct iovec* iov,
                                                      int iov_count, const benchfs_extent* extents,
                                                      size_t extent_count);

/*
 * Makes progress without waiting. Returns 0 if the operation goes on; 1 if it has ended: then `*result`
 * is what the blocking call would have returned (-1 with errno set), and `request` is freed.
 * At most one thread may wait for or test one request.
 */
BENCHFS_API int benchfs_request_test(benchfs_request* request, ssize_t* result);

/* Waits until the operation has ended, frees `request` and returns what the blocking call would have. */
BENCHFS_API ssize_t benchfs_request_wait(benchfs_request* request);

/* ---- Sharing an open file among processes ------------------------------------------------------------ */

/* Size of the buffer that benchfs_file_export() fills. */
#define BENCHFS_EXPORT_SIZE 128

/*
 * Describes the open file in `buffer`, so that other processes of the session can attach to it without
 * a request to any server. The file must stay open here until all that attached have closed.
 * The bytes are for the same machine type and version, and hold no secret.
 */
BENCHFS_API int benchfs_file_export(benchfs_file* file, void* buffer, size_t size);

/* Opens what was exported, with the exporter's access mode. EINVAL: not such bytes. ESTALE: another
 * session's. */
BENCHFS_API benchfs_file* benchfs_file_attach(benchfs_mount* mount, const void* buffer, size_t size);

/*
 * A counter of this open, which all handles share that were attached to its export: 0 at first. add
 * adds `amount` (0 or more), as one step, and puts what the counter was into `*before` unless that is
 * NULL; set likewise. It ends with the close of the handle that was opened. EOVERFLOW (beyond 2^63 - 1).
 */
BENCHFS_API int benchfs_counter_add(benchfs_file* file, int64_t amount, int64_t* before);
BENCHFS_API int benchfs_counter_set(benchfs_file* file, int64_t value, int64_t* before);

/* ---- Locks ------------------------------------------------------------------------------------------- */

/*
 * Waits for a lock on `length` bytes from `offset` on (0: up to the largest offset), which excludes all
 * others on the same bytes, whoever has them; with `shared` not 0, all others that are not shared. Locks
 * are granted in the order in which they were asked for. They are advice: reads and writes do not look at
 * them. A handle may have several; two that exclude each other wait for each other as those of two
 * processes do. Held until benchfs_unlock(); the file cannot be closed before.
 *
 * Returns NULL and errno: EINVAL, ENOLCK (more than 65536 of one mount), EIO, ESTALE (the file is no more).
 */
BENCHFS_API benchfs_lock* benchfs_lock_range(benchfs_file* file, int shared, off_t offset,
                                             off_t length);

/*
 * Ends the lock and frees it, whatever is returned. ENOLCK: it had ended before, since the file's server
 * had been without a connection to this process for 10 s or its node without power, and somebody else may
 * have had it meanwhile. After another error it ends within some seconds.
 */
BENCHFS_API int benchfs_unlock(benchfs_lock* lock);

/* ---- Names ------------------------------------------------------------------------------------------- */

/*
 * Errors as POSIX names them; tests/conformance/README.md lists them with the effects of each call. A
 * path that ends in "." or ".." names nothing to be changed: mkdir EEXIST, rmdir EINVAL and ENOTEMPTY,
 * rename EBUSY.
 */
BENCHFS_API int benchfs_stat(benchfs_mount* mount, const char* path, struct stat* out);
/* Of a symbolic link itself. */
BENCHFS_API int benchfs_lstat(benchfs_mount* mount, const char* path, struct stat* out);
BENCHFS_API int benchfs_truncate(benchfs_mount* mount, const char* path, off_t size);
BENCHFS_API int benchfs_unlink(benchfs_mount* mount, const char* path);
BENCHFS_API int benchfs_mkdir(benchfs_mount* mount, const char* path, mode_t mode);
BENCHFS_API int benchfs_rmdir(benchfs_mount* mount, const char* path);

/*
 * Atomic, whatever fails meanwhile. A file or symbolic link replaces one at `to`; a directory, which takes
 * all below it along, an empty one: else EISDIR, ENOTDIR, ENOTEMPTY. EINVAL: a directory into itself.
 */
BENCHFS_API int benchfs_rename(benchfs_mount* mount, const char* from, const char* to);

BENCHFS_API int benchfs_chmod(benchfs_mount* mount, const char* path, mode_t mode);
BENCHFS_API int benchfs_chown(benchfs_mount* mount, const char* path, uid_t uid, gid_t gid);
BENCHFS_API int benchfs_utimens(benchfs_mount* mount, const char* path, const struct timespec times[2]);

/* Of a symbolic link itself. (Its mode is 0777, always.) */
BENCHFS_API int benchfs_lchown(benchfs_mount* mount, const char* path, uid_t uid, gid_t gid);
BENCHFS_API int benchfs_lutimens(benchfs_mount* mount, const char* path,
                                 const struct timespec times[2]);

/*
 * Makes a symbolic link that says `target`: 1 to 4095 bytes, which need not lead anywhere. EEXIST,
 * ENOENT (also for an empty target), ENAMETOOLONG.
 */
BENCHFS_API int benchfs_symlink(benchfs_mount* mount, const char* target, const char* path);

/*
 * Returns how many bytes of what the link says it has put into `buffer`: all of them, or the first
 * `size`; no NUL is added. EINVAL: not a symbolic link, or no room.
 */
BENCHFS_API ssize_t benchfs_readlink(benchfs_mount* mount, const char* path, char* buffer, size_t size);

/* ENOTSUP. */
BENCHFS_API int benchfs_link(benchfs_mount* mount, const char* from, const char* to);

/*
 * Lists a directory, without "." and "..", in no particular order, with symbolic links as such. A name that is there from opendir to
 * the end is listed exactly once; one that comes or goes meanwhile may or may not be. Attributes are as
 * of the time of listing.
 *
 * readdir returns 1 with `*out` filled, 0 at the end, -1 on an error: a list that could not be completed
 * never ends with 0. One thread at a time may use a benchfs_dir.
 */
BENCHFS_API benchfs_dir* benchfs_opendir(benchfs_mount* mount, const char* path);
BENCHFS_API int benchfs_readdir(benchfs_dir* dir, benchfs_dirent* out);
BENCHFS_API int benchfs_closedir(benchfs_dir* dir);

#ifdef __cplusplus
}
#endif

/* NOLINTEND(modernize-*) */

#endif /* BENCHFS_BENCHFS_H */
