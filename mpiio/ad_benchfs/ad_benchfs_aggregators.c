/*
 * Who reads and writes in a two-phase transfer, if the user leaves that open: as many ranks as the
 * file has servers, spread over the nodes. Each works on one contiguous part of the range, a buffer
 * at a time, so a server has about one buffer's worth of data on its way to it, from few ranks.
 * ROMIO would take one rank of each node, whatever there is to feed.
 */
#include <adio.h>
#include <adio_cb_config_list.h>
#include <stdlib.h>
#include <string.h>

#include "ad_benchfs.h"

static int is_automatic(ADIO_File fd) {
  char text[MPI_MAX_INFO_VAL + 1];
  int is_given = 0;
  ADIOI_Info_get(fd->info, ADIOI_BENCHFS_AGGREGATORS_KEY, MPI_MAX_INFO_VAL, text, &is_given);
  return is_given && strcmp(text, "automatic") == 0;
}

/* How many ranks of the same node come before each. */
static void find_levels(ADIO_cb_name_array names, int* levels) {
  for (int rank = 0; rank < names->namect; rank++) {
    levels[rank] = 0;
    for (int before = rank - 1; before >= 0; before--) {
      if (strcmp(names->names[before], names->names[rank]) == 0) {
        levels[rank] = levels[before] + 1;
        break;
      }
    }
  }
}

/*
 * Puts `wanted` ranks into `chosen`: the first of each node, then the second of each, and of those
 * that are not all needed some in even distances. Returns how many there are.
 */
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

/* Rank 0: replaces ROMIO's list. */
static void replace_list(ADIO_File fd, unsigned server_count) {
  ADIO_cb_name_array names = NULL;
  int rank_count = 0;
  MPI_Comm_size(fd->comm, &rank_count);
  ADIOI_cb_gather_name_array(fd->comm, fd->comm, &names); /* Only looks up what ROMIO has kept. */
  if (names == NULL || names->namect != rank_count) {
    return;
  }
  const int wanted = server_count < (unsigned)rank_count ? (int)server_count : rank_count;
  int* const levels = malloc((size_t)rank_count * sizeof *levels);
  int* const chosen = ADIOI_Malloc((size_t)wanted * sizeof *chosen); /* ROMIO frees it. */
  if (levels == NULL || chosen == NULL) {
    free(levels);
    ADIOI_Free(chosen);
    return;
  }
  find_levels(names, levels);
  const int count = choose(levels, rank_count, wanted, chosen);
  free(levels);
  ADIOI_Free(fd->hints->ranklist);
  fd->hints->ranklist = chosen;
  fd->hints->cb_nodes = count;
}

void ADIOI_BENCHFS_Choose_aggregators(ADIO_File fd, unsigned server_count) {
  int rank = 0;
  MPI_Comm_rank(fd->comm, &rank);
  int is_replaced = rank == 0 && is_automatic(fd);
  MPI_Bcast(&is_replaced, 1, MPI_INT, 0, fd->comm);
  if (!is_replaced) {
    return;
  }
  if (rank == 0) {
    replace_list(fd, server_count);
  } else {
    ADIOI_Free(fd->hints->ranklist);
    fd->hints->ranklist = NULL;
  }
  ADIOI_cb_bcast_rank_map(fd); /* Publishes cb_nodes too. */
  fd->my_cb_nodes_index = -1;
  fd->is_agg = 0;
  for (int i = 0; i < fd->hints->cb_nodes; i++) {
    if (fd->hints->ranklist[i] == rank) {
      fd->my_cb_nodes_index = i;
      fd->is_agg = 1;
    }
  }
}
