#include <chrono>

#include "launcher/commands.h"
#include "launcher/servers.h"
#include "launcher/session_place.h"
#include "launcher/status_report.h"
#include "tools/console.h"

namespace benchfs::launcher {

int status(const StatusOptions& options) {
  const auto session = session::read_session(options.session);
  if (!session.has_value()) {
    tools::complain("{}", session.error().text);
    return tools::kExitFailure;
  }
  const auto record = read_record(options.session);
  const Survey survey =
      ask_servers(options.session, *session, record.has_value() ? &*record : nullptr,
                  Question::kStatus, options.time_max);
  if (!survey.trouble.empty()) {
    tools::complain("{}: cannot join the session: {}", options.session, survey.trouble);
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const StatusReport report{.session_directory = options.session,
                            .session = &*session,
                            .survey = &survey,
                            .now_ns = static_cast<std::uint64_t>(
                                std::chrono::duration_cast<std::chrono::nanoseconds>(now).count())};
  tools::say_text(options.json ? as_json(report) : as_table(report));
  if (survey.count(ServerState::kDown) == survey.reports.size()) {
    tools::complain("{}: the session is stale: all its servers are gone; benchfs down clears it",
                    options.session);
  }
  const int exit_status = survey.count(ServerState::kUp) == survey.reports.size()
                              ? tools::kExitOk
                              : tools::kExitFailure;
  if (survey.threads_left) {
    leave_process(exit_status);
  }
  return exit_status;
}

}  // namespace benchfs::launcher
