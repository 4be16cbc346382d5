/*
 * Which MPI files are ours, and what their path in benchfs is. Every rank answers for itself, so
 * all must answer the same: the name, the hints, the environment and the hints file must agree.
 */
#ifndef BENCHFS_MPIIO_IO_BENCHFS_ROUTE_H
#define BENCHFS_MPIIO_IO_BENCHFS_ROUTE_H

#include <stdbool.h>

typedef struct io_benchfs_rules {
  const char* mounts; /* "/bb:/scratch/bb": files below these are ours; NULL or empty: none. */
  bool takes_all;     /* Every file is ours. */
} io_benchfs_rules;

typedef struct io_benchfs_route {
  char* path;     /* Absolute path in benchfs; NULL: not ours. To be freed. */
  bool is_mapped; /* Found from a name that did not say "benchfs:". */
} io_benchfs_route;

/* `hint` is the value of the info hint "benchfs" for this file, or NULL. */
io_benchfs_route io_benchfs_find_route(const io_benchfs_rules* rules, const char* filename,
                                       const char* hint);

/* Whether the hints file of ROMIO ($ROMIO_HINTS, /etc/romio-hints) says "benchfs enable". */
bool io_benchfs_hints_file_takes_all(void);

#endif /* BENCHFS_MPIIO_IO_BENCHFS_ROUTE_H */
