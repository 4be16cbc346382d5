#pragma once

// Network namespaces as the nodes of a cluster, on this machine: the process of the test is one
// node, the others are made here, and a cable leads from each to the same switch, which can be
// pulled.
//
// Nothing of it has a name outside, so nothing of it can stay behind: a namespace ends with the
// last process in it, a cable with the namespace. A node is a process namespace too, and the kernel
// ends everything in it when the process of the test ends, however that comes.

#include <string>
#include <vector>

#include <sys/types.h>

#include "support/command.h"
#include "support/temp_dir.h"

namespace benchfs::test {

class Nodes {
 public:
  /// Why this process may not make any; empty if it may.
  static std::string why_not();

  /// Moves this process into a node of its own, "head", for good; once per process, and while it
  /// has one thread. Makes `count` others, "node-0" and so on: each sees at `place`, a directory, a
  /// directory of its own, as it would have its own drive. Aborts on errors.
  Nodes(unsigned count, std::string place);
  /// Ends what runs on them.
  ~Nodes();
  Nodes(const Nodes&) = delete;
  Nodes& operator=(const Nodes&) = delete;

  /// Leads UCX, and mpirun to the other nodes.
  Variables variables() const;

  /// Puts the cable of a node into the switch, or takes it out.
  void set_link(unsigned node, bool up) const;

  /// What that node sees at `place`.
  std::string place_of(unsigned node) const;

 private:
  const std::string place_;
  TempDir scripts_;
  std::vector<pid_t> holders_;  ///< One child of this process for each node, which ends with it.
};

}  // namespace benchfs::test
