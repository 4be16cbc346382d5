/*
 * Walks the contiguous runs of a data type that is repeated without end: of a file view, or of a
 * user's buffer. It hands out where the next run starts and how long it is; the caller takes as
 * much of it as it wants.
 *
 * A cursor borrows ROMIO's flattened form of the type, which must not be deleted while it is in
 * use.
 */
#ifndef BENCHFS_MPIIO_AD_BENCHFS_RUNS_H
#define BENCHFS_MPIIO_AD_BENCHFS_RUNS_H

#include <adio.h>

typedef struct ADIOI_BENCHFS_Runs {
  const ADIOI_Flatlist_node* type; /* NULL: one run without end from `origin`. */
  ADIO_Offset origin;              /* Where the first repetition starts, in bytes. */
  ADIO_Offset extent;              /* From one repetition to the next, in bytes. */
  ADIO_Offset size;                /* Bytes of data in one repetition. */
  ADIO_Offset repetition;          /* The place: in this repetition, */
  MPI_Count block;                 /* this block of the type, */
  ADIO_Offset within;              /* this many bytes into the block. */
} ADIOI_BENCHFS_Runs;

/* Without gaps, from `origin`. */
void ADIOI_BENCHFS_Runs_plain(ADIOI_BENCHFS_Runs* runs, ADIO_Offset origin);

/* `datatype`, which is not contiguous and has a size above 0, repeated from `origin`. */
void ADIOI_BENCHFS_Runs_typed(ADIOI_BENCHFS_Runs* runs, MPI_Datatype datatype, ADIO_Offset origin);

/* Moves from the start to the first byte of data at `position` or behind it. */
void ADIOI_BENCHFS_Runs_seek(ADIOI_BENCHFS_Runs* runs, ADIO_Offset position);

/* The bytes left of the run at the cursor, which starts at `*start`. */
ADIO_Offset ADIOI_BENCHFS_Runs_peek(ADIOI_BENCHFS_Runs* runs, ADIO_Offset* start);

/* Moves on by `taken` bytes, at most what peek has just returned. */
void ADIOI_BENCHFS_Runs_take(ADIOI_BENCHFS_Runs* runs, ADIO_Offset taken);

/* Moves on by any number of bytes of data. */
void ADIOI_BENCHFS_Runs_advance(ADIOI_BENCHFS_Runs* runs, ADIO_Offset length);

#endif /* BENCHFS_MPIIO_AD_BENCHFS_RUNS_H */
