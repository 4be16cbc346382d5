#include "support/nodes.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace benchfs::test {
namespace {

constexpr char kNetwork[] = "10.99.0.";
/// The same on every node, so that one variable names it to all.
constexpr char kDevice[] = "eth0";
constexpr int kNodeNamespaces = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "nodes: %s: %s\n", what.c_str(), std::strerror(errno));
  std::abort();
}

void check(bool fine, const char* what) {
  if (!fine) {
    give_up(what);
  }
}

void run(const std::vector<std::string>& argv) {
  const CommandResult result = run_command(argv);
  if (result.exit_status != 0) {
    std::string words;
    for (const std::string& word : argv) {
      words += word + " ";
    }
    std::fprintf(stderr, "%s: %s%s", words.c_str(), result.out.c_str(), result.err.c_str());
    std::abort();
  }
}

/// Names of devices come from /sys, and processes from /proc: both as this node sees them.
void mount_own(bool processes) {
  check(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "make mounts private");
  check(::mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0, "mount /sys");
  check(!processes || ::mount("proc", "/proc", "proc", 0, nullptr) == 0, "mount /proc");
}

struct NewNode {
  pid_t holder = 0;  ///< Our child.
  pid_t init = 0;    ///< The one process that is always there.
};

[[noreturn]] void be_init(const std::string& name, const std::string& from, const std::string& to,
                          int ready_fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGCHLD, SIG_IGN);  // What loses its parent is reaped.
  mount_own(true);
  check(::mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) == 0, "bind the place");
  check(::sethostname(name.c_str(), name.size()) == 0, "sethostname");
  check(::write(ready_fd, "r", 1) == 1, "tell that the node is ready");
  ::close(ready_fd);
  for (;;) {
    ::pause();
  }
}

/// Only its children are born into a new process namespace.
[[noreturn]] void be_holder(const std::string& name, const std::string& from, const std::string& to,
                            int told_fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  check(::unshare(kNodeNamespaces | CLONE_NEWPID) == 0, "unshare");
  std::array<int, 2> ready{};
  check(::pipe2(ready.data(), O_CLOEXEC) == 0, "pipe");
  const pid_t init = ::fork();
  check(init >= 0, "fork");
  if (init == 0) {
    be_init(name, from, to, ready[1]);
  }
  ::close(ready[1]);
  char word = 0;
  check(::read(ready[0], &word, 1) == 1, "start a node");
  check(::write(told_fd, &init, sizeof(init)) == sizeof(init), "tell of the node");
  ::close(told_fd);
  ::waitpid(init, nullptr, 0);
  ::_exit(0);
}

NewNode start_node(const std::string& name, const std::string& from, const std::string& to) {
  std::array<int, 2> told{};
  check(::pipe2(told.data(), O_CLOEXEC) == 0, "pipe");
  NewNode node;
  node.holder = ::fork();
  check(node.holder >= 0, "fork");
  if (node.holder == 0) {
    be_holder(name, from, to, told[1]);
  }
  ::close(told[1]);
  check(::read(told[0], &node.init, sizeof(node.init)) == sizeof(node.init), "start a node");
  ::close(told[0]);
  return node;
}

std::string name_of(unsigned node) {
  return "node-" + std::to_string(node);
}

std::string cable_of(unsigned node) {
  return "cable-" + std::to_string(node);
}

void be_head() {
  check(::unshare(kNodeNamespaces) == 0, "unshare");
  mount_own(false);
  check(::sethostname("head", 4) == 0, "sethostname");
  // The switch is on this node, which has a cable to it like the others.
  run({"ip", "link", "add", "switch", "type", "bridge"});
  run({"ip", "link", "set", "switch", "up"});
  run({"ip", "link", "add", "cable-head", "type", "veth", "peer", "name", kDevice});
  run({"ip", "link", "set", "cable-head", "master", "switch", "up"});
  run({"ip", "address", "add", std::string(kNetwork) + "1/24", "dev", kDevice});
  run({"ip", "link", "set", kDevice, "up"});
  run({"ip", "link", "set", "lo", "up"});
}

void connect(unsigned node, pid_t init) {
  run({"ip", "link", "add", cable_of(node), "type", "veth", "peer", "name", kDevice, "netns",
       std::to_string(init)});
  run({"ip", "link", "set", cable_of(node), "master", "switch", "up"});
  const auto there = [init](std::vector<std::string> words) {
    words.insert(words.begin(), {"nsenter", "--target", std::to_string(init), "--net", "ip"});
    run(words);
  };
  there({"address", "add", kNetwork + std::to_string(11 + node) + "/24", "dev", kDevice});
  there({"link", "set", kDevice, "up"});
  there({"link", "set", "lo", "up"});
}

}  // namespace

std::string Nodes::why_not() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(::unshare(kNodeNamespaces | CLONE_NEWPID) == 0 ? 0 : errno);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status == 0 ? ""
                     : std::string("cannot make a network namespace: ") +
                           std::strerror(WEXITSTATUS(status));
}

Nodes::Nodes(unsigned count, std::string place) : place_(std::move(place)) {
  be_head();
  // What mpirun calls instead of ssh.
  std::ofstream agent(scripts_.file("agent"));
  agent << "#!/bin/sh\nnode=$1\nshift\n"
        << "exec nsenter --target \"$(cat '" << scripts_.path().string()
        << "'/$node)\" --net --mount --uts --pid -- sh -c \"$*\"\n";
  agent.close();
  std::filesystem::permissions(scripts_.file("agent"), std::filesystem::perms::owner_all);
  for (unsigned node = 0; node < count; ++node) {
    std::filesystem::create_directory(place_of(node));
    const NewNode made = start_node(name_of(node), place_of(node), place_);
    holders_.push_back(made.holder);
    std::ofstream(scripts_.file(name_of(node))) << made.init;
    connect(node, made.init);
  }
}

Nodes::~Nodes() {
  for (const pid_t holder : holders_) {
    ::kill(holder, SIGKILL);
    ::waitpid(holder, nullptr, 0);
  }
  for (unsigned node = 0; node < holders_.size(); ++node) {
    std::error_code ignored;
    std::filesystem::remove_all(place_of(node), ignored);
  }
}

Variables Nodes::variables() const {
  return {{"UCX_TLS", "tcp,self"},
          {"UCX_NET_DEVICES", kDevice},
          {"OMPI_MCA_plm", "rsh"},
          {"OMPI_MCA_plm_rsh_agent", scripts_.file("agent")},
          {"OMPI_MCA_plm_rsh_no_tree_spawn", "1"},
          {"OMPI_MCA_oob_tcp_if_include", kDevice},
          {"OMPI_MCA_btl_tcp_if_include", kDevice}};
}

void Nodes::set_link(unsigned node, bool up) const {
  run({"ip", "link", "set", cable_of(node), up ? "up" : "down"});
}

std::string Nodes::place_of(unsigned node) const {
  return place_ + "/" + name_of(node);
}

}  // namespace benchfs::test
