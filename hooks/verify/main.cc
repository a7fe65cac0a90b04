// SPDX-License-Identifier: GPL-2.0-or-later
//
// kdump-verify DUMP: what kdump-config verify starts. A program of its own, so that nothing else
// loads the libraries that read dumps.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <string>

#include "builder/base/atomic_file.h"
#include "hooks/verify/verify.h"

namespace {

kd::Result<void> record(const std::string& path, const std::string& text) {
  KD_TRY(const kd::FileLock held, kd::FileLock::acquire_beside(path));
  KD_TRY(kd::AtomicFile file, kd::AtomicFile::create(path));
  return write_file(file, text);
}

int failed(const kd::Error& error) {
  std::fprintf(stderr, "kdump-verify: %s\n", error.message.c_str());
  return static_cast<int>(error.kind);
}

struct Arguments {
  std::string dump, kept;
  bool json = false;
};

// An exit code when the command line was answered already.
std::optional<int> parse(int argc, char** argv, Arguments& arguments) {
  try {
    CLI::App app("Tells whether a crash dump is whole and can be read", "kdump-verify");
    app.add_option("DUMP", arguments.dump, "file to read")->required();
    app.add_flag("--json", arguments.json, "print JSON");
    app.add_option("--record", arguments.kept, "keep the JSON in this file");
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app.exit(error) == 0 ? 0 : static_cast<int>(kd::ErrorKind::kUsage);
    }
    return std::nullopt;
  } catch (const CLI::Error& error) {
    std::fprintf(stderr, "kdump-verify: %s\n", error.what());
    return static_cast<int>(kd::ErrorKind::kFailed);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (const std::optional<int> code = parse(argc, argv, arguments)) return *code;
  const kd::Result<kd::verify::Verification> done = kd::verify::verify(arguments.dump);
  if (!done) return failed(done.error());
  std::fputs((arguments.json ? to_json(*done) : to_text(*done)).c_str(), stdout);
  if (!arguments.kept.empty()) {
    if (const kd::Result<void> written = record(arguments.kept, to_json(*done)); !written) {
      return failed(written.error());
    }
  }
  return static_cast<int>(outcome(*done));
}
