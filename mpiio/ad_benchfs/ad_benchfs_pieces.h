/*
 * The pieces of a transfer in memory and in the file, as the client's list calls take them. Pieces
 * that touch are joined.
 */
#ifndef BENCHFS_MPIIO_AD_BENCHFS_PIECES_H
#define BENCHFS_MPIIO_AD_BENCHFS_PIECES_H

#include "ad_benchfs.h"
#include "ad_benchfs_runs.h"

/* All zero: none. */
typedef struct ADIOI_BENCHFS_Pieces {
  struct iovec* memory;
  benchfs_extent* extents;
  size_t memory_count;
  size_t memory_room;
  size_t extent_count;
  size_t extent_room;
  ADIO_Offset length; /* Of either side, in bytes. */
} ADIOI_BENCHFS_Pieces;

/* A transfer on its way through the user's memory and the file's view. */
typedef struct ADIOI_BENCHFS_Walk {
  ADIOI_BENCHFS_Runs memory;
  ADIOI_BENCHFS_Runs file;
  char* buffer;
  MPI_Datatype flattened; /* To be forgotten at the end; MPI_DATATYPE_NULL if nothing is. */
} ADIOI_BENCHFS_Walk;

/* Starts where the access does; its offset is in etypes. The view has a size above 0. */
void ADIOI_BENCHFS_Walk_start(ADIOI_BENCHFS_Walk* walk, ADIO_File fd,
                              const ADIOI_BENCHFS_Access* access);
void ADIOI_BENCHFS_Walk_end(ADIOI_BENCHFS_Walk* walk);

/* Where the view's data of this access starts. */
void ADIOI_BENCHFS_Walk_file(ADIOI_BENCHFS_Runs* file, ADIO_File fd,
                             const ADIOI_BENCHFS_Access* access);

/*
 * Replaces the pieces by the next of the walk: `wanted` bytes, or as many as `count_max` pieces on
 * either side have. 0, or -1 if there is no memory.
 */
int ADIOI_BENCHFS_Pieces_fill(ADIOI_BENCHFS_Pieces* pieces, ADIOI_BENCHFS_Walk* walk,
                              ADIO_Offset wanted, size_t count_max);
void ADIOI_BENCHFS_Pieces_free(ADIOI_BENCHFS_Pieces* pieces);

#endif /* BENCHFS_MPIIO_AD_BENCHFS_PIECES_H */
