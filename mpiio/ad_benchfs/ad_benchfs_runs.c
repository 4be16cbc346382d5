#include "ad_benchfs_runs.h"

#include <stdint.h>

void ADIOI_BENCHFS_Runs_plain(ADIOI_BENCHFS_Runs* runs, ADIO_Offset origin) {
  *runs = (ADIOI_BENCHFS_Runs){.origin = origin};
}

void ADIOI_BENCHFS_Runs_typed(ADIOI_BENCHFS_Runs* runs, MPI_Datatype datatype, ADIO_Offset origin) {
  MPI_Count lower_bound = 0;
  MPI_Count extent = 0;
  MPI_Type_get_extent_x(datatype, &lower_bound, &extent);
  MPI_Count size = 0;
  MPI_Type_size_x(datatype, &size);
  *runs = (ADIOI_BENCHFS_Runs){
      .type = ADIOI_Flatten_and_find(datatype), .origin = origin, .extent = extent, .size = size};
}

static void to_next_block(ADIOI_BENCHFS_Runs* runs) {
  runs->within = 0;
  runs->block++;
  if (runs->block == runs->type->count) {
    runs->block = 0;
    runs->repetition++;
  }
}

/* The flattened form marks bounds of a type by blocks of length 0. */
static void skip_empty_blocks(ADIOI_BENCHFS_Runs* runs) {
  while (runs->within == runs->type->blocklens[runs->block]) {
    to_next_block(runs);
  }
}

void ADIOI_BENCHFS_Runs_seek(ADIOI_BENCHFS_Runs* runs, ADIO_Offset position) {
  if (runs->type == NULL) {
    runs->origin = position;
    return;
  }
  /* Start with the last repetition in which no block can lie behind `position` yet. */
  ADIO_Offset reach = 0;
  for (MPI_Count i = 0; i < runs->type->count; i++) {
    const ADIO_Offset end = runs->type->indices[i] + runs->type->blocklens[i];
    reach = end > reach ? end : reach;
  }
  if (runs->extent > 0 && position > runs->origin + reach) {
    runs->repetition = (position - runs->origin - reach) / runs->extent;
  }
  for (;;) {
    ADIO_Offset start = 0;
    const ADIO_Offset run = ADIOI_BENCHFS_Runs_peek(runs, &start);
    if (start + run > position) {
      ADIOI_BENCHFS_Runs_take(runs, position > start ? position - start : 0);
      return;
    }
    ADIOI_BENCHFS_Runs_take(runs, run);
  }
}

ADIO_Offset ADIOI_BENCHFS_Runs_peek(ADIOI_BENCHFS_Runs* runs, ADIO_Offset* start) {
  if (runs->type == NULL) {
    *start = runs->origin;
    return INT64_MAX;
  }
  skip_empty_blocks(runs);
  *start = runs->origin + runs->repetition * runs->extent + runs->type->indices[runs->block] +
           runs->within;
  return runs->type->blocklens[runs->block] - runs->within;
}

void ADIOI_BENCHFS_Runs_take(ADIOI_BENCHFS_Runs* runs, ADIO_Offset taken) {
  if (runs->type == NULL) {
    runs->origin += taken;
    return;
  }
  runs->within += taken;
}

void ADIOI_BENCHFS_Runs_advance(ADIOI_BENCHFS_Runs* runs, ADIO_Offset length) {
  if (runs->type != NULL) {
    runs->repetition += length / runs->size;
    length %= runs->size;
  }
  while (length > 0) {
    ADIO_Offset start = 0;
    const ADIO_Offset run = ADIOI_BENCHFS_Runs_peek(runs, &start);
    const ADIO_Offset step = length < run ? length : run;
    ADIOI_BENCHFS_Runs_take(runs, step);
    length -= step;
  }
}
