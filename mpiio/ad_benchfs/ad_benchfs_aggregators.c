/*
 * Who reads and writes in a two-phase transfer, if the user leaves that open: as many ranks as the
 * file has servers, spread over the nodes. Each works on one contiguous part of the range, a buffer
 * at a time, so a server has about one buffer's worth of data on its way to it, from few ranks.
 * ROMIO would take one rank of each node, whatever there is to feed.
 */
#include <adio.h>
#include <adio_cb_config_list.h>
#include <string.h>

#include "ad_benchfs.h"

static int is_automatic(ADIO_File fd) {
  char text[MPI_MAX_INFO_VAL + 1];
  int is_given = 0;
  ADIOI_Info_get(fd->info, ADIOI_BENCHFS_AGGREGATORS_KEY, MPI_MAX_INFO_VAL, text, &is_given);
  return is_given && strcmp(text, "automatic") == 0;
}

/* Rank 0: replaces ROMIO's list. */
static void replace_list(ADIO_File fd, unsigned server_count) {
  ADIO_cb_name_array names = NULL;
  int rank_count = 0;
  MPI_Comm_size(fd->comm, &rank_count);
  ADIOI_cb_gather_name_array(fd->comm, fd->comm, &names); /* Only looks up what ROMIO has kept. */
  if (names == NULL || names->namect != rank_count || server_count == 0) {
    return;
  }
  const int wanted = server_count < (unsigned)rank_count ? (int)server_count : rank_count;
  int* const chosen = ADIOI_Malloc((size_t)wanted * sizeof *chosen); /* ROMIO frees it. */
  const int count =
      chosen == NULL ? 0 : benchfs_mpiio_spread(names->names, rank_count, wanted, chosen);
  if (count == 0) {
    ADIOI_Free(chosen);
    return;
  }
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
