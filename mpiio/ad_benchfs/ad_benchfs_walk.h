/*
 * What ROMIO knows of a transfer, put as the shared part takes it: the runs of the user's memory
 * and of the file's view. They borrow ROMIO's flattened form of the types until Walk_end.
 */
#ifndef BENCHFS_MPIIO_AD_BENCHFS_WALK_H
#define BENCHFS_MPIIO_AD_BENCHFS_WALK_H

#include "ad_benchfs.h"

/* Starts where the access does; its offset is in etypes. The view has a size above 0. */
void ADIOI_BENCHFS_Walk_start(benchfs_mpiio_walk* walk, ADIO_File fd,
                              const ADIOI_BENCHFS_Access* access);
void ADIOI_BENCHFS_Walk_end(const ADIOI_BENCHFS_Access* access);

/* Where the view's data of this access starts. */
void ADIOI_BENCHFS_Walk_file(benchfs_mpiio_runs* file, ADIO_File fd,
                             const ADIOI_BENCHFS_Access* access);

#endif /* BENCHFS_MPIIO_AD_BENCHFS_WALK_H */
