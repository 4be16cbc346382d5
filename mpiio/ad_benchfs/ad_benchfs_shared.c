/*
 * The shared file pointer, in etypes of the view: the counter of the open (benchfs_counter_add), in
 * place of ROMIO's hidden file and its lock. It lives on the file's server and ends with the close.
 *
 * ROMIO calls these instead of its own of the same name: ad_benchfs_romio.c,
 * mpich/register_driver.py.
 */
#include <errno.h>
#include <stdint.h>

#include "ad_benchfs.h"

void ADIOI_BENCHFS_Get_shared_fp(ADIO_File fd, ADIO_Offset incr, ADIO_Offset* shared_fp,
                                 int* error_code) {
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  int64_t before = 0;
  *error_code = MPI_SUCCESS;
  if (benchfs_counter_add(file->handle, incr, &before) != 0) {
    *error_code = ADIOI_BENCHFS_Failed(fd, "ADIOI_BENCHFS_Get_shared_fp", errno);
  }
  *shared_fp = before;
  file->has_moved_shared |= incr != 0;
}

/*
 * What ROMIO's ordered calls get instead of ADIO_Get_shared_fp: they go from rank
 * to rank, and one that left here with an error would leave those behind it waiting for ever. So
 * the collective transfer, which follows on all ranks, fails on all of them.
 */
void ADIOI_BENCHFS_Ordered_shared_fp(ADIO_File fd, ADIO_Offset incr, ADIO_Offset* shared_fp,
                                     int* error_code) {
  if (fd->fns != &ADIO_BENCHFS_operations) {
    ADIO_Get_shared_fp(fd, incr, shared_fp, error_code);
    return;
  }
  ADIOI_BENCHFS_Get_shared_fp(fd, incr, shared_fp, &ADIOI_BENCHFS_File_of(fd)->ordered_error);
  *error_code = MPI_SUCCESS;
}

void ADIOI_BENCHFS_Set_shared_fp(ADIO_File fd, ADIO_Offset offset, int* error_code) {
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  *error_code = MPI_SUCCESS;
  if (benchfs_counter_set(file->handle, offset, NULL) != 0) {
    *error_code = ADIOI_BENCHFS_Failed(fd, "ADIOI_BENCHFS_Set_shared_fp", errno);
  }
  file->has_moved_shared |= offset != 0;
}

/* The seek, on one rank. */
static int seek_here(ADIO_File fd, ADIO_Offset offset, int whence) {
  static const char kName[] = "ADIOI_BENCHFS_Seek_shared";
  ADIO_Offset base = 0;
  int error_code = MPI_SUCCESS;
  if (whence == MPI_SEEK_CUR) {
    ADIOI_BENCHFS_Get_shared_fp(fd, 0, &base, &error_code);
  } else if (whence == MPI_SEEK_END) {
    error_code = ADIOI_BENCHFS_Check_size(fd);
    if (error_code == MPI_SUCCESS) {
      ADIOI_Get_eof_offset(fd, &base);
    }
  } else if (whence != MPI_SEEK_SET) {
    return ADIOI_BENCHFS_Error_code(kName, fd->filename, MPI_ERR_ARG);
  }
  if (error_code != MPI_SUCCESS) {
    return error_code;
  }
  if (offset > INT64_MAX - base || offset < -base) {
    return ADIOI_BENCHFS_Error_code(kName, fd->filename, MPI_ERR_ARG);
  }
  ADIOI_BENCHFS_Set_shared_fp(fd, base + offset, &error_code);
  return error_code;
}

/*
 * In place of ROMIO's, where rank 0 leaves with its error before a barrier in which all others then
 * wait for ever, and which they leave with success. Ranks that do not ask for the same are told so.
 */
int ADIOI_BENCHFS_Seek_shared(ADIO_File fd, ADIO_Offset offset, int whence) {
  ADIO_Offset first[2] = {offset, whence};
  MPI_Bcast(first, 2, ADIO_OFFSET, 0, fd->comm);
  int error_code = MPI_SUCCESS;
  if (first[0] != offset || first[1] != whence) {
    error_code =
        ADIOI_BENCHFS_Error_code("ADIOI_BENCHFS_Seek_shared", fd->filename, MPI_ERR_NOT_SAME);
  }
  error_code = ADIOI_BENCHFS_Agree(fd, error_code);
  if (error_code == MPI_SUCCESS && ADIOI_BENCHFS_File_of(fd)->is_opener) {
    error_code = seek_here(fd, offset, whence);
  }
  return ADIOI_BENCHFS_Agree(fd, error_code);
}

/* There is no hidden file; ROMIO frees what it takes for its name. */
void ADIOI_BENCHFS_Shfp_fname(ADIO_File fd, int rank, int* error_code) {
  (void)rank;
  fd->shared_fp_fname = ADIOI_Strdup("");
  *error_code = MPI_SUCCESS;
}

/* MPI wants displacements of a view to be none below 0 (MPI-4.0, 14.3); true bounds are those of
 * the data. */
static int starts_below_zero(MPI_Datatype type) {
  MPI_Aint lowest = 0;
  MPI_Aint extent = 0;
  MPI_Type_get_true_extent(type, &lowest, &extent);
  return extent > 0 && lowest < 0;
}

/*
 * A view that would reach bytes before its own beginning is refused, on all ranks if one asks for
 * it, and the old view stays: neither Open MPI nor ROMIO looks, and ROMIO would transfer something
 * else. The class is the one that MPICH and OMPIO give.
 *
 * A new view begins with the shared pointer at 0. ROMIO would set it on the ranks that have opened
 * the hidden file, while others may still be inside of a call with the old view; here it is set
 * once, when all ranks have come; ROMIO's caller then waits for all.
 */
void ADIOI_BENCHFS_Set_view(ADIO_File fd, ADIO_Offset disp, MPI_Datatype etype,
                            MPI_Datatype filetype, MPI_Info info, int* error_code) {
  if (fd->fns != &ADIO_BENCHFS_operations) {
    ADIO_Set_view(fd, disp, etype, filetype, info, error_code);
    return;
  }
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  const int mine[2] = {file->has_moved_shared,
                       starts_below_zero(etype) || starts_below_zero(filetype)};
  int any[2] = {0, 0};
  MPI_Allreduce(mine, any, 2, MPI_INT, MPI_MAX, fd->comm);
  if (any[1]) {
    if (file->is_opener) {
      benchfs_mpiio_say(
          "MPI_File_set_view: the etype or filetype of a rank has a negative displacement");
    }
    *error_code = ADIOI_BENCHFS_Error_code("ADIO_Set_view", fd->filename, MPI_ERR_IO);
    return;
  }
  ADIO_Set_view(fd, disp, etype, filetype, info, error_code);
  file->has_moved_shared = 0;
  if (any[0] && file->is_opener) {
    int set_error = MPI_SUCCESS;
    ADIOI_BENCHFS_Set_shared_fp(fd, 0, &set_error);
    *error_code = *error_code != MPI_SUCCESS ? *error_code : set_error;
  }
}
