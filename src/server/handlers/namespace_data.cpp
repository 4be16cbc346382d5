// This server's part of the data of files, as the homes of the files ask for it; and the homes'
// side of it.

#include <algorithm>
#include <utility>

#include "server/handlers/namespace.h"

namespace benchfs::server {

NamespaceService::Handling<wire::DataEndReply> NamespaceService::data_end(
    Context /*context*/, wire::DataEndRequest request) {
  const std::uint64_t end_bytes = store_.end_of(request.inode);
  auto committing = store_.committed(request.inode);
  BENCHFS_CO_CHECK(committing);
  co_return wire::DataEndReply{.end_bytes = end_bytes};
}

NamespaceService::Handling<wire::EmptyReply> NamespaceService::truncate_data(
    Context /*context*/, wire::TruncateDataRequest request) {
  if (request.size_bytes > kFileBytesMax) {
    co_return fail(Errc::kProtocol, "truncate_data.size");
  }
  auto truncating = store_.truncate(request.inode, request.size_bytes);
  BENCHFS_CO_CHECK(truncating);
  co_return wire::EmptyReply{};
}

NamespaceService::Handling<wire::EmptyReply> NamespaceService::remove_data(
    Context /*context*/, wire::RemoveDataRequest request) {
  auto removing = store_.remove(request.inode);
  BENCHFS_CO_CHECK(removing);
  co_return wire::EmptyReply{};
}

std::vector<ServerId> NamespaceService::stripe_servers(InodeId file) const {
  const meta::File* found = meta_.find_file(file);
  BENCHFS_ASSERT(found != nullptr);
  return stripe_servers(file, found->chunk_bytes, found->stripe_count);
}

std::vector<ServerId> NamespaceService::stripe_servers(InodeId file, std::uint64_t chunk_bytes,
                                                       std::uint32_t stripe_count) const {
  const placement::Striping striping{.file = file,
                                     .chunk_bytes = chunk_bytes,
                                     .stripe_count = stripe_count,
                                     .server_count = exchange_.server_count()};
  std::vector<ServerId> servers;
  servers.reserve(stripe_count);
  for (std::uint32_t i = 0; i < stripe_count; ++i) {
    servers.push_back(placement::stripe_server(striping, i));
  }
  return servers;
}

coro::Task<Result<std::uint64_t>> NamespaceService::ask_data_end(InodeId file,
                                                                 std::uint64_t deadline_ns) {
  std::vector<ServerId> servers = stripe_servers(file);
  const wire::DataEndRequest request{.inode = file};
  auto asking = ask_all(std::move(servers), request, deadline_ns);
  const auto answers = co_await asking;
  std::uint64_t end_bytes = 0;
  for (const auto& answer : answers) {
    if (!answer.has_value()) {
      co_return fail(answer.error());
    }
    end_bytes = std::max(end_bytes, answer->end_bytes);
  }
  if (end_bytes > kFileBytesMax) {
    co_return fail(Errc::kProtocol, "data_end.size");
  }
  co_return end_bytes;
}

coro::Task<Status> NamespaceService::cut_data(InodeId file, std::uint64_t size_bytes,
                                              std::uint64_t deadline_ns) {
  std::vector<ServerId> servers = stripe_servers(file);
  const wire::TruncateDataRequest request{.inode = file, .size_bytes = size_bytes};
  auto cutting = ask_all(std::move(servers), request, deadline_ns);
  const auto outcomes = co_await cutting;
  for (const auto& outcome : outcomes) {
    if (!outcome.has_value()) {
      co_return fail(outcome.error());
    }
  }
  co_return Status();
}

}  // namespace benchfs::server
