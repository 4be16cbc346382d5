#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>

#include "ad_benchfs.h"

/*
 * ROMIO 3.2.1 indexes the user's buffer with ints in its two-phase exchange. Calls in which any
 * rank's buffer spans more than this many bytes go the independent way.
 */
static const ADIO_Offset kTwoPhaseSpanMax = (ADIO_Offset)1 << 30;

int ADIOI_BENCHFS_Settle(ADIO_File fd, int error_code) {
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  if (!file->in_collective) {
    return error_code;
  }
  if (file->collective_error == MPI_SUCCESS) {
    file->collective_error = error_code;
  }
  return MPI_SUCCESS;
}

int ADIOI_BENCHFS_Is_spoilt(ADIO_File fd) {
  const ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  return file->in_collective && file->collective_error != MPI_SUCCESS;
}

int ADIOI_BENCHFS_Agree(ADIO_File fd, int error_code) {
  int worst = MPI_SUCCESS;
  MPI_Allreduce(&error_code, &worst, 1, MPI_INT, MPI_MAX, fd->comm);
  return error_code != MPI_SUCCESS ? error_code : worst;
}

static ADIO_Offset span_of(const ADIOI_BENCHFS_Access* access) {
  MPI_Count lower_bound = 0;
  MPI_Count extent = 0;
  MPI_Type_get_extent_x(access->datatype, &lower_bound, &extent);
  const ADIO_Offset span = (ADIO_Offset)(extent < 0 ? -extent : extent) * access->count;
  const ADIO_Offset size = ADIOI_BENCHFS_Size_of(access->count, access->datatype);
  return span > size ? span : size;
}

/*
 * Pieces of this many bytes and more gain nothing by being exchanged between ranks first: another
 * piece in a request costs less than the copy. Measured (benchmarks/README.md); for writes the
 * border is drawn higher than where it was found, since the store keeps a piece in whole blocks of
 * 4 KiB, and small ones that lie across their borders would take up to twice the space.
 */
static const ADIO_Offset kTwoPhaseReadMax = (ADIO_Offset)4 << 10;
static const ADIO_Offset kTwoPhaseWriteMax = (ADIO_Offset)16 << 10;

static void two_phase(ADIO_File fd, const ADIOI_BENCHFS_Access* access, ADIO_Status* status,
                      int* error_code) {
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  file->fills_reads++;
  if (access->direction == BENCHFS_MPIIO_WRITE) {
    ADIOI_GEN_WriteStridedColl(fd, access->buffer, access->count, access->datatype,
                               access->file_ptr_type, access->offset, status, error_code);
  } else {
    ADIOI_GEN_ReadStridedColl(fd, access->buffer, access->count, access->datatype,
                              access->file_ptr_type, access->offset, status, error_code);
  }
  file->fills_reads--;
}

/*
 * A read without gaps on either side, cut at the end of the file, so that the memory for what lies
 * behind is left alone. `end` is where it would end.
 */
static ADIO_Offset read_up_to_end(ADIO_File fd, const ADIOI_BENCHFS_Access* access, ADIO_Offset end,
                                  int* error_code) {
  const ADIO_Offset wanted = ADIOI_BENCHFS_Size_of(access->count, access->datatype);
  const ADIO_Offset size = ADIOI_BENCHFS_File_of(fd)->known_size;
  const ADIO_Offset left = size - (end - wanted);
  ADIOI_BENCHFS_Access cut = *access;
  if (end > size && left <= INT_MAX) {
    cut.datatype = MPI_BYTE;
    cut.count = left > 0 ? (int)left : 0;
  }
  return ADIOI_BENCHFS_Transfer_strided(fd, &cut, error_code);
}

static void independent(ADIO_File fd, const ADIOI_BENCHFS_Access* access, ADIO_Status* status,
                        int* error_code) {
  int is_plain_file = 0;
  int is_plain_memory = 0;
  ADIOI_Datatype_iscontig(fd->filetype, &is_plain_file);
  ADIOI_Datatype_iscontig(access->datatype, &is_plain_memory);
  if (access->direction == BENCHFS_MPIIO_READ && is_plain_file && is_plain_memory) {
    const ADIO_Offset end = ADIOI_BENCHFS_End_of(fd, access);
    const ADIO_Offset got = read_up_to_end(fd, access, end, error_code);
    MPIR_Status_set_bytes(status, access->datatype, got);
    return;
  }
  ADIO_Offset moved = ADIOI_BENCHFS_Transfer_strided(fd, access, error_code);
  if (access->direction == BENCHFS_MPIIO_READ && !is_plain_memory) {
    /* Zeros behind the end, and all counted: HDF5 fills up what is not counted as if it were at the
     * end of the memory. */
    moved = ADIOI_BENCHFS_Size_of(access->count, access->datatype);
  }
  MPIR_Status_set_bytes(status, access->datatype, moved);
}

/*
 * Whether a collective read of which the last byte of any rank ends at `end` reaches over the end
 * of the file. Only then, or if the file has grown, the size has to be asked for, by one rank.
 */
static int reaches_over_end(ADIO_File fd, ADIO_Offset end) {
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  if (end <= file->known_size) {
    return 0;
  }
  ADIO_Offset size = 0;
  struct stat attributes;
  if (file->is_opener) {
    if (benchfs_fstat(file->handle, &attributes) == 0) {
      size = attributes.st_size;
    } else {
      ADIOI_BENCHFS_Settle(fd, ADIOI_BENCHFS_Failed(fd, "ADIOI_BENCHFS_ReadStridedColl", errno));
    }
  }
  MPI_Bcast(&size, 1, ADIO_OFFSET, 0, fd->comm);
  file->known_size = size;
  return end > size;
}

/* Bytes of a contiguous piece of the access in the file, on average; more than any if it is empty.
 */
static ADIO_Offset piece_size(ADIO_File fd, const ADIOI_BENCHFS_Access* access) {
  const ADIO_Offset wanted = ADIOI_BENCHFS_Size_of(access->count, access->datatype);
  int is_contiguous = 0;
  ADIOI_Datatype_iscontig(fd->filetype, &is_contiguous);
  if (wanted == 0) {
    return INT64_MAX;
  }
  if (is_contiguous) {
    return wanted;
  }
  const ADIOI_Flatlist_node* const flat = ADIOI_Flatten_and_find(fd->filetype);
  ADIO_Offset size = 0;
  ADIO_Offset count = 0;
  for (MPI_Count i = 0; i < flat->count; i++) {
    size += flat->blocklens[i];
    count += flat->blocklens[i] > 0;
  }
  const ADIO_Offset piece = count > 0 ? size / count : 0;
  return piece < wanted ? piece : wanted;
}

/*
 * Whether the pieces, of which the smallest of any rank is given, are to go round the exchange. In
 * atomic mode they are not: each rank would lock all that lies between its own.
 */
static int goes_round(ADIO_File fd, benchfs_mpiio_direction direction, ADIO_Offset piece) {
  const int is_write = direction == BENCHFS_MPIIO_WRITE;
  const int hint = is_write ? fd->hints->cb_write : fd->hints->cb_read;
  const ADIO_Offset border = is_write ? kTwoPhaseWriteMax : kTwoPhaseReadMax;
  return hint == ADIOI_HINT_AUTO && !fd->atomicity && piece >= border;
}

typedef enum Way {
  NOT_AT_ALL,    /* A rank does not know where its bytes belong: ordered_error. */
  INDEPENDENTLY, /* ROMIO cannot do it, would not count right, or has nothing to gain. */
  IN_TWO_PHASES,
} Way;

/* How to do it; the same on all ranks. */
static Way choose_way(ADIO_File fd, const ADIOI_BENCHFS_Access* access) {
  const int is_read = access->direction == BENCHFS_MPIIO_READ;
  const ADIO_Offset mine[4] = {span_of(access), is_read ? ADIOI_BENCHFS_End_of(fd, access) : 0,
                               ADIOI_BENCHFS_Is_spoilt(fd), -piece_size(fd, access)};
  ADIO_Offset most[4] = {0, 0, 0, 0};
  MPI_Allreduce(mine, most, 4, ADIO_OFFSET, MPI_MAX, fd->comm);
  if (most[2] != 0) {
    return NOT_AT_ALL;
  }
  const int is_over_end = is_read && reaches_over_end(fd, most[1]);
  return is_over_end || most[0] > kTwoPhaseSpanMax || goes_round(fd, access->direction, -most[3])
             ? INDEPENDENTLY
             : IN_TWO_PHASES;
}

/*
 * A collective transfer. ROMIO leaves the exchange at the first error of a rank, and the others
 * would wait for that rank; and a rank whose data came through another one would not learn that it
 * is wrong. So the exchange goes on to its end whatever happens, and then all ranks report the
 * worst.
 */
static void transfer(ADIO_File fd, const ADIOI_BENCHFS_Access* access, ADIO_Status* status,
                     int* error_code) {
  ADIOI_BENCHFS_File* const file = ADIOI_BENCHFS_File_of(fd);
  file->in_collective = 1;
  file->collective_error = file->ordered_error;
  file->ordered_error = MPI_SUCCESS;
  *error_code = MPI_SUCCESS;
  switch (choose_way(fd, access)) {
    case NOT_AT_ALL:
      MPIR_Status_set_bytes(status, access->datatype, 0);
      break;
    case INDEPENDENTLY:
      independent(fd, access, status, error_code);
      break;
    case IN_TWO_PHASES:
      two_phase(fd, access, status, error_code);
      break;
  }
  file->in_collective = 0;
  *error_code =
      ADIOI_BENCHFS_Agree(fd, *error_code != MPI_SUCCESS ? *error_code : file->collective_error);
}

void ADIOI_BENCHFS_ReadStridedColl(ADIO_File fd, void* buf, int count, MPI_Datatype datatype,
                                   int file_ptr_type, ADIO_Offset offset, ADIO_Status* status,
                                   int* error_code) {
  const ADIOI_BENCHFS_Access access = {BENCHFS_MPIIO_READ, buf,           count,
                                       datatype,           file_ptr_type, offset};
  transfer(fd, &access, status, error_code);
}

void ADIOI_BENCHFS_WriteStridedColl(ADIO_File fd, const void* buf, int count, MPI_Datatype datatype,
                                    int file_ptr_type, ADIO_Offset offset, ADIO_Status* status,
                                    int* error_code) {
  const ADIOI_BENCHFS_Access access = {BENCHFS_MPIIO_WRITE, (void*)buf, count, datatype,
                                       file_ptr_type,       offset};
  transfer(fd, &access, status, error_code);
}
