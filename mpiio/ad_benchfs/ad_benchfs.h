/*
 * The ADIO driver of benchfs: the functions that ROMIO 3.2.1 (Open MPI 4.1) and that of MPICH 4.0
 * call for a file of benchfs, over the client interface <benchfs/benchfs.h> and nothing else of
 * ours.
 *
 * How a file is open. Rank 0 of the communicator opens by name, once, and broadcasts the exported
 * handle; the others attach to it without asking a server. All ranks agree on the outcome inside
 * OpenColl and clean up there, so that either every rank has the file open or none has: ROMIO never
 * closes on some ranks only, and Close may be collective. The opener closes last, as
 * benchfs_file_export() demands.
 *
 * Errors. An errno of the client becomes an MPI error class in one place, ad_benchfs_error.c.
 * ROMIO's two-phase exchange must not see an error of one rank, since that rank would leave the
 * exchange and the others would wait for it for ever: inside a collective call errors are kept and
 * reported by all ranks at its end (ad_benchfs_coll.c).
 *
 * Threads. Open MPI calls all functions of the driver but open under one lock; the state of the
 * session (ad_benchfs_mount.c) and that of non-blocking transfers (ad_benchfs_async.c) are shared
 * between files and have locks of their own.
 */
#ifndef BENCHFS_MPIIO_AD_BENCHFS_H
#define BENCHFS_MPIIO_AD_BENCHFS_H

#include <adio.h>

#include "benchfs_mpiio.h"

/* Not used by any driver of ROMIO. A macro, as MPICH's ROMIO gets it a second time. */
#define ADIO_BENCHFS 201

/* The ROMIO of MPICH 4.0 is newer than that of Open MPI 4.1, and has this where that has not. */
#ifdef ADIO_IMMEDIATELY_VISIBLE
#define ADIOI_BENCHFS_IN_MPICH 1
#endif

extern struct ADIOI_Fns_struct ADIO_BENCHFS_operations;

/* What fd->fs_ptr points to from a successful OpenColl until Close. */
typedef struct ADIOI_BENCHFS_File {
  benchfs_file* handle;
  int is_opener;        /* Opened by name and exported the handle; closes after all others. */
  int in_collective;    /* Errors are kept in `collective_error` instead of being returned. */
  int collective_error; /* The MPI error class of the first error of this collective call. */
  int ordered_error;    /* Of the shared file pointer, for the collective call that comes next. */
  int fills_reads;      /* ROMIO takes what it reads for full: a short read is filled with zeros. */
  int is_sieving;       /* This rank is inside of ROMIO's data sieving, and holds its lock. */
  ADIO_Offset known_size; /* The file had at least this size; the same on all ranks. */
  int has_reported;       /* This rank has printed why an operation failed. */
  int running_count;      /* Non-blocking transfers that are not completed. */
  int has_moved_shared;   /* This rank has moved the shared file pointer since the view was set. */
  void* mpi_file;         /* What the MPI library knows the file by: its error handler is there. */
} ADIOI_BENCHFS_File;

/* A transfer as ROMIO describes it. `buffer` is not changed when writing. */
typedef struct ADIOI_BENCHFS_Access {
  benchfs_mpiio_direction direction;
  void* buffer;
  int count;
  MPI_Datatype datatype;
  int file_ptr_type;  /* ADIO_EXPLICIT_OFFSET or ADIO_INDIVIDUAL. */
  ADIO_Offset offset; /* With ADIO_EXPLICIT_OFFSET: in etypes of the view if strided, else bytes. */
} ADIOI_BENCHFS_Access;

static inline ADIOI_BENCHFS_File* ADIOI_BENCHFS_File_of(ADIO_File fd) {
  return (ADIOI_BENCHFS_File*)fd->fs_ptr;
}

/* Bytes of `count` elements. */
ADIO_Offset ADIOI_BENCHFS_Size_of(int count, MPI_Datatype datatype);

/* ---- ad_benchfs_error.c
 * ---------------------------------------------------------------------------- */

/* An error code for ROMIO. `function` and `filename` are for its message. */
int ADIOI_BENCHFS_Error_code(const char* function, const char* filename, int error_class);

/*
 * A call on the open file has just failed with `error_number`: returns the error code, and says on
 * stderr why, the first time on this rank for this file.
 */
int ADIOI_BENCHFS_Failed(ADIO_File fd, const char* function, int error_number);

/* ---- ad_benchfs_hints.c
 * ---------------------------------------------------------------------------- */

/*
 * The layout that the hints in fd->info ask for, with 0 for what they leave open; or the failure
 * that names the wrong value.
 */
void ADIOI_BENCHFS_Wanted_layout(ADIO_File fd, benchfs_layout* layout,
                                 benchfs_mpiio_failure* failure);

/* Whether the hints ask for missing directories above a file that is created. */
int ADIOI_BENCHFS_Wants_parents(ADIO_File fd);

/* Puts what is in effect into fd->info, and tells the two-phase code to align to chunks. */
void ADIOI_BENCHFS_Publish_layout(ADIO_File fd, const benchfs_layout* layout);

/* ---- ad_benchfs_atomic.c
 * --------------------------------------------------------------------------- */

/* Whether transfers in that direction hold a lock: in atomic mode, and writes of a file that is
 * written with data sieving, which would else put back old bytes over those of others. */
int ADIOI_BENCHFS_Needs_guard(ADIO_File fd, benchfs_mpiio_direction direction);

/* Before a transfer of bytes between `begin` and `end` of the file: waits, if it needs a guard, for
 * those that it must not mix with. -1 and errno: it must not be done. benchfs_mpiio_guard_end()
 * follows. */
int ADIOI_BENCHFS_Guard_begin(benchfs_mpiio_guard* guard, ADIO_File fd,
                              benchfs_mpiio_direction direction, ADIO_Offset begin,
                              ADIO_Offset end);

/* ---- ad_benchfs_coll.c
 * ----------------------------------------------------------------------------- */

/*
 * Ends a transfer of this rank: returns `error_code`, or inside a collective call keeps it and
 * returns MPI_SUCCESS.
 */
int ADIOI_BENCHFS_Settle(ADIO_File fd, int error_code);

/* Collective: what all ranks return, each its own error or else that of another rank. */
int ADIOI_BENCHFS_Agree(ADIO_File fd, int error_code);

/* Whether an earlier transfer of the collective call that is going on has failed on this rank. */
int ADIOI_BENCHFS_Is_spoilt(ADIO_File fd);

/* ---- ad_benchfs_strided.c
 * -------------------------------------------------------------------------- */

/* Where the access ends in the file, in bytes; 0 if it moves nothing. The offset is in etypes. */
ADIO_Offset ADIOI_BENCHFS_End_of(ADIO_File fd, const ADIOI_BENCHFS_Access* access);

/* Any transfer, through list I/O; the offset is in etypes. Returns the bytes moved and sets
 * `*error_code`. */
ADIO_Offset ADIOI_BENCHFS_Transfer_strided(ADIO_File fd, const ADIOI_BENCHFS_Access* access,
                                           int* error_code);

/* ---- ad_benchfs_async.c
 * ----------------------------------------------------------------------------- */

/* Waits for the non-blocking transfers of the file, and completes them. */
void ADIOI_BENCHFS_Drain(ADIO_File fd);

/* Before the driver is unloaded: ends the thread that waits for non-blocking transfers, after them.
 */
void ADIOI_BENCHFS_Stop_watching(void);

/* ---- ad_benchfs_sieve.c
 * --------------------------------------------------------------------------- */

/* Whether a hint (romio_ds_read, romio_ds_write: enable) asks for ROMIO's data sieving. */
int ADIOI_BENCHFS_Sieves(ADIO_File fd, benchfs_mpiio_direction direction);

/* The transfer by it; the offset is in etypes. */
void ADIOI_BENCHFS_Transfer_sieved(ADIO_File fd, const ADIOI_BENCHFS_Access* access,
                                   ADIO_Status* status, int* error_code);

/* ---- ad_benchfs_aggregators.c
 * --------------------------------------------------------------------- */

/*
 * Collective, in OpenColl: chooses who does the I/O of two-phase transfers of a file on so many
 * servers, unless the user has. SetInfo has put "automatic" under the key if not.
 */
#define ADIOI_BENCHFS_AGGREGATORS_KEY "benchfs_aggregators"
void ADIOI_BENCHFS_Choose_aggregators(ADIO_File fd, unsigned server_count);

/* ---- What ROMIO calls instead of functions of its own
 * --------------------------------------------------------------------- */

/* ad_benchfs_shared.c. A file of another driver goes on to ROMIO's function. */
void ADIOI_BENCHFS_Get_shared_fp(ADIO_File fd, ADIO_Offset incr, ADIO_Offset* shared_fp,
                                 int* error_code);
void ADIOI_BENCHFS_Set_shared_fp(ADIO_File fd, ADIO_Offset offset, int* error_code);
void ADIOI_BENCHFS_Shfp_fname(ADIO_File fd, int rank, int* error_code);
void ADIOI_BENCHFS_Ordered_shared_fp(ADIO_File fd, ADIO_Offset incr, ADIO_Offset* shared_fp,
                                     int* error_code);
void ADIOI_BENCHFS_Set_view(ADIO_File fd, ADIO_Offset disp, MPI_Datatype etype,
                            MPI_Datatype filetype, MPI_Info info, int* error_code);

/* ---- What the component calls instead of functions of ROMIO
 * ------------------------------------------------------------------- */

/* ad_benchfs_shared.c. MPI_File_seek_shared: collective, all ranks return the same. */
int ADIOI_BENCHFS_Seek_shared(ADIO_File fd, ADIO_Offset offset, int whence);

/* ad_benchfs_fcntl.c. Before ROMIO counts from the end of the file, for it does not look whether
 * that is known. */
int ADIOI_BENCHFS_Check_size(ADIO_File fd);

/* ---- What ROMIO calls
 * ------------------------------------------------------------------------------ */

void ADIOI_BENCHFS_Open(ADIO_File fd, int* error_code);
void ADIOI_BENCHFS_OpenColl(ADIO_File fd, int rank, int access_mode, int* error_code);
void ADIOI_BENCHFS_Close(ADIO_File fd, int* error_code);
void ADIOI_BENCHFS_ReadContig(ADIO_File fd, void* buf, int count, MPI_Datatype datatype,
                              int file_ptr_type, ADIO_Offset offset, ADIO_Status* status,
                              int* error_code);
void ADIOI_BENCHFS_WriteContig(ADIO_File fd, const void* buf, int count, MPI_Datatype datatype,
                               int file_ptr_type, ADIO_Offset offset, ADIO_Status* status,
                               int* error_code);
void ADIOI_BENCHFS_ReadStrided(ADIO_File fd, void* buf, int count, MPI_Datatype datatype,
                               int file_ptr_type, ADIO_Offset offset, ADIO_Status* status,
                               int* error_code);
void ADIOI_BENCHFS_WriteStrided(ADIO_File fd, const void* buf, int count, MPI_Datatype datatype,
                                int file_ptr_type, ADIO_Offset offset, ADIO_Status* status,
                                int* error_code);
void ADIOI_BENCHFS_ReadStridedColl(ADIO_File fd, void* buf, int count, MPI_Datatype datatype,
                                   int file_ptr_type, ADIO_Offset offset, ADIO_Status* status,
                                   int* error_code);
void ADIOI_BENCHFS_WriteStridedColl(ADIO_File fd, const void* buf, int count, MPI_Datatype datatype,
                                    int file_ptr_type, ADIO_Offset offset, ADIO_Status* status,
                                    int* error_code);
void ADIOI_BENCHFS_IreadContig(ADIO_File fd, void* buf, int count, MPI_Datatype datatype,
                               int file_ptr_type, ADIO_Offset offset, ADIO_Request* request,
                               int* error_code);
void ADIOI_BENCHFS_IwriteContig(ADIO_File fd, const void* buf, int count, MPI_Datatype datatype,
                                int file_ptr_type, ADIO_Offset offset, ADIO_Request* request,
                                int* error_code);
void ADIOI_BENCHFS_IreadStrided(ADIO_File fd, void* buf, int count, MPI_Datatype datatype,
                                int file_ptr_type, ADIO_Offset offset, ADIO_Request* request,
                                int* error_code);
void ADIOI_BENCHFS_IwriteStrided(ADIO_File fd, const void* buf, int count, MPI_Datatype datatype,
                                 int file_ptr_type, ADIO_Offset offset, ADIO_Request* request,
                                 int* error_code);
void ADIOI_BENCHFS_Fcntl(ADIO_File fd, int flag, ADIO_Fcntl_t* fcntl_struct, int* error_code);
void ADIOI_BENCHFS_SetInfo(ADIO_File fd, MPI_Info users_info, int* error_code);
void ADIOI_BENCHFS_Flush(ADIO_File fd, int* error_code);
void ADIOI_BENCHFS_Resize(ADIO_File fd, ADIO_Offset size, int* error_code);
void ADIOI_BENCHFS_Delete(const char* filename, int* error_code);
int ADIOI_BENCHFS_Feature(ADIO_File fd, int flag);

#endif /* BENCHFS_MPIIO_AD_BENCHFS_H */
