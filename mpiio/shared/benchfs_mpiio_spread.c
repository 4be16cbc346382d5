#include <stdlib.h>
#include <string.h>

#include "benchfs_mpiio.h"

/* How many ranks of the same node come before each. */
static void find_levels(char* const* names, int rank_count, int* levels) {
  for (int rank = 0; rank < rank_count; rank++) {
    levels[rank] = 0;
    for (int before = rank - 1; before >= 0; before--) {
      if (strcmp(names[before], names[rank]) == 0) {
        levels[rank] = levels[before] + 1;
        break;
      }
    }
  }
}

static int choose(const int* levels, int rank_count, int wanted, int* chosen) {
  int count = 0;
  for (int level = 0; count < wanted; level++) {
    int there = 0;
    for (int rank = 0; rank < rank_count; rank++) {
      there += levels[rank] == level;
    }
    if (there == 0) {
      break;
    }
    const int taken = there < wanted - count ? there : wanted - count;
    int seen = 0;
    int done = 0;
    for (int rank = 0; rank < rank_count && done < taken; rank++) {
      if (levels[rank] == level && seen++ == (int)((long long)done * there / taken)) {
        chosen[count + done++] = rank;
      }
    }
    count += taken;
  }
  return count;
}

int benchfs_mpiio_spread(char* const* names, int rank_count, int wanted, int* chosen) {
  int* const levels = malloc((size_t)rank_count * sizeof *levels);
  if (levels == NULL) {
    return 0;
  }
  find_levels(names, rank_count, levels);
  const int count = choose(levels, rank_count, wanted, chosen);
  free(levels);
  return count;
}
