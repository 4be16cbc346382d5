#include "benchfs_mpiio_runs.h"

#include <stddef.h>
#include <stdint.h>

void benchfs_mpiio_runs_plain(benchfs_mpiio_runs* runs, MPI_Offset origin) {
  *runs = (benchfs_mpiio_runs){.origin = origin};
}

static void to_next_block(benchfs_mpiio_runs* runs) {
  runs->within = 0;
  runs->block++;
  if (runs->block == runs->block_count) {
    runs->block = 0;
    runs->repetition++;
  }
}

/* The flattened form marks bounds of a type by blocks of length 0. */
static void skip_empty_blocks(benchfs_mpiio_runs* runs) {
  while (runs->within == runs->lengths[runs->block]) {
    to_next_block(runs);
  }
}

void benchfs_mpiio_runs_seek(benchfs_mpiio_runs* runs, MPI_Offset position) {
  if (runs->lengths == NULL) {
    runs->origin = position;
    return;
  }
  /* Start with the last repetition in which no block can lie behind `position` yet. */
  MPI_Offset reach = 0;
  for (MPI_Count i = 0; i < runs->block_count; i++) {
    const MPI_Offset end = runs->starts[i] + runs->lengths[i];
    reach = end > reach ? end : reach;
  }
  if (runs->extent > 0 && position > runs->origin + reach) {
    runs->repetition = (position - runs->origin - reach) / runs->extent;
  }
  for (;;) {
    MPI_Offset start = 0;
    const MPI_Offset run = benchfs_mpiio_runs_peek(runs, &start);
    if (start + run > position) {
      benchfs_mpiio_runs_take(runs, position > start ? position - start : 0);
      return;
    }
    benchfs_mpiio_runs_take(runs, run);
  }
}

MPI_Offset benchfs_mpiio_runs_peek(benchfs_mpiio_runs* runs, MPI_Offset* start) {
  if (runs->lengths == NULL) {
    *start = runs->origin;
    return INT64_MAX;
  }
  skip_empty_blocks(runs);
  *start =
      runs->origin + runs->repetition * runs->extent + runs->starts[runs->block] + runs->within;
  return runs->lengths[runs->block] - runs->within;
}

void benchfs_mpiio_runs_take(benchfs_mpiio_runs* runs, MPI_Offset taken) {
  if (runs->lengths == NULL) {
    runs->origin += taken;
    return;
  }
  runs->within += taken;
}

void benchfs_mpiio_runs_advance(benchfs_mpiio_runs* runs, MPI_Offset length) {
  if (runs->lengths != NULL) {
    runs->repetition += length / runs->size;
    length %= runs->size;
  }
  while (length > 0) {
    MPI_Offset start = 0;
    const MPI_Offset run = benchfs_mpiio_runs_peek(runs, &start);
    const MPI_Offset step = length < run ? length : run;
    benchfs_mpiio_runs_take(runs, step);
    length -= step;
  }
}
