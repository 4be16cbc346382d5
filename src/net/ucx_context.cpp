#include "net/ucx_context.h"

#include <cstdlib>
#include <span>
#include <string>

#include <ucp/api/ucp.h>

#include "base/log.h"
#include "net/process.h"
#include "net/ucs_map.h"

namespace benchfs::net {
namespace {

/// What we want of UCX other than its default.
struct Setting {
  const char* variable;  ///< Of the user's environment; if it is set, it holds.
  const char* name;      ///< As ucp_config_modify() knows it.
  const char* value;
};

// README.md, "Settings of UCX", has the reasons and the measurements.
constexpr Setting kSettings[] = {
    {"UCX_POSIX_ERROR_HANDLING", "MM_ERROR_HANDLING", "y"},
    {"UCX_KEEPALIVE_INTERVAL", "KEEPALIVE_INTERVAL", "1s"},
    {"UCX_TCP_CONN_NB", "CONN_NB", "y"},
    // A setting of shared memory is "invalid" to UCX, with a warning, where UCX_TLS has none.
    {"UCX_LOG_LEVEL", "LOG_LEVEL", "error"},
};

/// UCX 1.13 aborts the process if it cannot have the descriptors that it starts with: a dozen.
constexpr std::size_t kDescriptorsToStart = 24;

const char* environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "not set" : value;
}

/// From the time on when everything works: UCX calls the end of a peer an error, and says so on the
/// standard output of the application.
constexpr Setting kQuiet[] = {{"UCX_LOG_LEVEL", "LOG_LEVEL", "fatal"}};

Status apply_settings(ucp_config_t* config, std::span<const Setting> settings) {
  for (const Setting& setting : settings) {
    if (std::getenv(setting.variable) != nullptr) {
      continue;
    }
    const ucs_status_t status = ucp_config_modify(config, setting.name, setting.value);
    if (status != UCS_OK) {
      log_error("UCX does not take the setting {}={}: {}", setting.variable, setting.value,
                ucs_status_string(status));
      return fail(to_error(status, "ucx.config"));
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<UcxContext>> UcxContext::create() {
  const Status room = check_descriptors(kDescriptorsToStart);
  if (!room.has_value()) {
    log_error("UCX cannot start: it needs {} more open files (ulimit -n)", kDescriptorsToStart);
    return fail(room.error());
  }
  ucp_config_t* config = nullptr;
  ucs_status_t status = ucp_config_read(nullptr, nullptr, &config);
  if (status != UCS_OK) {
    log_error("UCX cannot read its configuration (UCX_... variables, ucx.conf): {}",
              ucs_status_string(status));
    return fail(to_error(status, "ucx.config"));
  }
  const Status applied = apply_settings(config, kSettings);
  if (!applied.has_value()) {
    ucp_config_release(config);
    return fail(applied.error());
  }

  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_NAME;
  params.features = UCP_FEATURE_AM | UCP_FEATURE_WAKEUP;
  params.name = "benchfs";
  ucp_context_h handle = nullptr;
  status = ucp_init(&params, config, &handle);
  ucp_config_release(config);
  if (status != UCS_OK) {
    log_error("UCX cannot start: {}; UCX_TLS is {}, UCX_NET_DEVICES is {}",
              ucs_status_string(status), environment("UCX_TLS"), environment("UCX_NET_DEVICES"));
    return fail(to_error(status, "ucx.init"));
  }
  return std::unique_ptr<UcxContext>(new UcxContext(handle));
}

void UcxContext::quiet() {
  ucp_config_t* config = nullptr;
  if (ucp_config_read(nullptr, nullptr, &config) == UCS_OK) {
    (void)apply_settings(config, kQuiet);
    ucp_config_release(config);
  }
}

UcxContext::~UcxContext() {
  if (abandoned_) {
    // Its memory stays registered too: nobody can reach it any more, so nobody writes to it.
    return;
  }
  for (ucp_mem* region : regions_) {
    ucp_mem_unmap(handle_, region);
  }
  ucp_cleanup(handle_);
}

Status UcxContext::register_memory(Bytes region) {
  ucp_mem_map_params_t params{};
  params.field_mask = UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH;
  params.address = region.data();
  params.length = region.size();
  ucp_mem_h memory = nullptr;
  const ucs_status_t status = ucp_mem_map(handle_, &params, &memory);
  if (status != UCS_OK) {
    log_warning("UCX cannot register {} bytes (limit of locked memory?): {}", region.size(),
                ucs_status_string(status));
    return fail(to_error(status, "ucx.register"));
  }
  regions_.push_back(memory);
  return {};
}

}  // namespace benchfs::net
