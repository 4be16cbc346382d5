/*
 * The C interface of FINCHFS, served by benchfs: programs written for FINCHFS compile against this
 * header, link with libfinchfs and work in a benchfs session, unchanged. The functions are those
 * that FINCHFS has; what they promise here is benchfs's (benchfs/benchfs.h), and where that differs
 * from FINCHFS it is said below.
 *
 * Errors. Functions that return int, ssize_t or off_t return -1 and set errno. ENOTCONN:
 * finchfs_init() has not been called, has failed, or finchfs_term() has ended what it began. Of any
 * other call: EHOSTDOWN (a server that is needed is gone), EIO (no reply within $BENCHFS_TIMEOUT,
 * or the drive failed), ENOMEM.
 *
 * Paths begin at the session's root, with or without a "/" ahead: "a/b" and "/a/b" are one file, ""
 * is ENOENT.
 *
 * Descriptors are this library's own, from 3 on, the lowest that is free; no calls of the system
 * know them. Access modes are not enforced: every descriptor of a file reads and writes. That of a
 * directory stands for the path by which it was opened; if another directory is found there, or
 * none, its calls are ESTALE.
 *
 * Visibility. Data and size are visible to every client when the call that wrote them has returned.
 *
 * Threads. Every function may be called from any thread at any time, several of them on one
 * descriptor too. finchfs_close() and finchfs_term() wait for the calls that others have under way.
 *
 * Memory is borrowed until the call returns. Sizes and offsets are bytes.
 */
#ifndef FINCHFS_H
#define FINCHFS_H

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

/* ---- Sessions
 * ------------------------------------------------------------------------------------ */

/*
 * Joins the session whose directory is `addrfile`. NULL: $BENCHFS_SESSION; if that is not set, the
 * one that `benchfs up` makes if nobody says where. Reads $FINCHFS_CHUNK_SIZE too: bytes per chunk,
 * digits alone. Returns 0 at once if a session is joined already and `addrfile` is NULL or names
 * the same one.
 *
 * EBUSY: it names another one. ENOENT: no session there. EACCES: somebody else's. EINVAL: not a
 * session, or $FINCHFS_CHUNK_SIZE makes no sense. As many programs do not look at the result, one
 * sentence on standard error says why it failed.
 */
int finchfs_init(const char* addrfile);

/*
 * Closes what is open and leaves the session; 0 too if none is joined. EIO: one of the files could
 * not be closed in order; the session has been left nevertheless.
 */
int finchfs_term(void);

/* Which library this is. Static. */
const char* finchfs_version(void);

/*
 * Bytes per chunk of the files that are created from now on, from 1 to 2^40; also before
 * finchfs_init(), and then stronger than $FINCHFS_CHUNK_SIZE. Without either the session's default,
 * 1 MiB. Another size makes every finchfs_create() EINVAL until it is set right.
 */
void finchfs_set_chunk_size(size_t chunk_size);

/* ---- Files
 * --------------------------------------------------------------------------------------- */

/*
 * Opens the file and creates it if it is not there, with `mode` as given (no umask). Of any number
 * of clients that do so at once one creates and all succeed; what is in the file stays. Of `flags`
 * only the system's O_APPEND is looked at: others may be those of another program. Returns a
 * descriptor.
 *
 * `chunk_size` counts if the call creates the file. EINVAL (not from 1 to 2^40), ENOENT (the
 * directory), EISDIR, ENOTDIR, ENAMETOOLONG, ENOSPC, EMFILE (1048576 are open).
 */
int finchfs_create(const char* path, int32_t flags, mode_t mode);
int finchfs_create_chunk_size(const char* path, int32_t flags, mode_t mode, size_t chunk_size);

/*
 * Opens what is there: a file, whose chunk size is its own; or with the system's O_DIRECTORY a
 * directory (ENOTDIR if it is none). Beside it only the system's O_APPEND and O_TRUNC are looked
 * at. ENOENT, EISDIR (a directory, without O_DIRECTORY), ENOTDIR, EMFILE.
 */
int finchfs_open(const char* path, int32_t flags);

/* Settles the size, waits until it has, and frees the descriptor, whatever is returned. EBADF, EIO.
 */
int finchfs_close(int fd);

/*
 * All of `size`, or -1. A read returns less only at the end of the file, 0 at or behind it; holes
 * are zeros. EBADF, EISDIR, EINVAL (offset < 0), EFBIG, ENOSPC.
 */
ssize_t finchfs_pwrite(int fd, const void* buf, size_t size, off_t offset);
ssize_t finchfs_pread(int fd, void* buf, size_t size, off_t offset);

/* At the descriptor's position, or with O_APPEND at the end of the file; as POSIX. */
ssize_t finchfs_write(int fd, const void* buf, size_t size);
ssize_t finchfs_read(int fd, void* buf, size_t size);

/* SEEK_SET, SEEK_CUR, SEEK_END. EBADF, EINVAL, EOVERFLOW. A directory can only begin anew (0,
 * SEEK_SET; else ENOTSUP). */
off_t finchfs_seek(int fd, off_t offset, int whence);

/* Returns when the file's data, size and name are on the servers' drives. Of a directory: ENOTSUP.
 */
int finchfs_fsync(int fd);

/* st_blksize of a file is its chunk size. */
int finchfs_fstat(int fd, struct stat* st);

/* ---- Names
 * --------------------------------------------------------------------------------------- */

int finchfs_unlink(const char* path);
int finchfs_mkdir(const char* path, mode_t mode);
int finchfs_rmdir(const char* path);

/* Symbolic links are followed. st_blksize is the chunk size, but from 4 KiB to 16 MiB. */
int finchfs_stat(const char* path, struct stat* st);

/* As POSIX, of files and directories, on whichever servers they lie; atomic. */
int finchfs_rename(const char* oldpath, const char* newpath);

/* ENOTSUP: there are no hard links. */
int finchfs_link(const char* oldpath, const char* newpath);

/*
 * The same, where a path without a "/" ahead begins at the open directory `dirfd`, or with the
 * system's AT_FDCWD at the root. EBADF, ENOTDIR (no directory's). Flags are the system's:
 * AT_EMPTY_PATH and AT_SYMLINK_NOFOLLOW of fstatat, AT_REMOVEDIR of unlinkat; others are EINVAL.
 */
int finchfs_createat(int dirfd, const char* pathname, int flags, mode_t mode);
int finchfs_createat_chunk_size(int dirfd, const char* pathname, int flags, mode_t mode,
                                size_t chunk_size);
int finchfs_openat(int dirfd, const char* pathname, int flags);
int finchfs_fstatat(int dirfd, const char* pathname, struct stat* st, int flags);
int finchfs_mkdirat(int dirfd, const char* pathname, mode_t mode);
int finchfs_unlinkat(int dirfd, const char* pathname, int flags);
int finchfs_renameat(int olddirfd, const char* oldpath, int newdirfd, const char* newpath);
int finchfs_linkat(int olddirfd, const char* oldpath, int newdirfd, const char* newpath);

/*
 * Puts the next names of the open directory into `dirp`, in records of the form of the system's
 * struct linux_dirent64 (glibc's struct dirent64), without "." and "..". Returns how many bytes
 * those are, 0 at the end. EBADF, ENOTDIR, EINVAL (no room for the next one); an error never looks
 * like the end.
 */
ssize_t finchfs_getdents(int fd, void* dirp, size_t count);

/*
 * A private copy in memory of `length` bytes of the file from `offset` on, a multiple of the page
 * size; what lies behind the end is zeros. All of it is read before the call returns, so that it
 * needs that much memory. `flags` must be MAP_PRIVATE (else ENOTSUP); `addr` is a wish. Returns
 * MAP_FAILED on errors: EBADF, EISDIR, EINVAL, ENOMEM. munmap ends it.
 */
void* finchfs_mmap(void* addr, size_t length, int prot, int flags, int fd, off_t offset);
int finchfs_munmap(void* addr, size_t length);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

/* NOLINTEND(modernize-*) */

#endif /* FINCHFS_H */
