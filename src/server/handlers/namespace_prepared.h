#pragma once

// What somebody's rename or removal has locked at this server until its outcome is known. Only for
// the sources of NamespaceService.

#include "server/handlers/namespace.h"

namespace benchfs::server {

/// At the coordinator's deadline, its loss, or after a restart the outcome is in doubt: then the
/// coordinator is asked.
struct NamespaceService::Prepared final : loop::Timer {
  Prepared(NamespaceService& owner, PreparedRow what) noexcept;
  static void expired(Timer& timer) noexcept;
  NamespaceService& service;
  const PreparedRow row;
  EntryLocks::Guard entry_guard;
  InodeLocks::Guard directory_guard;  ///< Of kRemoval.
  bool in_doubt = false;
};

}  // namespace benchfs::server
