#include "ad_benchfs_pieces.h"

#include <stdlib.h>

enum { kRoomAtFirst = 16 };

void ADIOI_BENCHFS_Walk_file(ADIOI_BENCHFS_Runs* file, ADIO_File fd,
                             const ADIOI_BENCHFS_Access* access) {
  int is_contiguous = 0;
  ADIOI_Datatype_iscontig(fd->filetype, &is_contiguous);
  if (is_contiguous) {
    ADIOI_BENCHFS_Runs_plain(file, fd->disp);
  } else {
    ADIOI_BENCHFS_Runs_typed(file, fd->filetype, fd->disp);
  }
  if (access->file_ptr_type == ADIO_INDIVIDUAL) {
    ADIOI_BENCHFS_Runs_seek(file, fd->fp_ind);
  } else {
    ADIOI_BENCHFS_Runs_advance(file, access->offset * (ADIO_Offset)fd->etype_size);
  }
}

void ADIOI_BENCHFS_Walk_start(ADIOI_BENCHFS_Walk* walk, ADIO_File fd,
                              const ADIOI_BENCHFS_Access* access) {
  int is_contiguous = 0;
  ADIOI_BENCHFS_Walk_file(&walk->file, fd, access);
  walk->buffer = access->buffer;
  walk->flattened = MPI_DATATYPE_NULL;
  ADIOI_Datatype_iscontig(access->datatype, &is_contiguous);
  if (is_contiguous) {
    ADIOI_BENCHFS_Runs_plain(&walk->memory, 0);
  } else {
    ADIOI_BENCHFS_Runs_typed(&walk->memory, access->datatype, 0);
    walk->flattened = access->datatype;
  }
}

void ADIOI_BENCHFS_Walk_end(ADIOI_BENCHFS_Walk* walk) {
  if (walk->flattened != MPI_DATATYPE_NULL) {
#ifndef ADIOI_BENCHFS_IN_MPICH /* There it ends with the data type. */
    ADIOI_Delete_flattened(walk->flattened);
#endif
    walk->flattened = MPI_DATATYPE_NULL;
  }
}

/* Room for one more; -1 if there is no memory. */
static int make_room(ADIOI_BENCHFS_Pieces* pieces) {
  if (pieces->memory_count == pieces->memory_room) {
    const size_t room = pieces->memory_room == 0 ? kRoomAtFirst : 2 * pieces->memory_room;
    struct iovec* const memory = realloc(pieces->memory, room * sizeof *memory);
    if (memory == NULL) {
      return -1;
    }
    pieces->memory = memory;
    pieces->memory_room = room;
  }
  if (pieces->extent_count == pieces->extent_room) {
    const size_t room = pieces->extent_room == 0 ? kRoomAtFirst : 2 * pieces->extent_room;
    benchfs_extent* const extents = realloc(pieces->extents, room * sizeof *extents);
    if (extents == NULL) {
      return -1;
    }
    pieces->extents = extents;
    pieces->extent_room = room;
  }
  return 0;
}

/* Adds `length` bytes at `address` and at `offset`; there is room. */
static void add_piece(ADIOI_BENCHFS_Pieces* pieces, char* address, ADIO_Offset offset,
                      ADIO_Offset length) {
  struct iovec* const memory = &pieces->memory[pieces->memory_count];
  if (pieces->memory_count > 0 && (char*)memory[-1].iov_base + memory[-1].iov_len == address) {
    memory[-1].iov_len += (size_t)length;
  } else {
    *memory = (struct iovec){.iov_base = address, .iov_len = (size_t)length};
    pieces->memory_count++;
  }
  benchfs_extent* const extent = &pieces->extents[pieces->extent_count];
  if (pieces->extent_count > 0 && extent[-1].offset + extent[-1].length == (uint64_t)offset) {
    extent[-1].length += (uint64_t)length;
  } else {
    *extent = (benchfs_extent){.offset = (uint64_t)offset, .length = (uint64_t)length};
    pieces->extent_count++;
  }
  pieces->length += length;
}

int ADIOI_BENCHFS_Pieces_fill(ADIOI_BENCHFS_Pieces* pieces, ADIOI_BENCHFS_Walk* walk,
                              ADIO_Offset wanted, size_t count_max) {
  pieces->memory_count = 0;
  pieces->extent_count = 0;
  pieces->length = 0;
  while (pieces->length < wanted && pieces->memory_count < count_max &&
         pieces->extent_count < count_max) {
    ADIO_Offset at = 0;
    ADIO_Offset offset = 0;
    ADIO_Offset length = wanted - pieces->length;
    const ADIO_Offset memory_run = ADIOI_BENCHFS_Runs_peek(&walk->memory, &at);
    const ADIO_Offset file_run = ADIOI_BENCHFS_Runs_peek(&walk->file, &offset);
    length = memory_run < length ? memory_run : length;
    length = file_run < length ? file_run : length;
    if (make_room(pieces) != 0) {
      return -1;
    }
    add_piece(pieces, walk->buffer + at, offset, length);
    ADIOI_BENCHFS_Runs_take(&walk->memory, length);
    ADIOI_BENCHFS_Runs_take(&walk->file, length);
  }
  return 0;
}

void ADIOI_BENCHFS_Pieces_free(ADIOI_BENCHFS_Pieces* pieces) {
  free(pieces->memory);
  free(pieces->extents);
  *pieces = (ADIOI_BENCHFS_Pieces){0};
}
