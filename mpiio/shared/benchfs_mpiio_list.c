#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "benchfs_mpiio.h"

enum { kRoomAtFirst = 16 };

/*
 * Pieces on either side in one call of the client. One call sends one request to each server that
 * is concerned, so more pieces mean fewer requests; this many take 128 KiB of memory.
 */
enum { kPieceCountMax = 4096 };

/* Room for one more; -1 if there is no memory. */
static int make_room(benchfs_mpiio_pieces* pieces) {
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
static void add_piece(benchfs_mpiio_pieces* pieces, char* address, MPI_Offset offset,
                      MPI_Offset length) {
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

int benchfs_mpiio_pieces_fill(benchfs_mpiio_pieces* pieces, benchfs_mpiio_walk* walk,
                              MPI_Offset wanted, size_t count_max) {
  pieces->memory_count = 0;
  pieces->extent_count = 0;
  pieces->length = 0;
  while (pieces->length < wanted && pieces->memory_count < count_max &&
         pieces->extent_count < count_max) {
    MPI_Offset at = 0;
    MPI_Offset offset = 0;
    MPI_Offset length = wanted - pieces->length;
    const MPI_Offset memory_run = benchfs_mpiio_runs_peek(&walk->memory, &at);
    const MPI_Offset file_run = benchfs_mpiio_runs_peek(&walk->file, &offset);
    length = memory_run < length ? memory_run : length;
    length = file_run < length ? file_run : length;
    if (make_room(pieces) != 0) {
      return -1;
    }
    add_piece(pieces, walk->buffer + at, offset, length);
    benchfs_mpiio_runs_take(&walk->memory, length);
    benchfs_mpiio_runs_take(&walk->file, length);
  }
  return 0;
}

void benchfs_mpiio_pieces_free(benchfs_mpiio_pieces* pieces) {
  free(pieces->memory);
  free(pieces->extents);
  *pieces = (benchfs_mpiio_pieces){0};
}

static MPI_Offset move_pieces(benchfs_file* handle, benchfs_mpiio_direction direction,
                              const benchfs_mpiio_pieces* pieces) {
  const int memory_count = (int)pieces->memory_count;
  return direction == BENCHFS_MPIIO_WRITE
             ? benchfs_write_list(handle, pieces->memory, memory_count, pieces->extents,
                                  pieces->extent_count)
             : benchfs_read_list(handle, pieces->memory, memory_count, pieces->extents,
                                 pieces->extent_count);
}

int benchfs_mpiio_move(benchfs_file* handle, benchfs_mpiio_direction direction,
                       benchfs_mpiio_walk* walk, MPI_Offset wanted, MPI_Offset* moved) {
  benchfs_mpiio_pieces pieces = {0};
  MPI_Offset done = 0;
  MPI_Offset step = 0;
  *moved = 0;
  while (done < wanted && step >= 0) {
    step = -1;
    if (benchfs_mpiio_pieces_fill(&pieces, walk, wanted - done, kPieceCountMax) == 0) {
      step = move_pieces(handle, direction, &pieces);
    }
    *moved += step > 0 ? step : 0;
    done += pieces.length; /* Past the end of the file a read goes on, to zero the memory. */
  }
  const int error_number = errno;
  benchfs_mpiio_pieces_free(&pieces);
  errno = error_number;
  return step < 0 ? -1 : 0;
}

benchfs_request* benchfs_mpiio_begin(benchfs_file* handle, benchfs_mpiio_direction direction,
                                     const benchfs_mpiio_pieces* pieces) {
  const int memory_count = (int)pieces->memory_count;
  return direction == BENCHFS_MPIIO_WRITE
             ? benchfs_write_list_begin(handle, pieces->memory, memory_count, pieces->extents,
                                        pieces->extent_count)
             : benchfs_read_list_begin(handle, pieces->memory, memory_count, pieces->extents,
                                       pieces->extent_count);
}
