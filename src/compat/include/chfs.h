/*
 * The C interface of CHFS, served by benchfs: programs written for CHFS compile against this
 * header, link with libchfs and work in a benchfs session, unchanged. The functions are those that
 * CHFS has; what they promise here is benchfs's (benchfs/benchfs.h), and where that differs from
 * CHFS it is said below.
 *
 * Errors. Functions that return int, ssize_t or off_t return -1 and set errno. ENOTCONN:
 * chfs_init() has not been called, has failed, or chfs_term() has ended what it began. Of any other
 * call: EHOSTDOWN (a server that is needed is gone), EIO (no reply within $BENCHFS_TIMEOUT, or the
 * drive failed), ENOMEM.
 *
 * Paths begin at the session's root, with or without a "/" ahead: "a/b" and "/a/b" are one file, ""
 * is ENOENT.
 *
 * Descriptors are this library's own, from 3 on, the lowest that is free; no calls of the system
 * know them. Access modes are not enforced: every descriptor reads and writes.
 *
 * Visibility. Data and size are visible to every client when the call that wrote them has returned.
 *
 * Threads. Every function may be called from any thread at any time, several of them on one
 * descriptor too. chfs_close() and chfs_term() wait for the calls that others have under way.
 *
 * Memory is borrowed until the call returns. Sizes and offsets are bytes.
 */
#ifndef CHFS_H
#define CHFS_H

/* NOLINTBEGIN(modernize-*): this header is C. */

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What leaves the library. */
#pragma GCC visibility push(default)

#define CHFS_O_CACHE (1 << 28)   /* For chfs_open: accepted, means nothing. */
#define CHFS_S_IFREP (1U << 16U) /* In st_mode, of a directory's replicas: there are none. */

/* ---- Sessions
 * ------------------------------------------------------------------------------------ */

/*
 * Joins the session whose directory is `server`. NULL: $BENCHFS_SESSION; if that is not set, the
 * one that `benchfs up` makes if nobody says where. Reads $CHFS_CHUNK_SIZE too: bytes per chunk,
 * digits alone. Returns 0 at once if a session is joined already and `server` is NULL or names the
 * same one.
 *
 * EBUSY: it names another one. ENOENT: no session there. EACCES: somebody else's. EINVAL: not a
 * session, or $CHFS_CHUNK_SIZE makes no sense. As many programs do not look at the result, one
 * sentence on standard error says why it failed.
 */
int chfs_init(const char* server);

/* 1: a session is joined; 0: none. */
int chfs_initialized(void);

/*
 * Closes what is open and leaves the session; 0 too if none is joined. EIO: one of the files could
 * not be closed in order; the session has been left nevertheless. The second does the same: nothing
 * is ever held back that could be given up.
 */
int chfs_term(void);
int chfs_term_without_sync(void);

/* Number of servers of the session; 0 if none is joined. */
int chfs_size(void);

/* Which library this is. Static. */
const char* chfs_version(void);

/*
 * Bytes per chunk of the files that are created from now on, 1 or more; also before chfs_init(),
 * and then stronger than $CHFS_CHUNK_SIZE. Without either the session's default, 1 MiB. What is
 * less than 1 makes every chfs_create() EINVAL until it is set right.
 */
void chfs_set_chunk_size(int chunk_size);

/*
 * These tune CHFS's own machinery, which is not here, and do nothing: writes are never held back,
 * chunks are always accessed at once, UCX chooses its protocols, $BENCHFS_TIMEOUT (10 s) bounds
 * each request, and the list of servers does not change.
 */
void chfs_set_buf_size(int size);
void chfs_set_async_access(int enable);
void chfs_set_rdma_thresh(size_t threshold);
void chfs_set_rpc_timeout_msec(int timeout);
void chfs_set_node_list_cache_timeout(int seconds);
void chfs_set_stagein_buf_size(int size);

/* ---- Files
 * --------------------------------------------------------------------------------------- */

/*
 * Opens the file and creates it if it is not there, with `mode` as given (no umask). Of any number
 * of clients that do so at once one creates and all succeed; what is in the file stays. Of `flags`
 * only the system's O_APPEND is looked at: others may be those of another program. Returns a
 * descriptor.
 *
 * `chunk_size` counts if the call creates the file. EINVAL (less than 1), ENOENT (the directory),
 * EISDIR, ENOTDIR, ENAMETOOLONG, ENOSPC, EMFILE (1048576 are open).
 */
int chfs_create(const char* path, int32_t flags, mode_t mode);
int chfs_create_chunk_size(const char* path, int32_t flags, mode_t mode, int chunk_size);

/*
 * Opens a file that is there; its chunk size is its own. Of `flags` only the system's O_APPEND and
 * O_TRUNC are looked at. ENOENT, EISDIR, ENOTDIR, EMFILE.
 */
int chfs_open(const char* path, int32_t flags);

/* Settles the size and frees the descriptor, whatever is returned. EBADF, EIO. */
int chfs_close(int fd);

/*
 * All of `size`, or -1. A read returns less only at the end of the file, 0 at or behind it; holes
 * are zeros. EBADF, EINVAL (offset < 0), EFBIG, ENOSPC.
 */
ssize_t chfs_pwrite(int fd, const void* buf, size_t size, off_t offset);
ssize_t chfs_pread(int fd, void* buf, size_t size, off_t offset);

/* At the descriptor's position, or with O_APPEND at the end of the file; as POSIX. */
ssize_t chfs_write(int fd, const void* buf, size_t size);
ssize_t chfs_read(int fd, void* buf, size_t size);

/* SEEK_SET, SEEK_CUR, SEEK_END. EBADF, EINVAL, EOVERFLOW. */
off_t chfs_seek(int fd, off_t offset, int whence);

/* Returns when the file's data, size and name are on the servers' drives. */
int chfs_fsync(int fd);

/* Does nothing: what was written has reached the servers when the call that wrote it returned. Who
 * wants it on their drives calls chfs_fsync(), which can tell whether it is. */
void chfs_sync(void);

/* ENOTSUP: there is no file system behind the session to copy from. */
int chfs_stagein(const char* path);

/* ---- Names
 * --------------------------------------------------------------------------------------- */

int chfs_truncate(const char* path, off_t len);
int chfs_unlink(const char* path);
int chfs_mkdir(const char* path, mode_t mode);

/* ENOTEMPTY, where CHFS does not look. */
int chfs_rmdir(const char* path);

/* Of a symbolic link itself, as in CHFS. st_blksize is the chunk size, but from 4 KiB to 16 MiB. */
int chfs_stat(const char* path, struct stat* st);

/*
 * Calls `filler(buf, name, attributes, 0)` for each name of the directory, without "." and "..",
 * until it returns another value than 0, which is no error. It may call anything of this library
 * but chfs_term(). -1 if the list could not be completed: it may have been called for a part of it.
 *
 * With `index` (0 to chfs_size() - 1; else EINVAL) only for the share of that index: each name is
 * in exactly one share, and what is below a directory of the root in the same one as the directory,
 * so that one walker per index, each going into what it was told of, see everything once together.
 */
int chfs_readdir(const char* path, void* buf,
                 int (*filler)(void*, const char*, const struct stat*, off_t));
int chfs_readdir_index(const char* path, int index, void* buf,
                       int (*filler)(void*, const char*, const struct stat*, off_t));

int chfs_symlink(const char* target, const char* path);

/* Returns how many bytes of what the link says are in `buf`, at most `size`; no NUL is added.
 * EINVAL: no symbolic link. */
int chfs_readlink(const char* path, char* buf, size_t size);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

/* NOLINTEND(modernize-*) */

#endif /* CHFS_H */
