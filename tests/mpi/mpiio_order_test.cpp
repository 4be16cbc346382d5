// Goal: atomic mode, shared and ordered file pointers and MPI_MODE_SEQUENTIAL are what MPI says:
// transfers that overlap in atomic mode are seen whole or not at all; what goes by the shared
// pointer gets a place of its own, without gaps, in rank order where that is asked for.
// Method: atomic writers put one stamp over all of a pattern that spans chunks, and readers look
// for mixtures; records with a header go through the shared pointer and are counted afterwards,
// byte by byte. Run under mpirun with 2 or more ranks. Arguments: the name of a file of benchfs
// ("benchfs:/x"), and how many rounds of each.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <mpi.h>

#include "mpi_report.h"
#include "test_file.h"

namespace {

using benchfs::mpitest::Bytes;
using benchfs::mpitest::bytes_at;
using benchfs::mpitest::count_of;
using benchfs::mpitest::error_class;
using benchfs::mpitest::Hints;
using benchfs::mpitest::Report;
using benchfs::mpitest::TestFile;
using benchfs::mpitest::to_int;

// ---- Atomic mode
// ---------------------------------------------------------------------------------------------

/// How a rank transfers a pattern.
enum class Shape { kContiguous, kStrided, kNonBlocking };

constexpr int kPieceCount = 48;
constexpr int kPieceBytes = 3000;
constexpr int kStrideBytes = 10'000;  // Over many chunks of 4 KiB on all servers.

/// One transfer of the pattern, all of it or, for kContiguous, the bytes that it spans.
int transfer(MPI_File file, Shape shape, bool writes, Bytes& data) {
  const int size = to_int(data.size());
  MPI_Status status;
  if (shape == Shape::kNonBlocking) {
    MPI_Request request = MPI_REQUEST_NULL;
    const int begun = writes ? MPI_File_iwrite_at(file, 0, data.data(), size, MPI_BYTE, &request)
                             : MPI_File_iread_at(file, 0, data.data(), size, MPI_BYTE, &request);
    return begun != MPI_SUCCESS ? begun : MPI_Wait(&request, &status);
  }
  return writes ? MPI_File_write_at(file, 0, data.data(), size, MPI_BYTE, &status)
                : MPI_File_read_at(file, 0, data.data(), size, MPI_BYTE, &status);
}

void check_atomic(Report& report, const std::string& name, Shape shape, const char* what,
                  int rounds) {
  const Hints hints = {{"benchfs_chunk_size", "4096"}};
  TestFile file(report, name, hints.get());
  MPI_Datatype pattern = MPI_BYTE;
  if (shape != Shape::kContiguous) {
    MPI_Type_vector(kPieceCount, kPieceBytes, kStrideBytes, MPI_BYTE, &pattern);
    MPI_Type_commit(&pattern);
    report.check_call("view",
                      MPI_File_set_view(file.get(), 0, MPI_BYTE, pattern, "native", MPI_INFO_NULL));
  }
  int is_atomic = -1;
  const int set = MPI_File_set_atomicity(file.get(), 1);
  MPI_File_get_atomicity(file.get(), &is_atomic);
  report.check("atomic mode can be had", set == MPI_SUCCESS && is_atomic == 1);
  Bytes data(static_cast<std::size_t>(kPieceCount) * kPieceBytes, 0);
  bool succeeded = true;
  if (report.rank() == 0) {
    succeeded = transfer(file.get(), shape, true, data) == MPI_SUCCESS;
  }
  MPI_Barrier(MPI_COMM_WORLD);
  bool is_whole = true;
  for (int round = 0; round < rounds; ++round) {
    // All write in some rounds, so that writers meet each other; else every second rank reads.
    const bool writes = round % 3 == 0 || report.rank() % 2 == 0;
    if (writes) {
      std::fill(
          data.begin(), data.end(),
          static_cast<unsigned char>(1 + (round * report.rank_count() + report.rank()) % 255));
    }
    succeeded = succeeded && transfer(file.get(), shape, writes, data) == MPI_SUCCESS;
    is_whole = is_whole && std::all_of(data.begin(), data.end(),
                                       [&data](unsigned char byte) { return byte == data[0]; });
  }
  MPI_Barrier(MPI_COMM_WORLD);
  succeeded = succeeded && transfer(file.get(), shape, false, data) == MPI_SUCCESS;
  is_whole = is_whole && std::all_of(data.begin(), data.end(),
                                     [&data](unsigned char byte) { return byte == data[0]; });
  report.check(std::string(what) + " transfers succeed", succeeded);
  report.check(std::string(what) + " transfers are seen whole", is_whole);
  report.check_call("back", MPI_File_set_atomicity(file.get(), 0));
  if (pattern != MPI_BYTE) {
    MPI_Type_free(&pattern);
  }
}

/// Ranks that write the same bytes in one collective call: one of them wins, everywhere.
void check_atomic_collective(Report& report, const std::string& name, int rounds) {
  const Hints hints = {{"benchfs_chunk_size", "4096"}};
  TestFile file(report, name, hints.get());
  report.check_call("atomic mode", MPI_File_set_atomicity(file.get(), 1));
  Bytes data(200'000, 0);
  bool is_whole = true;
  for (int round = 0; round < rounds; ++round) {
    std::fill(data.begin(), data.end(), static_cast<unsigned char>(1 + report.rank()));
    const int written = MPI_File_write_at_all(file.get(), 0, data.data(), to_int(data.size()),
                                              MPI_BYTE, MPI_STATUS_IGNORE);
    const int read = MPI_File_read_at_all(file.get(), 0, data.data(), to_int(data.size()), MPI_BYTE,
                                          MPI_STATUS_IGNORE);
    is_whole = is_whole && written == MPI_SUCCESS && read == MPI_SUCCESS && data[0] != 0 &&
               std::all_of(data.begin(), data.end(),
                           [&data](unsigned char byte) { return byte == data[0]; });
  }
  report.check("collective writes of the same bytes leave those of one rank", is_whole);
}

// ---- The shared file pointer
// ---------------------------------------------------------------------------------

/// In front of a record's bytes.
struct Header {
  int rank;
  int number;
  int length;  ///< Of the bytes behind it.
};

Bytes record(int rank, int number, std::size_t length) {
  const Header header{.rank = rank, .number = number, .length = to_int(length)};
  Bytes bytes(sizeof header);
  std::memcpy(bytes.data(), &header, sizeof header);
  const Bytes body = bytes_at(static_cast<std::uint64_t>(rank * 1000 + number), 0, length);
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

/// The records in the order in which they stand, or nothing if the bytes are anything else.
std::vector<Header> parse(const Bytes& bytes) {
  std::vector<Header> headers;
  for (std::size_t at = 0; at < bytes.size();) {
    Header header{};
    if (bytes.size() - at < sizeof header) {
      return {};
    }
    std::memcpy(&header, &bytes[at], sizeof header);
    if (header.rank < 0 || header.number < 0 || header.length < 0 || header.length > 100'000) {
      return {};
    }
    const Bytes expected =
        record(header.rank, header.number, static_cast<std::size_t>(header.length));
    if (bytes.size() - at < expected.size() ||
        !std::equal(expected.begin(), expected.end(), &bytes[at])) {
      return {};
    }
    headers.push_back(header);
    at += expected.size();
  }
  return headers;
}

std::size_t size_of(MPI_File file) {
  MPI_Offset size = 0;
  MPI_File_get_size(file, &size);
  return static_cast<std::size_t>(size);
}

void check_shared_writes(Report& report, const std::string& name, int count, bool blocks) {
  TestFile file(report, name);
  std::mt19937 random(static_cast<unsigned>(report.rank() + 1));
  bool written = true;
  for (int i = 0; i < count; ++i) {
    const Bytes bytes = record(report.rank(), i, random() % 5000);
    if (blocks) {
      written = written && MPI_File_write_shared(file.get(), bytes.data(), to_int(bytes.size()),
                                                 MPI_BYTE, MPI_STATUS_IGNORE) == MPI_SUCCESS;
    } else {
      MPI_Request request = MPI_REQUEST_NULL;
      written = written && MPI_File_iwrite_shared(file.get(), bytes.data(), to_int(bytes.size()),
                                                  MPI_BYTE, &request) == MPI_SUCCESS;
      written = written && MPI_Wait(&request, MPI_STATUS_IGNORE) == MPI_SUCCESS;
    }
  }
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Offset position = -1;
  MPI_File_get_position_shared(file.get(), &position);
  const std::size_t size = size_of(file.get());
  const std::vector<Header> found = parse(file.read(0, size));
  std::map<int, int> next;  // Each rank's own records stand in the order of its calls.
  bool in_order = true;
  for (const Header& header : found) {
    in_order = in_order && header.number == next[header.rank]++;
  }
  report.check(std::string(blocks ? "" : "non-blocking ") +
                   "writes by the shared pointer stand one behind the other, each once",
               written && in_order && to_int(found.size()) == count * report.rank_count());
  report.check("the shared pointer is where they end", position == static_cast<MPI_Offset>(size));
}

void check_shared_reads(Report& report, const std::string& name, int count) {
  constexpr int kRecordBytes = 700;
  TestFile file(report, name);
  const int total = count * report.rank_count();
  if (report.rank() == 0) {
    for (int i = 0; i < total; ++i) {
      const Bytes bytes = record(7, i, kRecordBytes - sizeof(Header));
      MPI_File_write_at(file.get(), static_cast<MPI_Offset>(i) * kRecordBytes, bytes.data(),
                        kRecordBytes, MPI_BYTE, MPI_STATUS_IGNORE);
    }
  }
  MPI_Barrier(MPI_COMM_WORLD);
  std::vector<int> seen(static_cast<std::size_t>(total), 0);
  bool is_right = true;
  for (;;) {
    Bytes bytes(kRecordBytes);
    MPI_Status status;
    if (MPI_File_read_shared(file.get(), bytes.data(), kRecordBytes, MPI_BYTE, &status) !=
        MPI_SUCCESS) {
      is_right = false;
      break;
    }
    if (count_of(status) == 0) {
      break;
    }
    const std::vector<Header> headers = parse(bytes);
    is_right = is_right && headers.size() == 1 && headers[0].number < total;
    if (!is_right) {
      break;
    }
    ++seen[static_cast<std::size_t>(headers[0].number)];
  }
  MPI_Allreduce(MPI_IN_PLACE, seen.data(), total, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  report.check("reads by the shared pointer get each record once",
               is_right && std::all_of(seen.begin(), seen.end(), [](int n) { return n == 1; }));
}

void check_ordered(Report& report, const std::string& name, int rounds, bool is_split) {
  TestFile file(report, name);
  std::mt19937 random(static_cast<unsigned>(report.rank() + 100));
  bool succeeded = true;
  for (int i = 0; i < rounds; ++i) {
    // Some ranks have nothing to write.
    const bool has_some = (i + report.rank()) % 3 != 0;
    const Bytes bytes = has_some ? record(report.rank(), i, random() % 20'000) : Bytes();
    if (is_split) {
      succeeded =
          succeeded && MPI_File_write_ordered_begin(file.get(), bytes.data(), to_int(bytes.size()),
                                                    MPI_BYTE) == MPI_SUCCESS;
      MPI_Status status;
      succeeded =
          succeeded && MPI_File_write_ordered_end(file.get(), bytes.data(), &status) == MPI_SUCCESS;
    } else {
      succeeded =
          succeeded && MPI_File_write_ordered(file.get(), bytes.data(), to_int(bytes.size()),
                                              MPI_BYTE, MPI_STATUS_IGNORE) == MPI_SUCCESS;
    }
  }
  MPI_Barrier(MPI_COMM_WORLD);
  const std::vector<Header> found = parse(file.read(0, size_of(file.get())));
  std::vector<std::pair<int, int>> expected;
  for (int i = 0; i < rounds; ++i) {
    for (int rank = 0; rank < report.rank_count(); ++rank) {
      if ((i + rank) % 3 != 0) {
        expected.emplace_back(i, rank);
      }
    }
  }
  const bool in_order = std::equal(found.begin(), found.end(), expected.begin(), expected.end(),
                                   [](const Header& header, const std::pair<int, int>& place) {
                                     return std::pair(header.number, header.rank) == place;
                                   });
  report.check(std::string(is_split ? "split " : "") + "ordered writes stand in rank order",
               succeeded && in_order);

  // The same back: everybody reads as much as he wrote, from the beginning.
  report.check_call("seek_shared", MPI_File_seek_shared(file.get(), 0, MPI_SEEK_SET));
  random.seed(static_cast<unsigned>(report.rank() + 100));
  bool is_same = true;
  for (int i = 0; i < rounds; ++i) {
    const bool has_some = (i + report.rank()) % 3 != 0;
    const Bytes wanted = has_some ? record(report.rank(), i, random() % 20'000) : Bytes();
    Bytes bytes(wanted.size());
    MPI_Status status;
    int code = MPI_SUCCESS;
    if (is_split) {
      code = MPI_File_read_ordered_begin(file.get(), bytes.data(), to_int(bytes.size()), MPI_BYTE);
      if (code == MPI_SUCCESS) {
        code = MPI_File_read_ordered_end(file.get(), bytes.data(), &status);
      }
    } else {
      code =
          MPI_File_read_ordered(file.get(), bytes.data(), to_int(bytes.size()), MPI_BYTE, &status);
    }
    is_same = is_same && code == MPI_SUCCESS && bytes == wanted;
  }
  report.check(std::string(is_split ? "split " : "") + "ordered reads give each rank its own",
               is_same);
}

void check_seek_and_view(Report& report, const std::string& name) {
  TestFile file(report, name);
  const int value = report.rank();
  MPI_File_write_ordered(file.get(), &value, 1, MPI_INT, MPI_STATUS_IGNORE);
  MPI_Offset position = -1;
  report.check_call("seek_shared", MPI_File_seek_shared(file.get(), -4, MPI_SEEK_END));
  MPI_File_get_position_shared(file.get(), &position);
  report.check("a seek from the end counts from there",
               position == 4 * (static_cast<MPI_Offset>(report.rank_count()) - 1));
  MPI_Barrier(MPI_COMM_WORLD);
  report.check_call("view",
                    MPI_File_set_view(file.get(), 4, MPI_INT, MPI_INT, "native", MPI_INFO_NULL));
  MPI_File_get_position_shared(file.get(), &position);
  report.check("a new view begins with the shared pointer at 0", position == 0);
  MPI_Barrier(MPI_COMM_WORLD);
  int got = -1;
  MPI_Status status;
  MPI_File_read_ordered(file.get(), &got, report.rank() + 1 < report.rank_count() ? 1 : 0, MPI_INT,
                        &status);
  report.check("and counts in the view's etypes from its displacement",
               report.rank() + 1 == report.rank_count() || got == report.rank() + 1);
  MPI_File_get_position_shared(file.get(), &position);
  report.check("wherever it is then", position == report.rank_count() - 1);
}

void check_modes(Report& report, const std::string& name) {
  TestFile first(report, name);
  const int value = report.rank();
  MPI_File_write_ordered(first.get(), &value, 1, MPI_INT, MPI_STATUS_IGNORE);
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_File file = MPI_FILE_NULL;
  report.check_call("open to append",
                    MPI_File_open(MPI_COMM_WORLD, name.c_str(), MPI_MODE_WRONLY | MPI_MODE_APPEND,
                                  MPI_INFO_NULL, &file));
  MPI_Offset position = -1;
  MPI_File_get_position_shared(file, &position);
  report.check("MPI_MODE_APPEND begins with the shared pointer at the end",
               position == 4 * static_cast<MPI_Offset>(report.rank_count()));
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_File_write_shared(file, &value, 1, MPI_INT, MPI_STATUS_IGNORE);
  report.check_call("close", MPI_File_close(&file));
  report.check("what is appended makes the file longer",
               size_of(first.get()) == 8 * static_cast<std::size_t>(report.rank_count()));

  report.check_call("open sequential",
                    MPI_File_open(MPI_COMM_WORLD, name.c_str(),
                                  MPI_MODE_RDONLY | MPI_MODE_SEQUENTIAL, MPI_INFO_NULL, &file));
  int got = -1;
  const int refused = MPI_File_read_at(file, 0, &got, 1, MPI_INT, MPI_STATUS_IGNORE);
  report.check("a sequential file has no explicit offsets",
               error_class(refused) == MPI_ERR_UNSUPPORTED_OPERATION);
  std::vector<int> seen(static_cast<std::size_t>(report.rank_count()), 0);
  bool is_right = true;
  for (int i = 0; i < 2; ++i) {
    is_right = is_right &&
               MPI_File_read_shared(file, &got, 1, MPI_INT, MPI_STATUS_IGNORE) == MPI_SUCCESS &&
               got >= 0 && got < report.rank_count();
    if (is_right) {
      ++seen[static_cast<std::size_t>(got)];
    }
  }
  MPI_Allreduce(MPI_IN_PLACE, seen.data(), to_int(seen.size()), MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  report.check("and is read by the shared pointer, everything once",
               is_right && std::all_of(seen.begin(), seen.end(), [](int n) { return n == 2; }));
  report.check_call("close", MPI_File_close(&file));
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int status = 2;
  if (argc == 3) {
    Report report;
    const std::string name = argv[1];
    const int rounds = std::atoi(argv[2]);
    check_atomic(report, name, Shape::kContiguous, "contiguous", rounds);
    check_atomic(report, name, Shape::kStrided, "strided", rounds);
    check_atomic(report, name, Shape::kNonBlocking, "non-blocking", rounds);
    check_atomic_collective(report, name, rounds);
    check_shared_writes(report, name, rounds, true);
    check_shared_writes(report, name, rounds, false);
    check_shared_reads(report, name, rounds);
    check_ordered(report, name, rounds, false);
    check_ordered(report, name, rounds, true);
    check_seek_and_view(report, name);
    check_modes(report, name);
    status = report.exit_status();
  } else {
    std::fprintf(stderr, "usage: mpiio_order_test benchfs:/NAME ROUNDS\n");
  }
  MPI_Finalize();
  return status;
}
