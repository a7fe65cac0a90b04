// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/base/runner.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "builder/base/fd.h"

namespace kd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDirectories[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin"};

// Which descriptors become the child's stdin, stdout and stderr; -1 keeps ours.
struct Streams {
  int in = -1, out = -1, err = -1;
};

class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  // dup2 also clears close-on-exec, which all our descriptors have.
  void use(int fd, int as) {
    if (fd >= 0) ::posix_spawn_file_actions_adddup2(&actions_, fd, as);
  }
  [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

Result<pid_t> spawn(std::vector<std::string> argv, const Streams& streams) {
  FileActions actions;
  actions.use(streams.in, STDIN_FILENO);
  actions.use(streams.out, STDOUT_FILENO);
  actions.use(streams.err, STDERR_FILENO);
  std::vector<std::string> environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
                                          "LC_ALL=C.UTF-8", "TMPDIR=/tmp"};
  if (const char* term = std::getenv("TERM")) environment.push_back(std::string("TERM=") + term);

  // A blocked or ignored signal would be inherited.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, argv.at(0).c_str(), actions.get(), &attributes,
                                  pointers(argv).data(), pointers(environment).data());
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail_errno(error, argv.at(0));
  return pid;
}

int as_shells_count(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct Pipe {
  Fd read_end, write_end;
};
Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

std::string read_all(const Fd& fd) {
  std::string text;
  char block[4096];
  for (;;) {
    const ssize_t got = ::read(fd.get(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(block, static_cast<std::size_t>(got));
  }
}

}  // namespace

std::optional<std::string> SystemRunner::find(std::string_view name) const {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  std::vector<fs::path> candidates;
  if (!error) candidates.push_back(self.parent_path() / name);
  for (const std::string_view directory : kDirectories) {
    candidates.push_back(fs::path(directory) / name);
  }
  for (const fs::path& path : candidates) {
    if (fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0) return path.string();
  }
  return std::nullopt;
}

Result<ProgramOutcome> SystemRunner::run(const std::vector<std::string>& argv) {
  KD_TRY(Pipe pipe, make_pipe());
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  KD_TRY(const pid_t pid, spawn(argv, {null.get(), pipe.write_end.get(), pipe.write_end.get()}));
  pipe.write_end.reset();
  std::string output = read_all(pipe.read_end);
  return ProgramOutcome{wait_for_process(pid), std::move(output)};
}

Result<ProgramOutcome> SystemRunner::run_attached(const std::vector<std::string>& argv) {
  KD_TRY(const pid_t pid, spawn(argv, {}));
  return ProgramOutcome{wait_for_process(pid), {}};
}

Result<std::vector<int>> start_pipeline(const std::vector<std::vector<std::string>>& commands,
                                        const std::string& file) {
  const Fd target(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!target.valid()) return fail_errno(errno, file);
  Fd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::vector<int> children;
  Result<void> started;
  for (std::size_t i = 0; i < commands.size() && started; ++i) {
    const bool last = i + 1 == commands.size();
    Result<Pipe> pipe = last ? Result<Pipe>(Pipe{}) : make_pipe();
    if (!pipe) {
      started = tl::unexpected(pipe.error());
      break;
    }
    const Result<pid_t> pid =
        spawn(commands[i], {input.get(), last ? target.get() : pipe->write_end.get(), -1});
    if (pid)
      children.push_back(*pid);
    else
      started = tl::unexpected(pid.error());
    input = std::move(pipe->read_end);
  }
  if (started) return children;
  for (const pid_t pid : children) {
    ::kill(pid, SIGKILL);
    wait_for_process(pid);
  }
  return tl::unexpected(started.error());
}

int wait_for_process(int pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return 127;
  }
  return as_shells_count(status);
}

std::string describe_command(const std::vector<std::string>& argv) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%+,-./:=@_";
  std::string text;
  for (const std::string& word : argv) {
    if (!text.empty()) text += ' ';
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
      text += word;
      continue;
    }
    // kdump-tools writes --command-line="...", and tools look for it.
    const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    const std::size_t start = equals == std::string::npos ? 0 : equals + 1;
    text += word.substr(0, start) + '"';
    for (const char c : word.substr(start)) {
      if (std::string_view("\\\"$`").find(c) != std::string_view::npos) text += '\\';
      text += c;
    }
    text += '"';
  }
  return text;
}

}  // namespace kd
