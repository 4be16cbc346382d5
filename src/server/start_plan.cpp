#include "server/start_plan.h"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

#include "base/assert.h"

namespace benchfs::server {
namespace {

constexpr const char* kAdvice =
    "name the right stores with --store, or give their data up with --discard";

std::string name_of(const FoundStore& found) {
  return fmt::format("{} on {}", found.directory, found.host);
}

StartPlan refuse(std::string text) {
  return {.kind = StartPlan::Kind::kRefuse, .session_id = 0, .text = std::move(text)};
}

}  // namespace

StartPlan plan_start(const std::vector<FoundStore>& found) {
  BENCHFS_ASSERT(!found.empty());
  const auto first = std::find_if(found.begin(), found.end(),
                                  [](const FoundStore& store) { return store.is_there; });
  if (first == found.end()) {
    return {.kind = StartPlan::Kind::kNewSession, .session_id = 0, .text = {}};
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    const FoundStore& store = found[i];
    if (store.is_there && store.server_count != found.size()) {
      return refuse(fmt::format(
          "store {}: is of a session of {} servers, but {} were started; start {}, {}",
          name_of(store), store.server_count, found.size(), store.server_count, kAdvice));
    }
    if (store.is_there && store.session_id != first->session_id) {
      return refuse(fmt::format("store {}: is of session {:016x}, but {} is of session {:016x}; {}",
                                name_of(store), store.session_id, name_of(*first),
                                first->session_id, kAdvice));
    }
    if (store.is_there && store.server != i) {
      return refuse(
          fmt::format("store {}: is of server {}, but server {} was started there; start the "
                      "servers on the hosts that they were on, {}",
                      name_of(store), store.server, i, kAdvice));
    }
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i].is_there) {
      return refuse(
          fmt::format("store {}: server {} has none, but {} holds one of session {:016x}, which "
                      "cannot go on without all of its stores; {}",
                      name_of(found[i]), i, name_of(*first), first->session_id, kAdvice));
    }
  }
  return {.kind = StartPlan::Kind::kGoOn, .session_id = first->session_id, .text = {}};
}

}  // namespace benchfs::server
