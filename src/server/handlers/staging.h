#pragma once

// Staging: copies between the store and files outside, as wire/staging.h says.
//
// Bounded: kStageCellsMax cells, or whole files, are on their way at once, whoever asks, each with
// one buffer of the pool, or two where it leaves zeros out.
//
// Threading: loop thread only. What blocks is done in threads that are started with the first
// request.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "coro/event.h"
#include "coro/task.h"
#include "io/blocking_calls.h"
#include "io/buffer_pool.h"
#include "rpc/dispatcher.h"
#include "rpc/peer_table.h"
#include "server/exchange.h"
#include "server/handlers/namespace.h"
#include "server/handlers/outside_file.h"
#include "store/chunk_store.h"
#include "wire/staging.h"

namespace benchfs::server {

inline constexpr std::uint64_t kStageCellsMax = 8;

class StagingService {
 public:
  struct Parts {
    loop::EventLoop& loop;
    rpc::Dispatcher& dispatcher;
    rpc::PeerTable& peers;
    Exchange& exchange;
    io::BufferPool& pool;
    store::ChunkStore& store;
    NamespaceService& names;
  };

  /// Borrows all; they outlive it. Registers its handlers.
  explicit StagingService(Parts parts);
  StagingService(const StagingService&) = delete;
  StagingService& operator=(const StagingService&) = delete;

 private:
  template <typename Reply>
  using Handling = coro::Task<Result<Reply>>;
  struct Range;     ///< One StageRange. In staging.cpp.
  struct InFile;    ///< One file of a StageIn. In staging_in.cpp.
  struct OutFiles;  ///< One StageOut. In staging_out.cpp.
  struct OutFile;

  coro::Task<Status> ensure_threads();
  /// Runs `function()` in a thread.
  template <typename Function>
  coro::Task<void> in_thread(Function function) {
    io::BlockingCalls::CallOp<Function> calling(*calls_, std::move(function));
    co_await calling;
  }

  // Ranges (staging.cpp).
  Handling<wire::StageRangeReply> range(rpc::Request& request, wire::StageRangeRequest body);
  coro::Task<Status> open_outside(Range& work);
  coro::Task<void> run_cell(Range& work, store::Piece cell);
  void leave_place(const Range& work) noexcept;
  coro::Task<Status> copy_in(Range& work, store::Piece cell);
  coro::Task<Status> copy_out(Range& work, store::Piece cell);
  coro::Task<Status> sum_inside(Range& work, store::Piece cell);
  coro::Task<Status> sum_outside(Range& work, store::Piece cell);
  /// Writes what of the cell is not zeros.
  coro::Task<Status> write_sparse(InodeId file, io::PoolBuffer buffer, store::Piece cell,
                                  std::vector<store::Piece> runs);
  /// The buffer's bytes in the runs, one behind the other.
  coro::Task<io::PoolBuffer> packed(io::PoolBuffer buffer, std::uint64_t offset_bytes,
                                    const std::vector<store::Piece>& runs);

  // Whole files in (staging_in.cpp).
  Handling<wire::StageFilesReply> stage_in(Context context, wire::StageInRequest body,
                                           rpc::Request& request);
  coro::Task<void> stage_in_one(InFile file, wire::StageResult& result);
  coro::Task<Status> bring_in(InFile& file, wire::StageResult& result);
  coro::Task<Status> write_in(InFile& file, const wire::Attributes& made, io::PoolBuffer buffer);
  coro::Task<Status> check_in(InFile& file, const wire::Attributes& made, std::uint64_t size_bytes,
                              std::uint64_t sum);
  ServerId data_server(const wire::Attributes& attributes) const noexcept;
  wire::EntryKey temporary_key(const wire::EntryKey& key, std::uint64_t run) const;

  // Whole files out (staging_out.cpp).
  Handling<wire::StageFilesReply> stage_out(Context context, wire::StageOutRequest body,
                                            rpc::Request& request);
  coro::Task<void> bring_out(OutFiles& all, OutFile& file);
  coro::Task<Status> write_out(OutFiles& all, OutFile& file);
  coro::Task<void> publish(OutFiles& all);
  coro::Task<void> verify_out(OutFile& file);
  coro::Task<void> rename_out(OutFile& file);
  coro::Task<void> sync_out(OutFiles& all, bool names);

  const Parts parts_;
  std::unique_ptr<io::BlockingCalls> calls_;
  coro::Semaphore cells_;
};

/// What is told of a file that has failed.
void note_failure(wire::StageResult& result, const Error& error) noexcept;

/// ".benchfs-stage.<run>.<of the name>.<number>.part": what a run leaves is known by its name.
std::string stage_temporary_name(std::uint64_t run, const std::string& name, std::uint32_t number);

}  // namespace benchfs::server
