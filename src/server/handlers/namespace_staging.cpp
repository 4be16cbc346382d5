// Names of files that are staged in.

#include <utility>

#include "server/handlers/namespace.h"

namespace benchfs::server {

coro::Task<Status> NamespaceService::begin_staged(Context context, Staged& staged,
                                                  wire::OpenRequest how) {
  const wire::UnlinkRequest leftover{.key = staged.temporary};
  auto removing = unlink(context, leftover);
  const auto removed = co_await removing;
  if (!removed.has_value() && removed.error().code != Errc::kNotFound) {
    co_return fail(removed.error());
  }
  how.key = staged.temporary;
  how.flags = wire::kOpenWrite | wire::kOpenCreate | wire::kOpenExclusive;
  auto opening = open(context, std::move(how));
  BENCHFS_CO_TRY(staged.opened, opening);
  co_return Status();
}

coro::Task<Status> NamespaceService::finish_staged(Context context, Staged& staged) {
  const InodeId inode = staged.opened.entry.attributes.inode;
  const wire::CloseRequest closing_as{.open_id = staged.opened.open_id,
                                      .inode = inode,
                                      .wrote = staged.size_bytes > 0,
                                      .complete = true,
                                      .end_bytes = staged.size_bytes,
                                      .truncate_epoch = staged.opened.truncate_epoch};
  auto closing = close(context, closing_as);
  const auto closed = co_await closing;
  staged.opened.open_id = 0;
  Status status = closed.has_value() ? Status() : fail(closed.error());
  if (status.has_value()) {
    staged.attributes.inode = inode;
    auto setting = set_attributes(context, staged.attributes);
    const auto set = co_await setting;
    status = set.has_value() ? Status() : fail(set.error());
  }
  if (status.has_value()) {
    const wire::RenameRequest move{.from = staged.temporary, .to = staged.key};
    status = co_await rename_here(context, move);
  }
  if (!status.has_value()) {
    co_await abandon_staged(context, staged);
  }
  co_return status;
}

coro::Task<void> NamespaceService::abandon_staged(Context context, Staged& staged) {
  const wire::UnlinkRequest request{.key = staged.temporary};
  auto removing = unlink(context, request);
  const auto removed = co_await removing;
  if (staged.opened.open_id != 0) {
    const wire::CloseRequest closing_as{.open_id = staged.opened.open_id,
                                        .inode = staged.opened.entry.attributes.inode};
    auto closing = close(context, closing_as);
    const auto closed = co_await closing;
    static_cast<void>(closed);  // If not now, then when the client goes.
  }
  static_cast<void>(removed);  // Another run of the client removes what is left of this one.
}

coro::Task<Result<wire::Attributes>> NamespaceService::attributes_of(Context context,
                                                                     InodeId inode) {
  auto asking =
      exchange_.ask(home_of(inode), wire::GetAttrRequest{.inode = inode}, context.deadline_ns);
  co_return co_await asking;
}

}  // namespace benchfs::server
