// SPDX-License-Identifier: GPL-2.0-or-later
//
// kdump-verify DUMP: what kdump-config verify starts. A program of its own, so that nothing else
// loads the libraries that read dumps.
#include <CLI/CLI.hpp>
#include <cstdio>
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

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Tells whether a crash dump is whole and can be read", "kdump-verify");
  std::string dump, kept;
  bool json = false;
  app.add_option("DUMP", dump, "file to read")->required();
  app.add_flag("--json", json, "print JSON");
  app.add_option("--record", kept, "keep the JSON in this file");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(kd::ErrorKind::kUsage);
  }
  const kd::Result<kd::verify::Verification> done = kd::verify::verify(dump);
  if (!done) return failed(done.error());
  std::fputs((json ? to_json(*done) : to_text(*done)).c_str(), stdout);
  if (!kept.empty()) {
    if (const kd::Result<void> written = record(kept, to_json(*done)); !written) {
      return failed(written.error());
    }
  }
  return static_cast<int>(outcome(*done));
}
