/*
 * Walks the contiguous runs of a data type that is repeated without end: of a file view, or of a
 * user's buffer. It hands out where the next run starts and how long it is; the caller takes as
 * much of it as it wants.
 */
#ifndef BENCHFS_MPIIO_RUNS_H
#define BENCHFS_MPIIO_RUNS_H

#include <mpi.h>

typedef struct benchfs_mpiio_runs {
  const MPI_Offset* starts; /* Borrowed: where each block of the type starts, in bytes; */
  const MPI_Offset*
      lengths; /* and how long it is, 0 too. NULL: one run without end from `origin`. */
  MPI_Count block_count;
  MPI_Offset origin;     /* Where the first repetition starts, in bytes. */
  MPI_Offset extent;     /* From one repetition to the next, in bytes. */
  MPI_Offset size;       /* Bytes of data in one repetition, above 0. */
  MPI_Offset repetition; /* The place: in this repetition, */
  MPI_Count block;       /* this block of the type, */
  MPI_Offset within;     /* this many bytes into the block. All 0 at first. */
} benchfs_mpiio_runs;

/* Without gaps, from `origin`. */
void benchfs_mpiio_runs_plain(benchfs_mpiio_runs* runs, MPI_Offset origin);

/* Moves from the start to the first byte of data at `position` or behind it. */
void benchfs_mpiio_runs_seek(benchfs_mpiio_runs* runs, MPI_Offset position);

/* The bytes left of the run at the cursor, which starts at `*start`. */
MPI_Offset benchfs_mpiio_runs_peek(benchfs_mpiio_runs* runs, MPI_Offset* start);

/* Moves on by `taken` bytes, at most what peek has just returned. */
void benchfs_mpiio_runs_take(benchfs_mpiio_runs* runs, MPI_Offset taken);

/* Moves on by any number of bytes of data. */
void benchfs_mpiio_runs_advance(benchfs_mpiio_runs* runs, MPI_Offset length);

#endif /* BENCHFS_MPIIO_RUNS_H */
