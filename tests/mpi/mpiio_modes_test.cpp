// Goal: MPI_MODE_SEQUENTIAL and MPI_MODE_UNIQUE_OPEN are what MPI says; who does the I/O of
// collective calls follows the servers of the file or the user's hints; data sieving, for who asks
// for it, loses nothing of what others write between its pieces; and collective calls move the
// right bytes on either side of the size at which they go round the two-phase exchange.
// Method: run under mpirun with 2 or more ranks of one node. Argument: the name of a file of
// benchfs ("benchfs:/x").

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <mpi.h>

#include "mpi_report.h"
#include "test_file.h"

namespace {

using benchfs::mpitest::byte_at;
using benchfs::mpitest::Bytes;
using benchfs::mpitest::bytes_at;
using benchfs::mpitest::count_of;
using benchfs::mpitest::error_class;
using benchfs::mpitest::Hints;
using benchfs::mpitest::Report;
using benchfs::mpitest::TestFile;
using benchfs::mpitest::to_int;

// ---- MPI_MODE_SEQUENTIAL
// ---------------------------------------------------------------------------------------------

void check_refused(Report& report, const std::string& call, int error_code) {
  report.check("a sequential file refuses " + call,
               error_class(error_code) == MPI_ERR_UNSUPPORTED_OPERATION);
}

/// Everything that has a position of its own: explicit offsets, individual pointers, seeking.
void check_sequential_refusals(Report& report, MPI_File file, bool writes) {
  char byte = 'x';
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Offset offset = 0;
  MPI_Status status;
  if (writes) {
    check_refused(report, "write_at", MPI_File_write_at(file, 0, &byte, 1, MPI_BYTE, &status));
    check_refused(report, "write", MPI_File_write(file, &byte, 1, MPI_BYTE, &status));
    check_refused(report, "write_at_all",
                  MPI_File_write_at_all(file, 0, &byte, 1, MPI_BYTE, &status));
    check_refused(report, "write_all", MPI_File_write_all(file, &byte, 1, MPI_BYTE, &status));
    check_refused(report, "iwrite_at", MPI_File_iwrite_at(file, 0, &byte, 1, MPI_BYTE, &request));
    check_refused(report, "iwrite", MPI_File_iwrite(file, &byte, 1, MPI_BYTE, &request));
    check_refused(report, "set_size", MPI_File_set_size(file, 1));
  } else {
    check_refused(report, "read_at", MPI_File_read_at(file, 0, &byte, 1, MPI_BYTE, &status));
    check_refused(report, "read", MPI_File_read(file, &byte, 1, MPI_BYTE, &status));
    check_refused(report, "read_at_all",
                  MPI_File_read_at_all(file, 0, &byte, 1, MPI_BYTE, &status));
    check_refused(report, "read_all", MPI_File_read_all(file, &byte, 1, MPI_BYTE, &status));
    check_refused(report, "iread_at", MPI_File_iread_at(file, 0, &byte, 1, MPI_BYTE, &request));
    check_refused(report, "iread", MPI_File_iread(file, &byte, 1, MPI_BYTE, &request));
  }
  check_refused(report, "seek", MPI_File_seek(file, 0, MPI_SEEK_SET));
  check_refused(report, "seek_shared", MPI_File_seek_shared(file, 0, MPI_SEEK_SET));
  check_refused(report, "get_position_shared", MPI_File_get_position_shared(file, &offset));
#ifndef MPICH  // Its ROMIO returns success, without a position; under Open MPI the component sees
               // to it.
  check_refused(report, "get_position", MPI_File_get_position(file, &offset));
  check_refused(report, "get_byte_offset", MPI_File_get_byte_offset(file, 0, &offset));
#endif
}

/// Every rank writes its records by the shared pointer, alone, in order and without blocking.
void write_sequential(Report& report, const std::string& name) {
  MPI_File file = MPI_FILE_NULL;
  report.check_call(
      "a sequential file opens to be written",
      MPI_File_open(MPI_COMM_WORLD, name.c_str(),
                    MPI_MODE_CREATE | MPI_MODE_WRONLY | MPI_MODE_SEQUENTIAL, MPI_INFO_NULL, &file));
  check_sequential_refusals(report, file, true);
  const int mine[3] = {report.rank(), 1000 + report.rank(), 2000 + report.rank()};
  MPI_Request request = MPI_REQUEST_NULL;
  bool succeeded =
      MPI_File_write_ordered(file, &mine[0], 1, MPI_INT, MPI_STATUS_IGNORE) == MPI_SUCCESS;
  succeeded =
      succeeded && MPI_File_write_shared(file, &mine[1], 1, MPI_INT, MPI_STATUS_IGNORE) == 0;
  succeeded = succeeded && MPI_File_iwrite_shared(file, &mine[2], 1, MPI_INT, &request) == 0 &&
              MPI_Wait(&request, MPI_STATUS_IGNORE) == MPI_SUCCESS;
  report.check("the shared pointer writes it", succeeded);
  MPI_Offset size = -1;
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_File_get_size(file, &size);
  report.check("without a gap, and nothing that was refused is in it",
               size == 12 * static_cast<MPI_Offset>(report.rank_count()));
  report.check_call("close", MPI_File_close(&file));
}

void read_sequential(Report& report, const std::string& name) {
  MPI_File file = MPI_FILE_NULL;
  report.check_call("a sequential file opens to be read",
                    MPI_File_open(MPI_COMM_WORLD, name.c_str(),
                                  MPI_MODE_RDONLY | MPI_MODE_SEQUENTIAL, MPI_INFO_NULL, &file));
  check_sequential_refusals(report, file, false);
  int mine[3] = {-1, -1, -1};
  MPI_Status status;
  MPI_Request request = MPI_REQUEST_NULL;
  report.check("an ordered read of it gives each rank its own record",
               MPI_File_read_ordered(file, &mine[0], 1, MPI_INT, &status) == MPI_SUCCESS &&
                   mine[0] == report.rank());
  report.check_call(
      "a view from where the shared pointer is",
      MPI_File_set_view(file, MPI_DISPLACEMENT_CURRENT, MPI_INT, MPI_INT, "native", MPI_INFO_NULL));
  bool succeeded = MPI_File_read_shared(file, &mine[1], 1, MPI_INT, &status) == MPI_SUCCESS;
  succeeded = succeeded && MPI_File_iread_shared(file, &mine[2], 1, MPI_INT, &request) == 0 &&
              MPI_Wait(&request, &status) == MPI_SUCCESS;
  // Each of the other records has gone to one rank, whichever.
  int sums[2] = {mine[1] + mine[2], mine[1] * mine[1] % 997 + mine[2] * mine[2] % 997};
  int wanted[2] = {0, 0};
  for (int rank = 0; rank < report.rank_count(); ++rank) {
    for (const int record : {1000 + rank, 2000 + rank}) {
      wanted[0] += record;
      wanted[1] += record * record % 997;
    }
  }
  MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  report.check("the rest of it is read by the shared pointer, everything once",
               succeeded && sums[0] == wanted[0] && sums[1] == wanted[1]);
  MPI_Barrier(MPI_COMM_WORLD);
  report.check("and then it is at its end",
               MPI_File_read_shared(file, &mine[1], 1, MPI_INT, &status) == MPI_SUCCESS &&
                   count_of(status) == 0);
  report.check_call("close", MPI_File_close(&file));
}

// ---- MPI_MODE_UNIQUE_OPEN
// ---------------------------------------------------------------------------------------------

/// The user's promise that nobody else opens the file: it changes nothing of what happens.
void check_unique_open(Report& report, const std::string& name) {
  constexpr int kMode = MPI_MODE_CREATE | MPI_MODE_RDWR | MPI_MODE_UNIQUE_OPEN;
  constexpr std::size_t kSize = 5000;
  MPI_File file = MPI_FILE_NULL;
  int mode = 0;
  Bytes read(kSize);
  report.check_call("a file opens for nobody else",
                    MPI_File_open(MPI_COMM_WORLD, name.c_str(), kMode, MPI_INFO_NULL, &file));
  MPI_File_get_amode(file, &mode);
  report.check("it says so", mode == kMode);
  const MPI_Offset mine = static_cast<MPI_Offset>(kSize) * report.rank();
  const MPI_Offset other =
      static_cast<MPI_Offset>(kSize) * ((report.rank() + 1) % report.rank_count());
  const Bytes data = bytes_at(7, static_cast<std::uint64_t>(mine), kSize);
  MPI_File_write_at(file, mine, data.data(), kSize, MPI_BYTE, MPI_STATUS_IGNORE);
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_File_read_at(file, other, read.data(), kSize, MPI_BYTE, MPI_STATUS_IGNORE);
  report.check("its ranks see what the others write",
               read == bytes_at(7, static_cast<std::uint64_t>(other), kSize));
  report.check_call("close", MPI_File_close(&file));
  report.check_call("it opens so again, to be deleted",
                    MPI_File_open(MPI_COMM_WORLD, name.c_str(),
                                  MPI_MODE_RDONLY | MPI_MODE_UNIQUE_OPEN | MPI_MODE_DELETE_ON_CLOSE,
                                  MPI_INFO_NULL, &file));
  report.check_call("close", MPI_File_close(&file));
  const int gone =
      MPI_File_open(MPI_COMM_WORLD, name.c_str(), MPI_MODE_RDONLY, MPI_INFO_NULL, &file);
  report.check("and is gone", error_class(gone) == MPI_ERR_NO_SUCH_FILE);
}

// ---- Collective calls
// ---------------------------------------------------------------------------------------------

std::string hint_of(MPI_File file, const char* key) {
  MPI_Info info = MPI_INFO_NULL;
  char value[MPI_MAX_INFO_VAL + 1] = "";
  int is_given = 0;
  MPI_File_get_info(file, &info);
  MPI_Info_get(info, key, MPI_MAX_INFO_VAL, value, &is_given);
  MPI_Info_free(&info);
  return is_given != 0 ? value : "(none)";
}

/// A view of pieces that go round among the ranks.
void interleave(Report& report, MPI_File file, int piece) {
  MPI_Datatype contiguous = MPI_DATATYPE_NULL;
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_contiguous(piece, MPI_BYTE, &contiguous);
  MPI_Type_create_resized(contiguous, 0, static_cast<MPI_Aint>(piece) * report.rank_count(), &type);
  MPI_Type_commit(&type);
  report.check_call("view", MPI_File_set_view(file, static_cast<MPI_Offset>(piece) * report.rank(),
                                              MPI_BYTE, type, "native", MPI_INFO_NULL));
  MPI_Type_free(&type);
  MPI_Type_free(&contiguous);
}

/// This rank's bytes of an interleaved file.
Bytes interleaved_bytes(const Report& report, std::uint64_t seed, std::size_t piece,
                        std::size_t size) {
  Bytes bytes(size);
  const auto ranks = static_cast<std::size_t>(report.rank_count());
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t round = i / piece;
    bytes[i] = byte_at(
        seed, (round * ranks + static_cast<std::size_t>(report.rank())) * piece + i % piece);
  }
  return bytes;
}

void check_collective(Report& report, const std::string& name, int piece, MPI_Info hints,
                      const std::string& what) {
  TestFile file(report, name, hints);
  interleave(report, file.get(), piece);
  const std::size_t size = static_cast<std::size_t>(piece) * 5;
  const Bytes data = interleaved_bytes(report, 9, static_cast<std::size_t>(piece), size);
  Bytes read(size);
  MPI_Status status;
  const int written =
      MPI_File_write_at_all(file.get(), 0, data.data(), to_int(size), MPI_BYTE, &status);
  report.check(what + ": a collective write",
               written == MPI_SUCCESS && count_of(status) == to_int(size));
  const int got = MPI_File_read_at_all(file.get(), 0, read.data(), to_int(size), MPI_BYTE, &status);
  report.check(what + ": a collective read gives it back",
               got == MPI_SUCCESS && count_of(status) == to_int(size) && read == data);
  const std::size_t whole = size * static_cast<std::size_t>(report.rank_count());
  report.check(what + ": it lies where it belongs", file.read(0, whole) == bytes_at(9, 0, whole));
}

/// Reads go round the exchange from 4 KiB on, writes from 16 KiB, unless a hint forces them into
/// it.
void check_pieces(Report& report, const std::string& name) {
  const Hints forced{{"romio_cb_write", "enable"}, {"romio_cb_read", "enable"}};
  for (const int piece : {1000, 4095, 4096, 16383, 16384, 1 << 20}) {
    check_collective(report, name, piece, MPI_INFO_NULL, "pieces of " + std::to_string(piece));
  }
  check_collective(report, name, 65536, forced.get(), "large pieces in two phases");

  // Ranks need not be alike: one with small pieces, one with nothing at all.
  TestFile file(report, name);
  const bool is_last = report.rank() == report.rank_count() - 1;
  const std::size_t size = is_last ? 0 : report.rank() == 0 ? 10 : 200'000;
  const auto offset = static_cast<std::uint64_t>(report.rank()) * 200'000;
  const Bytes data = bytes_at(3, offset, size);
  const int written = MPI_File_write_at_all(file.get(), static_cast<MPI_Offset>(offset),
                                            data.data(), to_int(size), MPI_BYTE, MPI_STATUS_IGNORE);
  MPI_Barrier(MPI_COMM_WORLD);
  report.check("ranks with small, large and no pieces in one call",
               written == MPI_SUCCESS && file.read(static_cast<MPI_Offset>(offset), size) == data);
}

void check_aggregators(Report& report, const std::string& name) {
  {
    TestFile file(report, name);
    const int servers = std::atoi(hint_of(file.get(), "benchfs_stripe_count").c_str());
    const std::string wanted = std::to_string(std::min(servers, report.rank_count()));
    report.check("there are as many aggregators as servers, or ranks (" + wanted + ")",
                 servers > 0 && hint_of(file.get(), "cb_nodes") == wanted);
    report.check("and it is said that they were not asked for",
                 hint_of(file.get(), "benchfs_aggregators") == "automatic");
  }
  {
    const Hints one{{"benchfs_stripe_count", "1"}};
    TestFile file(report, name, one.get());
    report.check("a file on one server has one aggregator", hint_of(file.get(), "cb_nodes") == "1");
  }
  {
    const Hints two{{"cb_nodes", "2"}, {"cb_config_list", "*:*"}};
    TestFile file(report, name, two.get());
    report.check("who asks for two gets two",
                 hint_of(file.get(), "cb_nodes") == "2" &&
                     hint_of(file.get(), "benchfs_aggregators") == "hints");
  }
  for (const char* count : {"1", "2"}) {
    const Hints hints{
        {"cb_nodes", count}, {"cb_config_list", "*:*"}, {"benchfs_chunk_size", "4096"}};
    check_collective(report, name, 700, hints.get(), std::string(count) + " aggregators");
  }
  const Hints small{{"benchfs_chunk_size", "4096"}};
  check_collective(report, name, 700, small.get(), "the aggregators chosen");
}

// ---- Data sieving
// ---------------------------------------------------------------------------------------------

/// All ranks sieve over the same range at once, each its own pieces; and some write contiguously or
/// without blocking meanwhile. A sieving write that took no lock would put back old bytes.
void check_sieving(Report& report, const std::string& name) {
  constexpr int kPiece = 512;
  constexpr std::size_t kSize = 40 * kPiece;
  const Hints hints{{"romio_ds_read", "enable"}, {"romio_ds_write", "enable"}};
  TestFile file(report, name, hints.get());
  report.check("sieving is asked for", hint_of(file.get(), "romio_ds_write") == "enable");
  interleave(report, file.get(), kPiece);
  bool succeeded = true;
  Bytes data;
  for (std::uint64_t round = 0; round < 6; ++round) {
    data = interleaved_bytes(report, round, kPiece, kSize);
    if ((round + static_cast<std::uint64_t>(report.rank())) % 2 == 0) {
      succeeded = succeeded && MPI_File_write_at(file.get(), 0, data.data(), to_int(kSize),
                                                 MPI_BYTE, MPI_STATUS_IGNORE) == MPI_SUCCESS;
    } else {
      MPI_Request request = MPI_REQUEST_NULL;
      succeeded = succeeded &&
                  MPI_File_iwrite_at(file.get(), 0, data.data(), to_int(kSize), MPI_BYTE,
                                     &request) == MPI_SUCCESS &&
                  MPI_Wait(&request, MPI_STATUS_IGNORE) == MPI_SUCCESS;
    }
    Bytes read(kSize);
    MPI_Status status;
    succeeded = succeeded && MPI_File_read_at(file.get(), 0, read.data(), to_int(kSize), MPI_BYTE,
                                              &status) == MPI_SUCCESS;
    succeeded = succeeded && count_of(status) == to_int(kSize) && read == data;
  }
  report.check("sieving reads give back what sieving writes wrote", succeeded);
  MPI_Barrier(MPI_COMM_WORLD);
  const std::size_t whole = kSize * static_cast<std::size_t>(report.rank_count());
  report.check("no rank's bytes were put back by another's write",
               file.read(0, whole) == bytes_at(5, 0, whole));

  // A piece at a time, contiguous, while others sieve over it.
  if (report.rank() == 0) {
    for (int piece = 0; piece < 40; ++piece) {
      MPI_File_write_at(file.get(), static_cast<MPI_Offset>(piece) * kPiece,
                        data.data() + static_cast<std::size_t>(piece) * kPiece, kPiece, MPI_BYTE,
                        MPI_STATUS_IGNORE);
    }
  } else {
    for (int i = 0; i < 10; ++i) {
      MPI_File_write_at(file.get(), 0, data.data(), to_int(kSize), MPI_BYTE, MPI_STATUS_IGNORE);
    }
  }
  MPI_Barrier(MPI_COMM_WORLD);
  report.check("nor those of small writes between", file.read(0, whole) == bytes_at(5, 0, whole));
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int status = 2;
  if (argc == 2) {
    Report report;
    const std::string name = argv[1];
    if (report.rank() == 0) {
      MPI_File_delete(name.c_str(), MPI_INFO_NULL);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    write_sequential(report, name);
    read_sequential(report, name);
    check_unique_open(report, name);
    check_pieces(report, name);
    check_aggregators(report, name);
    check_sieving(report, name);
    status = report.exit_status();
  } else {
    std::fprintf(stderr, "usage: mpiio_modes_test benchfs:/NAME\n");
  }
  MPI_Finalize();
  return status;
}
