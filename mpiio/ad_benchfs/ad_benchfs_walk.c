#include "ad_benchfs_walk.h"

/* `datatype`, which is not contiguous and has a size above 0, repeated from `origin`. */
static void set_typed(benchfs_mpiio_runs* runs, MPI_Datatype datatype, ADIO_Offset origin) {
  const ADIOI_Flatlist_node* const type = ADIOI_Flatten_and_find(datatype);
  MPI_Count lower_bound = 0;
  MPI_Count extent = 0;
  MPI_Count size = 0;
  MPI_Type_get_extent_x(datatype, &lower_bound, &extent);
  MPI_Type_size_x(datatype, &size);
  *runs = (benchfs_mpiio_runs){.starts = type->indices,
                               .lengths = type->blocklens,
                               .block_count = type->count,
                               .origin = origin,
                               .extent = extent,
                               .size = size};
}

static int is_contiguous(MPI_Datatype datatype) {
  int flag = 0;
  ADIOI_Datatype_iscontig(datatype, &flag);
  return flag;
}

static void set_runs(benchfs_mpiio_runs* runs, MPI_Datatype datatype, ADIO_Offset origin) {
  if (is_contiguous(datatype)) {
    benchfs_mpiio_runs_plain(runs, origin);
  } else {
    set_typed(runs, datatype, origin);
  }
}

void ADIOI_BENCHFS_Walk_file(benchfs_mpiio_runs* file, ADIO_File fd,
                             const ADIOI_BENCHFS_Access* access) {
  set_runs(file, fd->filetype, fd->disp);
  if (access->file_ptr_type == ADIO_INDIVIDUAL) {
    benchfs_mpiio_runs_seek(file, fd->fp_ind);
  } else {
    benchfs_mpiio_runs_advance(file, access->offset * (ADIO_Offset)fd->etype_size);
  }
}

void ADIOI_BENCHFS_Walk_start(benchfs_mpiio_walk* walk, ADIO_File fd,
                              const ADIOI_BENCHFS_Access* access) {
  ADIOI_BENCHFS_Walk_file(&walk->file, fd, access);
  walk->buffer = access->buffer;
  set_runs(&walk->memory, access->datatype, 0);
}

void ADIOI_BENCHFS_Walk_end(const ADIOI_BENCHFS_Access* access) {
#ifdef ADIOI_BENCHFS_IN_MPICH /* There it ends with the data type. */
  (void)access;
#else
  if (!is_contiguous(access->datatype)) {
    ADIOI_Delete_flattened(access->datatype);
  }
#endif
}
