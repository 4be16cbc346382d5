#include "halo.h"

namespace gray_scott {
namespace {

// The cells of one row or column of both planes, as one datatype.
MPI_Datatype edge_type(const Field& field, std::int64_t count, std::int64_t stride_cells) {
  MPI_Datatype line = MPI_DATATYPE_NULL;
  MPI_Type_vector(static_cast<int>(count), 1, static_cast<int>(stride_cells), MPI_DOUBLE, &line);
  MPI_Datatype both = MPI_DATATYPE_NULL;
  const auto plane_bytes = field.plane_cells() * static_cast<std::int64_t>(sizeof(double));
  MPI_Type_create_hvector(kPlaneCount, 1, static_cast<MPI_Aint>(plane_bytes), line, &both);
  MPI_Type_commit(&both);
  MPI_Type_free(&line);
  return both;
}

}  // namespace

Halo::Halo(const Decomposition& decomposition, Field& field) {
  row_type_ = edge_type(field, field.columns(), 1);
  column_type_ = edge_type(field, field.rows(), field.stride());

  // A tag names the direction in which cells travel, since one rank may be the neighbour on both
  // sides.
  enum Direction : int { kUp, kDown, kLeft, kRight };
  struct Edge {
    double* inner;  // Sent to `to`, which is in the direction `tag`.
    double* outer;  // Received from `to`, travelling the other way.
    MPI_Datatype type;
    int to;
    Direction sent;
    Direction received;
  };
  const std::int64_t last_row = field.rows() - 1;
  const std::int64_t last_column = field.columns() - 1;
  double* top = field.row(Plane::kU, 0);
  const Neighbours& next = decomposition.neighbours();
  const Edge edges[] = {
      {top, field.row(Plane::kU, -1), row_type_, next.up, kUp, kDown},
      {field.row(Plane::kU, last_row), field.row(Plane::kU, last_row + 1), row_type_, next.down,
       kDown, kUp},
      {top, top - 1, column_type_, next.left, kLeft, kRight},
      {top + last_column, top + last_column + 1, column_type_, next.right, kRight, kLeft},
  };
  std::size_t used = 0;
  for (const Edge& edge : edges) {
    MPI_Recv_init(edge.outer, 1, edge.type, edge.to, edge.received, decomposition.comm(),
                  &requests_[used++]);
    MPI_Send_init(edge.inner, 1, edge.type, edge.to, edge.sent, decomposition.comm(),
                  &requests_[used++]);
  }
}

Halo::~Halo() {
  for (MPI_Request& request : requests_) {
    MPI_Request_free(&request);
  }
  MPI_Type_free(&row_type_);
  MPI_Type_free(&column_type_);
}

void Halo::exchange() {
  MPI_Startall(static_cast<int>(requests_.size()), requests_.data());
  MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE);
}

}  // namespace gray_scott
